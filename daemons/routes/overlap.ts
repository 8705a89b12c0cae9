import { holdsHost, matchesPath, portsOf } from './match.ts';
import type { HeaderRule, Match, PathRule, Route } from './schema.ts';

/**
 * Whether some request matches both routes, as far as their rules tell: two different regular expressions, or one and a prefix, count
 * as apart.
 */
export function overlaps(a: Route, b: Route): boolean {
  if (!coversHost(a.host, b.host) && !coversHost(b.host, a.host)) return false;
  const isSharedScheme = a.schemes.some(
    (scheme) => b.schemes.includes(scheme) && intersect(portsOf(a, scheme), portsOf(b, scheme)),
  );
  return isSharedScheme && matchesOf(a).some((one) => matchesOf(b).some((other) => matchesOverlap(one, other)));
}

/** Whether the rules tell that every request which matches `inner` matches `outer`, too. */
export function covers(outer: Route, inner: Route): boolean {
  return (
    coversHost(outer.host, inner.host) &&
    inner.schemes.every(
      (scheme) => outer.schemes.includes(scheme) && contains(portsOf(outer, scheme), portsOf(inner, scheme)),
    ) &&
    (outer.websocket || !inner.websocket) &&
    (outer.allow_encoded_slash || !inner.allow_encoded_slash) &&
    matchesOf(inner).every((one) => matchesOf(outer).some((other) => coversMatch(other, one)))
  );
}

const EVERYTHING: readonly Match[] = [{}];

function matchesOf({ matches }: Route): readonly Match[] {
  return matches ?? EVERYTHING;
}

function coversHost(outer: string, inner: string): boolean {
  return outer === inner || holdsHost(outer, inner.startsWith('*.') ? inner.slice(2) : inner);
}

function matchesOverlap(a: Match, b: Match): boolean {
  return (
    isFreeOr(a.methods, b.methods, intersect) &&
    isFreeOr(a.headers, b.headers, headersOverlap) &&
    isFreeOr(a.paths, b.paths, (some, others) => some.some((one) => others.some((other) => pathsOverlap(one, other))))
  );
}

function coversMatch(outer: Match, inner: Match): boolean {
  return (
    coversOrFree(outer.methods, inner.methods, contains) &&
    coversOrFree(outer.headers, inner.headers, (some, others) =>
      some.every((one) => others.some((other) => isSameHeader(one, other))),
    ) &&
    coversOrFree(outer.paths, inner.paths, (some, others) =>
      others.every((other) => some.some((one) => coversPath(one, other))),
    )
  );
}

/** A rule that is not given restricts nothing. */
function isFreeOr<T>(a: T | undefined, b: T | undefined, test: (a: T, b: T) => boolean): boolean {
  return a === undefined || b === undefined || test(a, b);
}

function coversOrFree<T>(outer: T | undefined, inner: T | undefined, test: (outer: T, inner: T) => boolean): boolean {
  return outer === undefined || (inner !== undefined && test(outer, inner));
}

function pathsOverlap(a: PathRule, b: PathRule): boolean {
  if (a.type === 'RegularExpression' && b.type === 'RegularExpression') return a.value === b.value;
  if (a.type === 'RegularExpression' || b.type === 'Exact') return b.type === 'Exact' && matchesPath(a, b.value);
  if (b.type === 'RegularExpression') return a.type === 'Exact' && matchesPath(b, a.value);
  return matchesPath(b, a.value) || (a.type === 'Prefix' && matchesPath(a, b.value));
}

function coversPath(outer: PathRule, inner: PathRule): boolean {
  if (outer.type === 'Prefix' && outer.value === '/') return true;
  if (inner.type === 'RegularExpression') return outer.type === inner.type && outer.value === inner.value;
  return matchesPath(outer, inner.value) && (inner.type === 'Exact' || outer.type === 'Prefix');
}

/** Only two different exact values of one header keep requests apart. */
function headersOverlap(a: readonly HeaderRule[], b: readonly HeaderRule[]): boolean {
  return !a.some((one) =>
    b.some(
      (other) => one.name === other.name && one.type === 'Exact' && other.type === 'Exact' && one.value !== other.value,
    ),
  );
}

function isSameHeader(a: HeaderRule, b: HeaderRule): boolean {
  return a.name === b.name && a.type === b.type && a.value === b.value;
}

function intersect<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.some((item) => b.includes(item));
}

function contains<T>(outer: readonly T[], inner: readonly T[]): boolean {
  return inner.every((item) => outer.includes(item));
}
