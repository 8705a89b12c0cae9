const PATTERN = /^refs\/(?:heads|tags)\/[A-Za-z0-9._/*?+@-]{1,200}$/;

/** Whether this is a pattern of refs: `refs/heads/main`, `refs/heads/release/*`, `refs/tags/**`. */
export function isRefPattern(pattern: string): boolean {
  return PATTERN.test(pattern) && !/\*{3}/.test(pattern);
}

/** `*` and `?` stay within one part of the name, `**` goes across parts. Letters count as equal whatever their case. */
export function matchesRef(pattern: string, ref: string): boolean {
  const source = pattern
    .split(/(\*\*|\*|\?)/)
    .map((part) => WILDCARDS[part] ?? part.replace(/[.+]/g, '\\$&'))
    .join('');
  return new RegExp(`^${source}$`, 'i').test(ref);
}

const WILDCARDS: Readonly<Record<string, string>> = { '**': '.*', '*': '[^/]*', '?': '[^/]' };
