const UNITS = ['b', 'kb', 'mb', 'gb'] as const;
const IN_WORDS = ['bytes', 'KiB', 'MiB', 'GiB'] as const;

/**
 * Bytes, from a size as Compose writes it (`512`, `64k`, `10mb`, `1GB`: a kb has 1024) or with binary units (`64 MiB`). Undefined
 * where it is none.
 */
export function parseByteSize(text: string): number | undefined {
  const match = /^(\d{1,15})\s*(b|[kmg](?:i?b)?)?$/i.exec(text);
  if (match === null) return undefined;
  const unit = (match[2] ?? 'b').charAt(0).toLowerCase();
  const size = Number(match[1]) * 1024 ** UNITS.findIndex((each) => each.charAt(0) === unit);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** The size in the largest unit that divides it, as Compose writes it: `10mb`. */
export function formatByteSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size > 0 && size % 1024 === 0 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size}${UNITS[unit]}`;
}

/** The size for a person, to one decimal place: `512 bytes`, `35.2 MiB`. */
export function describeByteSize(bytes: number): string {
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < IN_WORDS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${Math.round(size * 10) / 10} ${IN_WORDS[unit]}`;
}
