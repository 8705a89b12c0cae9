import type { Match, Matcher } from '../known-secrets/matcher.ts';
import { createEscapedWatch } from './escaped-watch.ts';
import { type Sighting, sightingsOf } from './secrets.ts';
import type { BodyWatch, Refused, WatchStep } from './verdict.ts';

export interface BodyWatchOptions {
  readonly matcher: Matcher;
  /** What happens to a known secret: the request is cut off, or stars go out in its place. A canary is never redacted. */
  readonly onMatch: 'block' | 'redact';
  /** Bytes that the body may have; undefined where the route sets no limit. */
  readonly limit: number | undefined;
  /** Told of what was found, a bounded number of times. */
  readonly found: (sighting: Sighting, action: 'blocked' | 'redacted') => void;
  /** The refusal of a body that holds this. */
  readonly refusal: (sighting: Sighting) => Refused;
  /** The refusal of a body that is over the limit. */
  readonly tooLarge: () => Refused;
}

/** Sightings of one body that are told. */
const MOST_TOLD = 8;

/** Watches one body for known secrets. As many bytes pass as come in. */
export function createBodyWatch(options: BodyWatchOptions): BodyWatch {
  const { matcher, onMatch, limit = Number.POSITIVE_INFINITY, found, refusal, tooLarge } = options;
  const stream = matcher.stream(onMatch === 'block' ? 'refuse' : 'redact');
  const escaped = createEscapedWatch(matcher);
  let received = 0;
  let told = 0;
  let refused: WatchStep | undefined;

  function push(chunk: Buffer): WatchStep {
    if (refused !== undefined) return refused;
    const before = received;
    received += chunk.length;
    if (received > limit) return refuse(tooLarge());
    const { safe, matches } = stream.push(chunk);
    if (matches.length === 0) return pass(safe);
    const places = matches.map((match) => shifted(match, before));
    const sightings = sightingsOf(matcher, chunk, places);
    const fatal = sightings.find(({ isCanary }) => onMatch === 'block' || isCanary);
    tell(sightings, fatal === undefined ? 'redacted' : 'blocked');
    return fatal === undefined ? pass(safe) : refuse(refusal(fatal));
  }

  function pass(bytes: Buffer): WatchStep {
    return passUnless(escaped.push(bytes), bytes);
  }

  /** What would leave, unless escapes in it hide a secret: then there is no place for stars, whatever the route says. */
  function passUnless(sightings: readonly Sighting[], bytes: Buffer): WatchStep {
    const [first] = sightings;
    if (first === undefined) return { kind: 'pass', bytes };
    tell(sightings, 'blocked');
    return refuse(refusal(first));
  }

  function refuse(refusalOfBody: Refused): WatchStep {
    refused = { kind: 'refuse', refusal: refusalOfBody };
    return refused;
  }

  function tell(sightings: readonly Sighting[], action: 'blocked' | 'redacted'): void {
    const most = action === 'blocked' ? MOST_TOLD : MOST_TOLD - told;
    for (const sighting of sightings.slice(0, most)) {
      told += 1;
      found(sighting, action);
    }
  }

  function end(): WatchStep {
    if (refused !== undefined) return refused;
    const { safe } = stream.end();
    return passUnless(escaped.end(safe), safe);
  }

  return { push, end };
}

/** A match of the stream, as offsets of the chunk that completed it. */
function shifted(match: Match, before: number): Match {
  return { ...match, start: match.start - before, end: match.end - before };
}
