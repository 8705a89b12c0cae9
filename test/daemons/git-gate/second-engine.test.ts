import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commit, git, makeWorld, scratch, yamlFor } from './world.ts';

/** A program called gitleaks that does what `script` says; the bundle calls whatever has that name. */
function fakeGitleaks(folder: string, script: string): Readonly<Record<string, string>> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'gitleaks'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, 'gitleaks'), 0o755);
  return { PATH: `${bin}:${process.env.PATH ?? ''}` };
}

const FINDS_MARK = `
out=
for file in "$2"/*; do
  if grep -q only-the-second-engine-knows "$file"; then
    out="$out\${out:+,}{\\"RuleID\\":\\"mark\\",\\"StartLine\\":1,\\"StartColumn\\":1,\\"Secret\\":\\"x\\",\\"File\\":\\"$file\\"}"
  fi
done
printf '[%s]' "$out"
test -z "$out" || exit 77`;

test('what only the second engine finds is refused, until the operator turns it off', async (t) => {
  const { agent, gate, upstream } = await makeWorld(t, { env: fakeGitleaks(scratch(t), FINDS_MARK) });
  assert.equal((await gate.logged('scanner')).second_engine, 'gitleaks');
  await commit(agent, { 'clean.txt': 'clean' });
  const clean = await git(agent, ['push', 'origin', 'HEAD:refs/heads/clean']);
  assert.equal(clean.code, 0, clean.said);
  await commit(agent, { 'src/mark.txt': 'only-the-second-engine-knows' });
  const found = await git(agent, ['push', 'origin', 'HEAD:refs/heads/found']);
  assert.equal(found.code, 1);
  assert.match(found.said, /gitleaks-mark: mark \(gitleaks\)/);
  assert.match(found.said, /in src\/mark\.txt, line 1, commit/);
  gate.write(yamlFor(upstream, '', 'second_engine: none'));
  gate.signal('SIGHUP');
  await gate.logged('reloaded');
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/found'])).code, 0);
});

test('a second engine that fails refuses the push', async (t) => {
  const { agent } = await makeWorld(t, { env: fakeGitleaks(scratch(t), 'echo broken >&2; exit 1') });
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /the scan could not be finished: gitleaks ended with 1/);
});
