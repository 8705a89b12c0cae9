import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { execa } from 'execa';
import { writeKnownSecrets } from '../../../daemons/known-secrets/file.ts';
import { fingerprintsOf } from '../../../daemons/known-secrets/fingerprints.ts';
import { createScanner, type ScannerOptions } from '../../../daemons/scanner/scanner.ts';
import { ALNUM, random } from './samples.ts';
import { scratch, workerDoing } from './workers.ts';

const githubToken = () => `${'gh'}p_${random(ALNUM, 36)}`;

function scannerFor(t: TestContext, options: ScannerOptions = {}) {
  const scanner = createScanner(options);
  t.after(() => scanner.close());
  return scanner;
}

describe('the scanner', () => {
  it('says what it found and leaves the bytes as they are', async (t) => {
    const scanner = scannerFor(t);
    const bytes = Buffer.from(`a\n${githubToken()}\n`);
    const before = Buffer.from(bytes);
    const result = await scanner.scan(bytes);
    assert.ok(result.ok);
    assert.deepEqual(
      result.findings.map(({ rule, line, column }) => [rule, line, column]),
      [['github-token', 2, 1]],
    );
    assert.deepEqual(bytes, before);
    assert.ok(!JSON.stringify(result).includes(bytes.toString().slice(6, 30)));
  });

  it('finds nothing in nothing and in ordinary text', async (t) => {
    const scanner = scannerFor(t);
    for (const text of ['', 'x', 'An ordinary text.\n'.repeat(100)]) {
      assert.deepEqual(await scanner.scan(Buffer.from(text)), { ok: true, findings: [], unlisted: 0 });
    }
  });

  it('gives each of many scans its own result', async (t) => {
    const scanner = scannerFor(t);
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, i) => scanner.scan(Buffer.from(i % 3 === 0 ? githubToken() : `text ${i}`))),
    );
    assert.deepEqual(
      results.map((result) => (result.ok ? result.findings.length : -1)),
      Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
    );
  });

  it('lists 100 findings and counts the rest, so that allowing the listed ones does not let the others pass', async (t) => {
    const scanner = scannerFor(t);
    const result = await scanner.scan(Buffer.from(Array.from({ length: 130 }, githubToken).join('\n')));
    assert.ok(result.ok);
    assert.deepEqual([result.findings.length, result.unlisted], [100, 30]);
  });
});

describe('a scan that cannot be finished is not clean', () => {
  it('a worker that hangs is replaced, and the next scan works', async (t) => {
    const worker = workerDoing(t, "if (text === 'hang') for (;;); clean();");
    const scanner = scannerFor(t, { worker, timeout_ms: 300, workers: 1 });
    const [hung, next] = await Promise.all([scanner.scan(Buffer.from('hang')), scanner.scan(Buffer.from('x'))]);
    assert.deepEqual(hung, { ok: false, reason: 'the scan took longer than 300 ms' });
    assert.ok(next.ok);
  });

  it('a worker that ends is replaced, and the next scan works', async (t) => {
    const worker = workerDoing(t, "if (text === 'die') process.exit(3); clean();");
    const scanner = scannerFor(t, { worker, workers: 1 });
    const [died, next] = await Promise.all([scanner.scan(Buffer.from('die')), scanner.scan(Buffer.from('x'))]);
    assert.deepEqual(died, { ok: false, reason: "the scanner's worker ended with 3" });
    assert.ok(next.ok);
  });

  it('a worker that throws or runs out of memory is replaced, and the next scan works', async (t) => {
    const worker = workerDoing(
      t,
      `if (text === 'throw') throw new Error('broken');
       if (text === 'eat') { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); }
       clean();`,
    );
    const scanner = scannerFor(t, { worker, workers: 1 });
    for (const text of ['throw', 'eat']) {
      const result = await scanner.scan(Buffer.from(text));
      assert.ok(!result.ok);
      assert.match(result.reason, /^the scan failed: /);
      assert.ok((await scanner.scan(Buffer.from('x'))).ok);
    }
  });

  it('a worker that cannot be started', async (t) => {
    const scanner = scannerFor(t, { worker: pathToFileURL('/nonexistent/worker.mjs') });
    const result = await scanner.scan(Buffer.from('x'));
    assert.ok(!result.ok);
  });

  it('bytes over the limit', async (t) => {
    const scanner = scannerFor(t, { mostBytes: 10 });
    assert.deepEqual(await scanner.scan(Buffer.alloc(11, 'x')), {
      ok: false,
      reason: 'it has 11 bytes; at most 10 are scanned',
    });
  });

  it('compressed data that unpack to more than the limit', async (t) => {
    const scanner = scannerFor(t, { mostDecodedBytes: 1_000_000 });
    const result = await scanner.scan(gzipSync(Buffer.alloc(1_100_000)));
    assert.deepEqual(result, { ok: false, reason: 'it holds compressed data that are too large to be looked through' });
  });

  it('scans that wait when the scanner is closed, and later ones', async (t) => {
    const worker = workerDoing(t, 'for (;;);');
    const scanner = createScanner({ worker, workers: 1 });
    const [running, waiting] = [scanner.scan(Buffer.from('a')), scanner.scan(Buffer.from('b'))];
    await scanner.close();
    const closed = { ok: false, reason: 'the scanner was closed' };
    assert.deepEqual(await Promise.all([running, waiting, scanner.scan(Buffer.from('c'))]), [closed, closed, closed]);
  });

  it('more scans than may wait', async (t) => {
    const worker = workerDoing(t, "if (text === 'hang') for (;;);");
    const scanner = createScanner({ worker, workers: 1, mostWaiting: 1 });
    const scans = [1, 2, 3].map(() => scanner.scan(Buffer.from('hang')));
    assert.deepEqual(await scans[2], { ok: false, reason: '1 scans wait already' });
    await scanner.close();
  });
});

