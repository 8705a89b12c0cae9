/**
 * The name of a repository out of the path that a client sent, with or without `.git`. Undefined for every other
 * spelling; nothing is decoded, so that there is one way only to write a name.
 */
export function repoNameOf(segment: string): string | undefined {
  const name = segment.endsWith('.git') ? segment.slice(0, -4) : segment;
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name) && !name.includes('..') ? name : undefined;
}
