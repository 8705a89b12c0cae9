import { isUtf8 } from 'node:buffer';
import type { Scanner, SecretFinding } from '../../scanner/finding.ts';

/** Something to scan, and what it is to be called in a finding. */
export interface Piece<W> {
  readonly bytes: Buffer;
  readonly where: W;
}

export interface Found<W> {
  readonly finding: SecretFinding;
  readonly where: W;
}

/** Takes pieces, and tells in the end what was found in them. */
export interface PieceScan<W> {
  /** Resolves when there is room for the next piece. Rejects with a sentence when something could not be scanned. */
  add(piece: Piece<W>): Promise<void>;
  /** Everything found. Rejects with a sentence when something could not be scanned. */
  finish(): Promise<readonly Found<W>[]>;
}

/** Pieces up to this size are scanned together, up to {@link BATCH} bytes at a time. */
const SMALL = 64 * 1024;
const BATCH = 512 * 1024;
/** Findings of one push: more are held in memory for nobody. */
const MOST_FOUND = 20_000;
/** Scans under way at once. */
const AT_ONCE = 3;

/**
 * Scans many pieces. Thousands of small ones cost a few scans: they are put together, and only where something is found
 * in such a batch is each piece of it scanned alone, which alone counts. Put together is only plain text, which no piece
 * can use to change how its neighbours are read: no NUL, no byte order mark, nothing packed.
 */
export function createPieceScan<W>(scanner: Scanner): PieceScan<W> {
  const found: Found<W>[] = [];
  const underWay = new Set<Promise<void>>();
  let fault: Error | undefined;
  let batch: Piece<W>[] = [];
  let batchSize = 0;

  async function scanAlone({ bytes, where }: Piece<W>): Promise<void> {
    for (const finding of await scanBytes(scanner, bytes)) found.push({ finding, where });
    if (found.length > MOST_FOUND) throw new Error(`the push holds more than ${MOST_FOUND} findings`);
  }

  async function scanBatch(pieces: readonly Piece<W>[]): Promise<void> {
    const findings = await scanBytes(scanner, Buffer.concat(pieces.flatMap(({ bytes }) => [bytes, SEPARATOR])));
    if (findings.length === 0) return;
    for (const piece of pieces) await scanAlone(piece);
  }

  async function start(scan: Promise<void>): Promise<void> {
    const settled = scan.catch((error: unknown) => {
      fault ??= error instanceof Error ? error : new Error(String(error));
    });
    underWay.add(settled);
    void settled.then(() => underWay.delete(settled));
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
    if (fault !== undefined) throw fault;
  }

  async function flush(): Promise<void> {
    if (batch.length === 0) return;
    const pieces = batch;
    batch = [];
    batchSize = 0;
    await start(pieces.length === 1 && pieces[0] !== undefined ? scanAlone(pieces[0]) : scanBatch(pieces));
  }

  return {
    async add(piece) {
      if (piece.bytes.length === 0) return;
      if (piece.bytes.length > SMALL || !isPlainText(piece.bytes)) return start(scanAlone(piece));
      batch.push(piece);
      batchSize += piece.bytes.length + SEPARATOR.length;
      if (batchSize >= BATCH) await flush();
    },
    async finish() {
      await flush();
      await Promise.all(underWay);
      if (fault !== undefined) throw fault;
      return found;
    },
  };
}

const SEPARATOR = Buffer.from('\n\n');

async function scanBytes(scanner: Scanner, bytes: Buffer): Promise<readonly SecretFinding[]> {
  const result = await scanner.scan(bytes);
  if (!result.ok) throw new Error(`the scan could not be finished: ${result.reason}`);
  return result.unlisted === 0 ? result.findings : [...result.findings, unlisted(result.unlisted)];
}

/** Findings that are not listed cannot be allowed one by one: this stands for them, and no fingerprint allows it. */
function unlisted(count: number): SecretFinding {
  return {
    rule: 'too-many-findings',
    what: `at least ${count} more`,
    line: 1,
    column: 1,
    fingerprint: NOT_ALLOWABLE,
    digest: NOT_ALLOWABLE,
  };
}

const NOT_ALLOWABLE = 'none';

function isPlainText(bytes: Buffer): boolean {
  return !bytes.includes(0) && isUtf8(bytes) && !(bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf);
}
