import type { Match, Needle } from './matcher.ts';

/** What becomes of a match. */
export type StreamMode = 'refuse' | 'redact';

/** Looks for secrets in bytes that come in pieces. The pieces may be cut anywhere. */
export interface SecretStream {
  push(chunk: Uint8Array): StreamStep;
  /** Nothing more comes: gives what was held back. */
  end(): StreamStep;
}

export interface StreamStep {
  /** Bytes that may leave now. They never hold a whole secret. */
  readonly safe: Buffer;
  /** Secrets that were completed by this piece. Offsets count from the begin of the stream. */
  readonly matches: readonly Match[];
}

const NOTHING = Buffer.alloc(0);

/**
 * Bytes are held back only while they are the beginning of a secret, at most one byte less than the longest form has. With
 * `redact` as many bytes leave as came in. With `refuse` nothing leaves from the first match on.
 */
export function createSecretStream(
  needles: readonly Needle[],
  find: (bytes: Uint8Array) => readonly Match[],
  mode: StreamMode,
): SecretStream {
  const reach = Math.max(0, ...needles.map(({ bytes }) => bytes.length - 1));
  const byFirstByte = Map.groupBy(needles, ({ bytes }) => bytes[0]);
  /** What came in and is held back; and the same as it will leave, with stars over the secrets found so far. */
  let held: Buffer = NOTHING;
  let leaving: Buffer = NOTHING;
  /** How many bytes have left. */
  let gone = 0;
  let refused = false;

  function push(chunk: Uint8Array): StreamStep {
    if (refused) return { safe: NOTHING, matches: [] };
    const known = held.length;
    const bytes =
      known === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([held, chunk]);
    const fresh = find(bytes).filter(({ end }) => end > known);
    const matches = fresh.map((match) => ({ ...match, start: match.start + gone, end: match.end + gone }));
    const first = fresh[0];
    if (mode === 'refuse' && first !== undefined) {
      refused = true;
      return { safe: take(bytes, bytes, first.start), matches };
    }
    // A chunk without a match leaves as it came, uncopied.
    const out = fresh.length === 0 && known === 0 ? bytes : Buffer.concat([leaving, bytes.subarray(known)]);
    for (const { start, end } of fresh) out.fill('*', start, end);
    return { safe: take(bytes, out, beginOfHeld(bytes)), matches };
  }

  function end(): StreamStep {
    const safe = refused ? NOTHING : leaving;
    held = NOTHING;
    leaving = NOTHING;
    return { safe, matches: [] };
  }

  /** Lets the first `count` bytes go. */
  function take(bytes: Buffer, out: Buffer, count: number): Buffer {
    held = Buffer.from(bytes.subarray(count));
    leaving = Buffer.from(out.subarray(count));
    gone += count;
    return out.subarray(0, count);
  }

  /** Where the first stretch begins that reaches the end of `bytes` and is the beginning of a secret. */
  function beginOfHeld(bytes: Buffer): number {
    for (let start = Math.max(0, bytes.length - reach); start < bytes.length; start++) {
      const rest = bytes.length - start;
      for (const needle of byFirstByte.get(bytes[start]) ?? []) {
        if (needle.bytes.length > rest && needle.bytes.compare(bytes, start, bytes.length, 0, rest) === 0) return start;
      }
    }
    return bytes.length;
  }

  return { push, end };
}
