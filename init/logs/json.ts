import { isUtf8 } from 'node:buffer';

const NEWLINE = 10;
const BACKSLASH = 92;
const LETTER_U = 117;
const ZERO = 48;
const HEX = Buffer.from('0123456789abcdef');
const LONGEST_ESCAPE = 6;
const IDLE_SCRATCH = 1_048_576;

/** For every byte: 0 where it stands for itself, else the letter after the backslash (`u` for the long form). */
const ESCAPES = new Uint8Array(256);
ESCAPES.fill(LETTER_U, 0, 32);
ESCAPES[NEWLINE] = 0;
for (const [character, letter] of ['\bb', '\tt', '\ff', '\rr', '""', '\\\\']) {
  if (character !== undefined && letter !== undefined) ESCAPES[character.charCodeAt(0)] = letter.charCodeAt(0);
}

let scratch = Buffer.alloc(0);

/**
 * The inside of JSON strings for whole lines, newlines left as they are: UTF-8 bytes as a string of one byte a character.
 * What is not UTF-8 becomes U+FFFD; the carriage return of a CRLF is left out.
 */
export function escapeJson(block: Buffer): string {
  const utf8 = isUtf8(block) ? block : Buffer.from(block.toString('utf8'));
  return needsEscape(utf8) ? escapeBytes(utf8) : utf8.toString('latin1');
}

function needsEscape(block: Buffer): boolean {
  if (block.includes('"')) return true;
  let found = 0;
  for (let index = 0; index < block.length; index += 1) found |= ESCAPES[block[index] ?? 0] ?? 0;
  return found !== 0;
}

function escapeBytes(block: Buffer): string {
  const needed = block.length * LONGEST_ESCAPE;
  const out = scratchOf(needed);
  let length = 0;
  for (let index = 0; index < block.length; index += 1) {
    const byte = block[index] ?? 0;
    const letter = ESCAPES[byte] ?? 0;
    if (letter === 0) {
      out[length++] = byte;
    } else if (letter !== LETTER_U) {
      if (byte === 13 && block[index + 1] === NEWLINE) continue;
      out[length++] = BACKSLASH;
      out[length++] = letter;
    } else {
      out[length++] = BACKSLASH;
      out[length++] = LETTER_U;
      out[length++] = ZERO;
      out[length++] = ZERO;
      out[length++] = HEX[byte >> 4] ?? 0;
      out[length++] = HEX[byte & 15] ?? 0;
    }
  }
  return out.toString('latin1', 0, length);
}

function scratchOf(size: number): Buffer {
  if (size > IDLE_SCRATCH) return Buffer.allocUnsafeSlow(size);
  if (scratch.length < size) scratch = Buffer.allocUnsafeSlow(IDLE_SCRATCH);
  return scratch;
}
