import { hash } from 'node:crypto';
import * as z from 'zod/mini';

/** Where a log ends: the next record has `seq + 1`, and names `hash` as the one before it. */
export interface Head {
  readonly seq: number;
  /** SHA-256 in hex; of zeros before the first record. */
  readonly hash: string;
}

/** The head of a log without records. */
export const GENESIS: Head = { seq: 0, hash: '0'.repeat(64) };

/** One record of the log. `event` is what happened; its shape is the queue's business. */
export interface JournalRecord {
  readonly seq: number;
  /** RFC 3339, UTC. */
  readonly time: string;
  /** Hash of the record before. */
  readonly prev: string;
  readonly hash: string;
  readonly event: unknown;
}

const HASH_KEY = ',"hash":"';
const TAIL_BYTES = HASH_KEY.length + 64 + '"}'.length;

const hex = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const body = z.strictObject({
  seq: z.int().check(z.minimum(1)),
  time: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)),
  prev: hex,
  event: z.unknown(),
});

/**
 * The line of the record that follows `head`, with its newline, and the head afterwards. The hash is the SHA-256 of the line without
 * its last key, so that anyone can check it with `sha256sum`.
 */
export function formatLine(head: Head, time: string, event: unknown): { readonly line: string; readonly head: Head } {
  const seq = head.seq + 1;
  const text = JSON.stringify({ seq, time, prev: head.hash, event });
  const digest = hash('sha256', text, 'hex');
  return { line: `${text.slice(0, -1)}${HASH_KEY}${digest}"}\n`, head: { seq, hash: digest } };
}

/** What a line says, or why it is not a record that may follow `head`, as the end of a sentence. `line` has no newline. */
export function parseLine(
  line: Buffer,
  head: Head,
): { readonly ok: true; readonly record: JournalRecord } | { readonly ok: false; readonly reason: string } {
  const tail = line.subarray(-TAIL_BYTES).toString('latin1');
  const digest = tail.slice(HASH_KEY.length, -2);
  if (!tail.startsWith(HASH_KEY) || !tail.endsWith('"}')) return { ok: false, reason: 'does not end with its hash' };
  const bytes = Buffer.concat([line.subarray(0, -TAIL_BYTES), Buffer.from('}')]);
  if (hash('sha256', bytes, 'hex') !== digest) return { ok: false, reason: 'was changed: its hash is another' };
  const text = bytes.toString();
  const value = parsed(text);
  if (value === undefined) return { ok: false, reason: 'is not a record' };
  if (value.seq !== head.seq + 1) return { ok: false, reason: `has number ${value.seq}, not ${head.seq + 1}` };
  if (value.prev !== head.hash) return { ok: false, reason: 'does not follow the record before it' };
  return { ok: true, record: { ...value, hash: digest } };
}

/** A line that says a key twice, or is written in another way than ours, could mean different things to different readers. */
function parsed(text: string): z.output<typeof body> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const checked = body.safeParse(value);
    return checked.success && JSON.stringify(value) === text ? checked.data : undefined;
  } catch {
    return undefined;
  }
}
