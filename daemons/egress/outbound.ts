import type { Matcher } from '../known-secrets/matcher.ts';
import { type Secrets, type Sighting, sightingsIn } from './secrets.ts';
import type { RawHeaders } from './verdict.ts';

/** What of a request goes out before its body. */
export interface Head {
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: RawHeaders;
}

/** A known secret in the head of a request. */
export interface HeadSighting extends Sighting {
  /** `host`, `path`, `query`, or `header` or `trailer` and its name. */
  readonly where: string;
}

/** Known secrets in the head of a request: as it is, and with percent-encoding undone as often as servers might. */
export function sightingsInHead(secrets: Secrets, { host, target, headers }: Head): readonly HeadSighting[] {
  if (secrets.isEmpty) return [];
  const [path, query] = splitTarget(target);
  return [
    ...placed('host', sightingsIn(secrets.foldedMatcher, host)),
    ...placed('path', sightingsInEncoded(secrets.matcher, path)),
    ...placed('query', sightingsInEncoded(secrets.matcher, query)),
    ...sightingsInFields(secrets, headers, 'header'),
  ];
}

/** The head with stars over each known secret in query and headers. Host and path stay: with stars they would mean another place. */
export function redactedHead<T extends Head>(secrets: Secrets, head: T): T {
  const [path, query] = splitTarget(head.target);
  return { ...head, target: path + secrets.mask(query), headers: maskedHeaders(secrets, head.headers) };
}

/** The same headers with stars over each known secret. */
export function maskedHeaders(secrets: Secrets, headers: RawHeaders): RawHeaders {
  return holdsNone(secrets, headers) ? headers : headers.map(secrets.mask);
}

/** The headers of an answer as the agent may see them. Where a secret shows only once percent-encoding is undone, the whole value is stars. */
export function shownHeaders(secrets: Secrets, headers: RawHeaders): RawHeaders {
  const masked = maskedHeaders(secrets, headers);
  if (!masked.some((text) => text.includes('%'))) return masked;
  return masked.map((text) => (holdsEncoded(secrets, text) ? '*'.repeat(text.length) : text));
}

function holdsEncoded({ matcher }: Secrets, text: string): boolean {
  return text.includes('%') && sightingsInEncoded(matcher, text).length > 0;
}

/** Known secrets in headers, or in trailers: `kind` says which. */
export function sightingsInFields(
  secrets: Secrets,
  headers: RawHeaders,
  kind: 'header' | 'trailer',
): readonly HeadSighting[] {
  if (holdsNone(secrets, headers)) return [];
  const sightings: HeadSighting[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name = '', value = ''] = [headers[at], headers[at + 1]];
    const where = `${kind} ${secrets.mask(name).slice(0, LONGEST_NAME)}`;
    sightings.push(
      ...placed(where, [...sightingsIn(secrets.foldedMatcher, name), ...sightingsIn(secrets.matcher, value)]),
    );
  }
  return sightings;
}

const LONGEST_NAME = 100;

/** One look at all of them, since next to no request holds a secret. */
function holdsNone({ foldedMatcher }: Secrets, headers: RawHeaders): boolean {
  return foldedMatcher.find(Buffer.from(headers.join('\n'), 'latin1')).length === 0;
}

/** As often as a chain of servers might decode. */
const MOST_DECODINGS = 3;

function sightingsInEncoded(matcher: Matcher, text: string): readonly Sighting[] {
  let plain = text;
  let sightings = sightingsIn(matcher, plain);
  for (let round = 0; round < MOST_DECODINGS && sightings.length === 0 && plain.includes('%'); round += 1) {
    plain = plain.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    sightings = sightingsIn(matcher, plain);
  }
  return sightings;
}

function placed(where: string, sightings: readonly Sighting[]): readonly HeadSighting[] {
  return sightings.map((sighting) => ({ ...sighting, where }));
}

function splitTarget(target: string): readonly [string, string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at)];
}
