import { type Mask, STARS } from './mask.ts';

const CARRIAGE_RETURN = 13;

/** A long line cut to pieces. `rest` is where the first byte stands that is not in a piece. */
export interface LinePieces {
  readonly pieces: readonly Buffer[];
  readonly rest: number;
}

/**
 * Cuts a line (without its newline) to pieces of at most `maxLine` bytes: never within a UTF-8 sequence, never within a
 * secret. Of a line that is not `complete` so much is left over that a secret which has only begun is not cut either.
 */
export function cutLongLine(line: Buffer, complete: boolean, maxLine: number, mask: Mask): LinePieces {
  const pieces: Buffer[] = [];
  let start = 0;
  const ahead = complete ? 0 : mask.ahead;
  while (isTooLong(line, start, maxLine + ahead)) {
    const cut = characterBorder(line, start, start + maxLine);
    const secret = mask.across(line, start, cut);
    if (secret === undefined) {
      pieces.push(line.subarray(start, cut));
      start = cut;
    } else if (secret.start > start) {
      pieces.push(line.subarray(start, secret.start));
      start = secret.start;
    } else {
      pieces.push(STARS);
      start = secret.resume;
    }
  }
  if (complete && start < line.length) pieces.push(line.subarray(start));
  return { pieces, rest: complete ? line.length : start };
}

/** The carriage return of a CRLF does not count, so that it never becomes a line of its own. */
function isTooLong(line: Buffer, start: number, limit: number): boolean {
  const length = line.length - start;
  if (length <= limit) return false;
  return length > limit + 1 || line[line.length - 1] !== CARRIAGE_RETURN;
}

/** The last place at or before `at` that is not within a UTF-8 sequence; `at` itself where the bytes are not UTF-8. */
function characterBorder(line: Buffer, start: number, at: number): number {
  if (!isContinuation(line[at])) return at;
  for (let back = 1; back <= 3 && at - back > start; back += 1) {
    const byte = line[at - back];
    if (!isContinuation(byte)) return sequenceLength(byte) > back ? at - back : at;
  }
  return at;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

function sequenceLength(lead: number | undefined): number {
  if (lead === undefined || lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
