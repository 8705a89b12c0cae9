import { isList, isObject, isTooDeep, type JsonObject, parseJson } from '../policy/json.ts';
import type { DroppedLine } from './process.ts';

/** Takes a stream of bytes in pieces. */
export interface LineReader {
  push(chunk: Buffer): void;
  /** Nothing more comes: a last line without a line break counts. */
  end(): void;
}

const LINE_FEED = 0x0a;

/**
 * Cuts a stream into lines of at most `most` bytes. A longer one comes as `onTooLong`, with its first and last bytes. No byte of a line is kept
 * beyond that.
 */
export function createLineReader(
  most: number,
  onLine: (line: Buffer) => void,
  onTooLong: (bytes: number, first: Buffer, last: Buffer) => void,
): LineReader {
  let pieces: Buffer[] = [];
  let size = 0;
  let cut: { readonly first: Buffer; last: Buffer } | undefined;

  function add(piece: Buffer): void {
    size += piece.length;
    if (cut !== undefined) cut.last = tailOf(cut.last, piece);
    else {
      pieces.push(piece);
      if (size > most) {
        const first = Buffer.concat(pieces).subarray(0, EDGE);
        cut = { first: Buffer.from(first), last: pieces.reduce(tailOf, Buffer.alloc(0)) };
        pieces = [];
      }
    }
  }

  function finish(): void {
    const [only] = pieces;
    if (cut !== undefined) onTooLong(size, cut.first, cut.last);
    else if (only !== undefined) onLine(pieces.length === 1 ? only : Buffer.concat(pieces));
    pieces = [];
    size = 0;
    cut = undefined;
  }

  return {
    push(chunk) {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at !== -1; at = chunk.indexOf(LINE_FEED, from)) {
        if (at > from) add(chunk.subarray(from, at));
        finish();
        from = at + 1;
      }
      if (from < chunk.length) add(chunk.subarray(from));
    },
    end: finish,
  };
}

/** Bytes that are kept of each end of a line that is too long. */
const EDGE = 512;

function tailOf(before: Buffer, piece: Buffer): Buffer {
  if (piece.length >= EDGE) return Buffer.from(piece.subarray(piece.length - EDGE));
  const both = Buffer.concat([before, piece]);
  return both.subarray(Math.max(0, both.length - EDGE));
}

export interface MessageReaderOptions {
  readonly onMessage: (message: JsonObject, line: string) => void;
  readonly onDropped: (dropped: DroppedLine) => void;
  /** In bytes. */
  readonly maxMessage: number;
  readonly mask: (text: string) => string;
}

/** Reads JSON-RPC messages, one a line (MCP, "stdio"). Empty lines are skipped; what is no JSON object is dropped. */
export function createMessageReader({ onMessage, onDropped, maxMessage, mask }: MessageReaderOptions): LineReader {
  let noise = 0;

  function noteNoise(bytes: Buffer): void {
    noise += 1;
    if (!/^10*$/.test(String(noise))) return;
    onDropped({ why: 'noise', bytes: bytes.length, noise, beginning: shown(bytes, mask), id: undefined });
  }

  function onLine(bytes: Buffer): void {
    const line = bytes.toString('utf8');
    if (line.trim() === '') return;
    if (isTooDeep(line)) {
      drop('too-deep', bytes.length, bytes.subarray(0, EDGE), bytes.subarray(-EDGE));
      return;
    }
    const value = parseJson(line);
    if (isObject(value)) onMessage(value, line);
    else if (isList(value) && value.every(isObject)) for (const one of value) onMessage(one, JSON.stringify(one));
    else noteNoise(bytes);
  }

  function drop(why: 'too-long' | 'too-deep', bytes: number, first: Buffer, last: Buffer): void {
    const id = idIn(first.toString('utf8'), last.toString('utf8'));
    onDropped({ why, bytes, noise, beginning: shown(first, mask), id });
  }

  return createLineReader(maxMessage, onLine, (bytes, first, last) => drop('too-long', bytes, first, last));
}

/** Characters of a dropped line that a log shows. */
const SHOWN = 120;

/** What is not shown is looked at as well, so that a secret at the edge is whole when it is masked. */
function shown(bytes: Buffer, mask: (text: string) => string): string {
  const text = printable(mask(bytes.subarray(0, LONGEST_LOG_LINE * 2).toString('utf8')));
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

const FIRST_ID = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15}|"[^"\\]{0,128}")\s*,/;
const LAST_ID = /,\s*"id"\s*:\s*(\d{1,15}|"[^"\\]{0,128}")\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** Where writers of JSON-RPC put the id: in front or behind, with nothing but the version beside it. */
function idIn(first: string, last: string): string | number | undefined {
  const found = parseJson((FIRST_ID.exec(first) ?? LAST_ID.exec(last))?.[1] ?? '');
  return typeof found === 'string' || typeof found === 'number' ? found : undefined;
}

const LONGEST_LOG_LINE = 8192;

/** Reads lines of stderr for a log: masked, without control characters, each cut at 8 KiB. */
export function createLogReader(onLine: (line: string) => void, mask: (text: string) => string): LineReader {
  const note = (bytes: Buffer): void => {
    const line = printable(mask(bytes.toString('utf8')));
    if (line !== '') onLine(line.length > LONGEST_LOG_LINE ? `${line.slice(0, LONGEST_LOG_LINE)}…` : line);
  };
  return createLineReader(LONGEST_LOG_LINE * 2, note, (bytes, first) =>
    note(Buffer.concat([first, Buffer.from(`… (${bytes} bytes)`)])),
  );
}

function printable(text: string): string {
  return text.replace(CONTROL, (character) => (character === '\t' ? ' ' : '')).trimEnd();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a line of a log is plain text, whatever a tool writes.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;
