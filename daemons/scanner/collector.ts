import { hash } from 'node:crypto';
import type { ScanResult, SecretFinding } from './finding.ts';
import type { Layer } from './layer.ts';

/** Something that a rule took for a secret. */
export interface Hit {
  readonly rule: string;
  readonly what: string;
  /** Its bytes, each as one character. */
  readonly secret: string;
  /** Offset in the layer. */
  readonly offset: number;
}

/** Gathers the findings of one scan. */
export interface Collector {
  add(layer: Layer, hit: Hit): void;
  /** So many were found that more would change nothing: the scan may stop. */
  readonly isFull: boolean;
  result(): ScanResult;
}

/** How many findings are listed. */
const MOST_LISTED = 100;

/** How many are counted. */
const MOST_COUNTED = 10_000;

type Place = Omit<SecretFinding, 'line' | 'column'> & { readonly offset: number };

/** A collector for the scan of `bytes`. The same secret is one finding, whatever the number of places and encodings. */
export function createCollector(bytes: Buffer): Collector {
  const seen = new Set<string>();
  const places: Place[] = [];

  function add(layer: Layer, { rule, what, secret, offset }: Hit): void {
    const key = `${rule}\0${secret}`;
    if (seen.has(key) || seen.size >= MOST_COUNTED) return;
    seen.add(key);
    if (places.length >= MOST_LISTED) return;
    const encoded = layer.decodings.length === 0 ? '' : ` (in ${layer.decodings.toReversed().join(' in ')})`;
    places.push({
      rule,
      what: `${what}${encoded}`,
      offset: layer.origin(offset),
      fingerprint: fingerprintOf(rule, Buffer.from(secret, 'latin1')),
      digest: digestOf(Buffer.from(secret, 'latin1')),
    });
  }

  return {
    add,
    get isFull() {
      return seen.size >= MOST_COUNTED;
    },
    result: () => ({ ok: true, findings: located(bytes, places), unlisted: seen.size - places.length }),
  };
}

/** SHA-256 (hex) of the rule's name, a zero byte and the secret. */
export function fingerprintOf(rule: string, secret: Uint8Array): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${rule}\0`), secret]), 'hex');
}

/** Turns offsets into lines and columns, in one pass. */
function located(bytes: Buffer, places: readonly Place[]): readonly SecretFinding[] {
  let line = 1;
  let begin = 0;
  return places
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ offset, ...place }) => {
      for (let next = bytes.indexOf(10, begin); next !== -1 && next < offset; next = bytes.indexOf(10, begin)) {
        line++;
        begin = next + 1;
      }
      return { ...place, line, column: offset - begin + 1 };
    });
}

/** SHA-256 of a secret, in hex. */
export function digestOf(secret: Uint8Array): string {
  return hash('sha256', secret, 'hex');
}