describe('texts that are made to be slow', () => {
  const cases: Readonly<Record<string, () => Buffer>> = {
    'ten million times one letter': () => Buffer.alloc(10_000_000, 'a'),
    'ten million hex digits': () => Buffer.alloc(10_000_000, '0123456789abcdef'),
    'a line of ten million characters of base64': () => Buffer.alloc(10_000_000, random(ALNUM, 61)),
    'the begin of a token, over and over': () => Buffer.alloc(4_000_000, `${'sk'}-ant-api03-`),
    'the begin of a web token, over and over': () => Buffer.alloc(4_000_000, 'eyJ'),
    'the begin of a private key with header lines, over and over': () =>
      Buffer.alloc(4_000_000, `-----BEGIN RSA PRIVATE KEY-----\n${'a-b: c\n'.repeat(8)}${'a: '.repeat(60)}\n`),
    'the begin of a private key, over and over': () => Buffer.alloc(4_000_000, '-----BEGIN PRIVATE KEY-----\n'),
    'the begin of a private key and no end': () =>
      Buffer.concat([Buffer.from('-----BEGIN PRIVATE KEY-----'), Buffer.alloc(4_000_000, ' \n')]),
    'the begin of a mail key, over and over': () => Buffer.alloc(2_000_000, `${'S'}G.${'a'.repeat(200)}.`),
    'the begin of gzip, over and over': () => Buffer.alloc(40_000, Buffer.from([0x1f, 0x8b, 8, 0])),
    'zero bytes between letters': () => Buffer.alloc(10_000_000, 'a\0'),
    escapes: () => Buffer.alloc(10_000_000, '%41'),
  };
  for (const [name, make] of Object.entries(cases)) {
    it(`${name}: the scan ends`, async (t) => {
      const scanner = scannerFor(t, { timeout_ms: 60_000 });
      const result = await scanner.scan(make());
      assert.ok(result.ok, result.ok ? '' : result.reason);
    });
  }
});

describe('known secrets', () => {
  it('are found in every scan after their file was written, and no more after they left it', async (t) => {
    const file = join(scratch(t), 'known.json');
    const secret = random(ALNUM, 40);
    const scanner = scannerFor(t, { knownSecrets: [file], workers: 1 });
    const scan = () => scanner.scan(Buffer.from(`x=${Buffer.from(secret).toString('base64')}`));
    await writeKnownSecrets(file, fingerprintsOf([{ name: 'DEPLOY_KEY', value: secret }]));
    const found = await scan();
    assert.ok(found.ok);
    assert.deepEqual(
      found.findings.map(({ rule, what }) => [rule, what]),
      [['known-secret', 'the secret DEPLOY_KEY (in base64)']],
    );
    await writeKnownSecrets(file, fingerprintsOf([{ name: 'OTHER', value: random(ALNUM, 40) }]));
    const after = await scan();
    assert.ok(after.ok && after.findings.length === 0);
  });

  it('a missing or broken file fails every scan with its name, and none once it is there', async (t) => {
    const file = join(scratch(t), 'known.json');
    const scanner = scannerFor(t, { knownSecrets: [file] });
    const missing = await scanner.scan(Buffer.from('x'));
    assert.deepEqual(missing, { ok: false, reason: `the file of known secrets ${file} cannot be read (ENOENT)` });
    writeFileSync(file, '{"version":1');
    assert.ok(!(await scanner.scan(Buffer.from('x'))).ok);
    rmSync(file);
    await writeKnownSecrets(file, fingerprintsOf([]));
    assert.ok((await scanner.scan(Buffer.from('x'))).ok);
  });

  it('a missing file fails no scan where it is not required', async (t) => {
    const scanner = scannerFor(t, { knownSecrets: ['/nonexistent/known.json'], required: false });
    assert.ok((await scanner.scan(Buffer.from('x'))).ok);
  });
});

describe('the scanner in a program', () => {
  const source = fileURLToPath(new URL('../../../daemons/scanner/', import.meta.url));

  it('works from one bundled file with its worker beside it, and does not keep the program alive', async (t) => {
    const directory = scratch(t);
    const options = { bundle: true, platform: 'node', format: 'esm', target: 'node26', minify: true } as const;
    await build({
      ...options,
      entryPoints: [join(source, 'worker.ts')],
      outfile: join(directory, 'scanner-worker.mjs'),
    });
    await build({
      ...options,
      stdin: {
        contents: `import { createScanner } from './scanner.ts';
          const result = await createScanner().scan(Buffer.from(process.argv[2]));
          console.log(result.findings[0].rule);`,
        resolveDir: source,
      },
      outfile: join(directory, 'daemon.mjs'),
    });
    const { stdout } = await execa(process.execPath, [join(directory, 'daemon.mjs'), githubToken()], {
      timeout: 60_000,
    });
    assert.equal(stdout, 'github-token');
  });
});
