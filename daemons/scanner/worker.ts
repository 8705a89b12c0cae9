import { parentPort, workerData } from 'node:worker_threads';
import * as z from 'zod/mini';
import type { ScanResult } from './finding.ts';
import { knownSecretsOf } from './known.ts';
import { scanBytes } from './scan.ts';

/** What the scanner tells a worker at its start. */
const settings = z
  .object({ knownSecrets: z.array(z.string()), required: z.boolean(), mostDecodedBytes: z.number() })
  .parse(workerData);

const knownNow = knownSecretsOf(settings.knownSecrets, settings.required);

/** Each message is the bytes to scan; each is answered with one {@link ScanResult}. */
parentPort?.on('message', (bytes: unknown) => {
  void answer(bytes).then((result) => parentPort?.postMessage(result));
});

async function answer(bytes: unknown): Promise<ScanResult> {
  try {
    if (!(bytes instanceof Uint8Array)) return { ok: false, reason: 'there was nothing to scan' };
    const known = knownNow();
    if (!known.ok) return known;
    return await scanBytes(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      known.finders,
      settings.mostDecodedBytes,
    );
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : 'the scan failed' };
  }
}
