import { isList, isObject, type JsonObject, type JsonValue } from './json.ts';

/**
 * What a rule looks at must be what the tool takes. Some tools read names of keys without regard to case (Go's encoding/json, which of two
 * spellings takes the last), some turn a list into a text, and what stands at a URI with ".." in it is not what its beginning says. A request
 * that could be read in two ways cannot be judged.
 */

/** The keys of params by which rules are chosen, and what stands there. */
const NAMING = [
  ['name', 'text'],
  ['uri', 'text'],
  ['arguments', 'map'],
] as const;

/** Throws where params could name something else to the tool than they name here. */
export function checkNaming(params: JsonObject): void {
  for (const [key, kind] of NAMING) {
    checkSpelling(params, key);
    const value = Object.hasOwn(params, key) ? params[key] : undefined;
    if (value === undefined || value === null) continue;
    if (kind === 'text' ? typeof value !== 'string' : !isObject(value)) throw new Error(`its ${key} is no ${kind}`);
  }
}

/** Throws where a key of `holder` is `name` but for upper and lower case. */
export function checkSpelling(holder: JsonValue, name: string): void {
  if (!isObject(holder)) return;
  for (const key of Object.keys(holder)) {
    if (key.length !== name.length || key === name || folded(key) !== folded(name)) continue;
    throw new Error(`it says ${JSON.stringify(key)}, which a tool may take for ${JSON.stringify(name)}`);
  }
}

/** Simple case folding, in which the long s and the Kelvin sign are letters as others. */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** Throws where a URI is not in normal form, as far as names of resources are told apart by it (RFC 3986 section 6.2.2). */
export function checkUri(uri: string): void {
  const isOddFile = /^file:/i.test(uri) && !/^file:\/\/\/(?!\/)/.test(uri);
  if (!isOddFile && !DOT_SEGMENT.test(uri) && !NEEDLESS.test(uri)) return;
  throw new Error(
    'its URI is not in normal form: without "." and ".." in its path, without needless escapes, file:///…',
  );
}

const DOT_SEGMENT = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\?#]|%2f|%5c|$)/i;
/** Unreserved characters (RFC 3986 section 2.3) behind a percent sign. */
const NEEDLESS = /%(?:2[de]|3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\dae])/i;

/** What a tool may make of a value: itself, or what a list holds in place of a text. */
export function readingsOf(value: JsonValue): readonly JsonValue[] {
  const readings = [value];
  for (const reading of readings) if (isList(reading)) for (const item of reading) readings.push(item);
  return readings;
}
