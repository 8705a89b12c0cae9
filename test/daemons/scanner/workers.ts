import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';

/** A directory that is gone after the test. */
export function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'scanner-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A worker that does `onMessage` (JavaScript, with `bytes` and `parentPort`) for each scan. */
export function workerDoing(t: TestContext, onMessage: string): URL {
  const file = join(scratch(t), 'worker.mjs');
  writeFileSync(
    file,
    `import { parentPort } from 'node:worker_threads';
     const clean = () => parentPort.postMessage({ ok: true, findings: [], unlisted: 0 });
     parentPort.on('message', (bytes) => { const text = Buffer.from(bytes).toString(); ${onMessage} });`,
  );
  return pathToFileURL(file);
}
