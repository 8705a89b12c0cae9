import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findSecondEngine, type SecondEngine } from '../../../daemons/scanner/second-engine.ts';
import { ALNUM, random } from './samples.ts';
import { scratch } from './workers.ts';

/** The program under test: that of `GITLEAKS`, else betterleaks or gitleaks on the PATH. */
const engine = findSecondEngine(process.env.GITLEAKS === undefined ? {} : { command: process.env.GITLEAKS });
const skip = engine === undefined ? 'neither betterleaks nor gitleaks is installed, and GITLEAKS names none' : false;

const githubToken = () => `${'gh'}p_${random(ALNUM, 36)}`;

function installed(): SecondEngine {
  assert.ok(engine !== undefined);
  return engine;
}

/** A program that stands for gitleaks and does `script`. */
function pretended(t: TestContext, script: string, timeout_ms = 30_000): SecondEngine {
  const program = join(scratch(t), 'gitleaks');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const found = findSecondEngine({ command: program, timeout_ms });
  assert.ok(found !== undefined);
  return found;
}

describe('the second engine', () => {
  it('tells file, line, rule and a fingerprint, never the secret', { skip }, async (t) => {
    const directory = scratch(t);
    const token = githubToken();
    writeFileSync(join(directory, 'a1'), `x\ntoken = "${token}"\n`);
    const result = await installed().scanDirectory(directory);
    assert.ok(result.ok);
    assert.deepEqual(
      result.findings.map(({ file, line, rule }) => [file, line, rule]),
      [['a1', 2, `${installed().name}-github-pat`]],
    );
    assert.ok(!JSON.stringify(result).includes(token));
  });

  it('finds nothing in ordinary files', { skip }, async (t) => {
    const directory = scratch(t);
    writeFileSync(join(directory, 'a1'), 'nothing to see\n');
    assert.deepEqual(await installed().scanDirectory(directory), { ok: true, findings: [] });
  });

  it('is not told by the files what to pass over', { skip }, async (t) => {
    const directory = scratch(t);
    const token = githubToken();
    writeFileSync(join(directory, 'a1'), `x = "${token}" // gitleaks:allow betterleaks:allow\n`);
    mkdirSync(join(directory, 'below'));
    for (const name of ['.gitleaks.toml', '.betterleaks.toml']) {
      writeFileSync(join(directory, 'below', name), '[allowlist]\npaths = [".*"]\n');
    }
    const result = await installed().scanDirectory(directory);
    assert.ok(result.ok);
    assert.deepEqual(
      result.findings.map(({ file }) => file),
      ['a1'],
    );
  });

  it('leaves what is encoded to the scanner of the bundle', { skip }, async (t) => {
    const directory = scratch(t);
    writeFileSync(join(directory, 'a1'), Buffer.from(`x = "${githubToken()}"\n`).toString('base64'));
    const result = await installed().scanDirectory(directory);
    assert.ok(result.ok && result.findings.length === 0);
  });
});

describe('a second engine that fails is not a clean scan', () => {
  const cases: Readonly<Record<string, { readonly script: string; readonly reason: RegExp }>> = {
    'an error': { script: 'exit 1', reason: /ended with 1$/ },
    'a death by a signal': { script: 'kill -9 $$', reason: /ended with a signal$/ },
    'a report that is none': { script: 'echo oops; exit 77', reason: /cannot be read$/ },
    'findings that are not reported': { script: 'echo "[]"; exit 77', reason: /ended with 77 and 0 findings$/ },
    'a warning, as of a file that could not be read': {
      script: 'echo "[]"; echo "WRN skipping" >&2',
      reason: /1 warning/,
    },
  };
  for (const [name, { script, reason }] of Object.entries(cases)) {
    it(name, async (t) => {
      const result = await pretended(t, script).scanDirectory(scratch(t));
      assert.ok(!result.ok);
      assert.match(result.reason, reason);
    });
  }

  it('a program that hangs is ended', async (t) => {
    const result = await pretended(t, 'exec sleep 600', 300).scanDirectory(scratch(t));
    assert.deepEqual(result, { ok: false, reason: 'gitleaks took longer than 300 ms' });
  });

  it('a list of what to pass over, which the program would heed', async (t) => {
    for (const file of ['.gitleaksignore', '.gitleaks.toml']) {
      const directory = scratch(t);
      writeFileSync(join(directory, file), '');
      const result = await pretended(t, 'echo "[]"').scanDirectory(directory);
      assert.deepEqual(result, { ok: false, reason: `gitleaks: a file to scan must not be called ${file}` });
    }
  });

  it('a directory that is not there', async (t) => {
    assert.ok(!(await pretended(t, 'echo "[]"').scanDirectory('/nonexistent')).ok);
  });
});

describe('the program of the second engine', () => {
  it('is betterleaks where both are there, and none where neither is', (t) => {
    const directory = scratch(t);
    assert.equal(findSecondEngine({ path: directory }), undefined);
    for (const name of ['gitleaks', 'betterleaks'])
      writeFileSync(join(directory, name), '#!/bin/sh\n', { mode: 0o755 });
    assert.equal(findSecondEngine({ path: directory })?.name, 'betterleaks');
    assert.equal(findSecondEngine({ path: directory, command: 'gitleaks' })?.name, 'gitleaks');
  });

  it('is not a directory and not a file that may not be run', (t) => {
    const directory = scratch(t);
    mkdirSync(join(directory, 'gitleaks'));
    writeFileSync(join(directory, 'betterleaks'), '', { mode: 0o644 });
    assert.equal(findSecondEngine({ path: directory }), undefined);
  });
});
