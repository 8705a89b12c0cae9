import type { Matcher } from '../known-secrets/matcher.ts';
import { outerLayer } from '../scanner/layer.ts';
import { unescaped } from '../scanner/unescape.ts';
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

/** Known secrets in the head of a request: as it is, and with percent-encoding and other escapes undone as often as servers might. */
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

/** The headers of an answer as the agent may see them. */
export function shownHeaders(secrets: Secrets, headers: RawHeaders): RawHeaders {
  return holdsNone(secrets, headers) ? headers : headers.map((text) => shownText(secrets, text));
}

/** The text with stars over each known secret. Where one shows only once escapes are undone, all of it is stars. */
export function shownText(secrets: Secrets, text: string): string {
  const masked = secrets.mask(text);
  return isEscaped(masked) && sightingsInEncoded(secrets.matcher, masked).length > 0
    ? '*'.repeat(masked.length)
    : masked;
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
      ...placed(where, [
        ...sightingsInEncoded(secrets.foldedMatcher, name),
        ...sightingsInEncoded(secrets.matcher, value),
      ]),
    );
  }
  return sightings;
}

const LONGEST_NAME = 100;

/** One look at all of them, since next to no request holds a secret. */
function holdsNone({ foldedMatcher }: Secrets, headers: RawHeaders): boolean {
  const text = headers.join('\n');
  return !isEscaped(text) && foldedMatcher.find(Buffer.from(text, 'latin1')).length === 0;
}

/** As often as a chain of servers might decode. */
const MOST_DECODINGS = 3;

/** Each secret once, in whichever reading it shows: one that shows at once must not hide another that is encoded. */
function sightingsInEncoded(matcher: Matcher, text: string): readonly Sighting[] {
  if (!isEscaped(text)) return sightingsIn(matcher, text);
  const sightings = new Map<string, Sighting>();
  for (const sighting of readingsOf(text).flatMap((plain) => sightingsIn(matcher, plain))) {
    if (!sightings.has(sighting.secret)) sightings.set(sighting.secret, sighting);
  }
  return [...sightings.values()];
}

/** The text as it is, with percent-encoding undone again and again, and each of these without the escapes of other notations. */
function readingsOf(text: string): readonly string[] {
  const readings = [text];
  let plain = text;
  for (let round = 0; round < MOST_DECODINGS && plain.includes('%'); round += 1) {
    plain = plain.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    readings.push(plain);
  }
  return readings.flatMap((each) => {
    const readable = OTHER_ESCAPES.test(each) ? unescaped(outerLayer(Buffer.from(each, 'latin1'))) : undefined;
    return readable === undefined ? [each] : [each, readable.bytes.toString('latin1')];
  });
}

function isEscaped(text: string): boolean {
  return text.includes('%') || OTHER_ESCAPES.test(text);
}

/** What may begin an escape that is no percent-encoding, or a character that does not show. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: zero bytes between letters hide them.
const OTHER_ESCAPES = /\\|&#|%u|[^\x01-\x7f]/i;

function placed(where: string, sightings: readonly Sighting[]): readonly HeadSighting[] {
  return sightings.map((sighting) => ({ ...sighting, where }));
}

function splitTarget(target: string): readonly [string, string] {
  const at = target.indexOf('?');
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at)];
}
