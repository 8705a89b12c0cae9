import { Worker } from 'node:worker_threads';
import type { Scanner, ScanResult } from './finding.ts';

export interface ScannerOptions {
  /** Files with fingerprints of known secrets (written by `writeKnownSecrets`). Read again when they change. */
  readonly knownSecrets?: readonly string[];
  /** A missing or unusable file of known secrets fails every scan. Default true. */
  readonly required?: boolean;
  /** How long one scan may take, in milliseconds. Default 10 s. */
  readonly timeout_ms?: number;
  /** How many scans run at once. Default 2. */
  readonly workers?: number;
  /** Larger ones are not scanned and so not clean. Default 64 MiB. */
  readonly mostBytes?: number;
  /** How many bytes may come out of decompressing in one scan. Default 256 MiB. */
  readonly mostDecodedBytes?: number;
  /** How many scans may wait. Default 100,000. */
  readonly mostWaiting?: number;
  /** The program of a worker. Default: beside this module. */
  readonly worker?: URL;
}

const MEBIBYTE = 1_048_576;

/** From source it is TypeScript; in the bundle it lies beside the daemon. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './scanner-worker.mjs', import.meta.url);

/** Memory of one worker beyond the bytes that it scans, in MiB. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 };

const CLEAN: ScanResult = { ok: true, findings: [], unlisted: 0 };

interface Scan {
  readonly bytes: Uint8Array;
  readonly resolve: (result: ScanResult) => void;
}

/** A thread that scans, started when it is first needed. */
interface Lane {
  worker: Worker | undefined;
  /** Ends the scan that runs with this result; `undefined` while it is idle. */
  finish: ((result: ScanResult) => void) | undefined;
}

/**
 * A scanner whose work is done in worker threads, so that no text can stop the daemon or make it wait: a worker that takes too long or dies is
 * replaced, and its scan is not clean. Idle workers do not keep the process alive.
 */
export function createScanner(options: ScannerOptions = {}): Scanner {
  const { timeout_ms = 10_000, mostBytes = 64 * MEBIBYTE, mostWaiting = 100_000 } = options;
  const lanes: readonly Lane[] = Array.from({ length: options.workers ?? 2 }, () => ({
    worker: undefined,
    finish: undefined,
  }));
  const waiting: Scan[] = [];
  let closed = false;

  function scan(bytes: Uint8Array): Promise<ScanResult> {
    if (closed) return Promise.resolve(refused('the scanner was closed'));
    if (bytes.length === 0) return Promise.resolve(CLEAN);
    if (bytes.length > mostBytes) {
      return Promise.resolve(refused(`it has ${bytes.length} bytes; at most ${mostBytes} are scanned`));
    }
    if (waiting.length >= mostWaiting) return Promise.resolve(refused(`${mostWaiting} scans wait already`));
    const { promise, resolve } = Promise.withResolvers<ScanResult>();
    waiting.push({ bytes, resolve });
    next();
    return promise;
  }

  /** Gives waiting scans to idle lanes. */
  function next(): void {
    for (const lane of lanes) {
      if (lane.finish !== undefined) continue;
      const scan = waiting.shift();
      if (scan === undefined) return;
      run(lane, scan);
    }
  }

  function run(lane: Lane, { bytes, resolve }: Scan): void {
    const timer = setTimeout(() => replace(lane, `the scan took longer than ${timeout_ms} ms`), timeout_ms);
    lane.finish = (result) => {
      clearTimeout(timer);
      lane.finish = undefined;
      lane.worker?.unref();
      resolve(result);
      next();
    };
    lane.worker ??= start(lane);
    lane.worker.ref();
    // A copy of its own: the buffer behind `bytes` may belong to others as well.
    const copy = new Uint8Array(bytes);
    lane.worker.postMessage(copy, [copy.buffer]);
  }

  function start(lane: Lane): Worker {
    const { knownSecrets = [], required = true, mostDecodedBytes = 256 * MEBIBYTE } = options;
    const worker = new Worker(options.worker ?? WORKER, {
      workerData: { knownSecrets, required, mostDecodedBytes },
      resourceLimits: WORKER_LIMITS,
      env: {},
      name: 'scanner',
    });
    const isCurrent = () => lane.worker === worker;
    worker.on('message', (result: ScanResult) => {
      if (isCurrent()) lane.finish?.(result);
    });
    worker.on('error', (error) => {
      if (isCurrent()) replace(lane, `the scan failed: ${describe(error)}`);
    });
    worker.on('exit', (code) => {
      if (isCurrent()) replace(lane, `the scanner's worker ended with ${code}`);
    });
    return worker;
  }

  /** Ends the lane's worker and its scan. The next scan starts a new one. */
  function replace(lane: Lane, reason: string): void {
    const { worker } = lane;
    lane.worker = undefined;
    void worker?.terminate();
    lane.finish?.(refused(reason));
  }

  async function close(): Promise<void> {
    closed = true;
    for (const { resolve } of waiting.splice(0)) resolve(refused('the scanner was closed'));
    const workers = lanes.map(({ worker }) => worker);
    for (const lane of lanes) replace(lane, 'the scanner was closed');
    await Promise.all(workers.map((worker) => worker?.terminate()));
  }

  return { scan, close };
}

function refused(reason: string): ScanResult {
  return { ok: false, reason };
}

function describe(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${error.message} (${error.code})` : String(error);
}
