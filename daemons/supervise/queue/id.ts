/** Crockford's base 32 in lower case: no letter is mistaken for a digit. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';

/** Odd, so that multiplying by it modulo a power of two gives each number once: ids look different from one another, and never repeat. */
const FACTOR = 0x9e3779b1;

/** The id of the proposal with this number, from 0: `p-` and four characters for the first million, then one more. */
export function idOf(number: number): string {
  let length = 4;
  for (let reach = 32 ** 4, from = 0; number - from >= reach && length < 6; length++, reach *= 32) from += reach;
  const bits = length * 5;
  const scattered = (BigInt(number) * BigInt(FACTOR) + 0x5bd1e995n) & ((1n << BigInt(bits)) - 1n);
  let text = '';
  for (let at = bits - 5; at >= 0; at -= 5) text += DIGITS[Number((scattered >> BigInt(at)) & 31n)] ?? '';
  return `p-${text}`;
}

/** What an id looks like. */
export const ID = /^p-[0-9a-hjkmnp-tv-z]{4,6}$/;
