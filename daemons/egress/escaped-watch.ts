import type { Matcher } from '../known-secrets/matcher.ts';
import { base64Lines } from '../scanner/encoded.ts';
import { outerLayer } from '../scanner/layer.ts';
import { unescaped } from '../scanner/unescape.ts';
import { type Sighting, sightingsOf } from './secrets.ts';

/**
 * Looks for known secrets in what leaves where escapes hide them, be it in one character (`%67`, `\u0067`, `&#103;`, what does not show), or line
 * breaks in base64, as programs put them in every 64 or 76 characters.
 */
export interface EscapedWatch {
  /** The next piece that is about to leave: the secrets that are seen now, the canary first. */
  push(leaving: Buffer): readonly Sighting[];
  /** The same for the last piece: all is seen now. */
  end(leaving: Buffer): readonly Sighting[];
}

/** How much of what has left is looked at again with what comes next: more than 512 characters that are six bytes each. */
const REACH = 4096;

/** Smaller pieces wait for each other: for each of a few bytes, thousands would be looked at again. */
const SMALLEST_LOOK = 2048;

/**
 * Since nobody can tell which escapes or lines will make a secret, nothing is held back for them: all of one may have left when it is seen, but
 * not the end of the body, without which nobody upstream passes it on.
 */
export function createEscapedWatch(matcher: Matcher): EscapedWatch {
  /** What has been looked at and is looked at again, and behind it what waits: kept in one place, for each body passes here in many pieces. */
  let held: Buffer = Buffer.allocUnsafe(0);
  let seen = 0;
  let filled = 0;

  function take(leaving: Buffer): void {
    if (filled + leaving.length > held.length) {
      const larger = Buffer.allocUnsafe(Math.max(filled + leaving.length, 2 * held.length));
      held.copy(larger, 0, 0, filled);
      held = larger;
    }
    filled += leaving.copy(held, filled);
  }

  function look(): readonly Sighting[] {
    if (filled === seen) return [];
    const bytes = held.subarray(0, filled);
    const readable = unescaped(outerLayer(bytes));
    const escaped = readable === undefined ? [] : sightingsIn(readable.bytes);
    const sightings = escaped.length > 0 ? escaped : sightingsIn(base64Lines(bytes));
    seen = Math.min(filled, REACH);
    held.copyWithin(0, filled - seen, filled);
    filled = seen;
    return sightings;
  }

  function sightingsIn(bytes: Buffer): readonly Sighting[] {
    return sightingsOf(matcher, bytes, matcher.find(bytes));
  }

  return {
    push(leaving) {
      take(leaving);
      return filled - seen < SMALLEST_LOOK ? [] : look();
    },
    end(leaving) {
      take(leaving);
      return look();
    },
  };
}
