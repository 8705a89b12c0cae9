import { covered } from '../known-secrets/cover.ts';
import { type NamedSecret, SHORTEST_FORM } from '../known-secrets/forms.ts';
import { type Match, type Matcher, matcherOf } from '../known-secrets/matcher.ts';
import type { Credentials } from './credentials.ts';
import { CANARY_NAME } from './settings.ts';

/** All that must not go out by the agent's hand, and the ways to look for it. */
export interface Secrets {
  readonly isEmpty: boolean;
  /** Looks for a secret in every form in which it may be written. */
  readonly matcher: Matcher;
  /** The same, and in lower case as well: for hosts and names of headers, which have no upper case on the wire. */
  readonly foldedMatcher: Matcher;
  /** The secrets themselves, for those who take fingerprints of them. */
  readonly named: readonly NamedSecret[];
  /** Names of those that ordinary text could hold as well, so that they are not looked for as they are. */
  readonly tooShort: readonly string[];
  /** The text with `*` over each known secret; as long as it was. Expects what came over the wire: no character beyond U+00FF. */
  mask(text: string): string;
}

/** A known secret on its way out. */
export interface Sighting {
  /** The name of the credential, e.g. `EGRESS_TOKEN_0`. */
  readonly secret: string;
  readonly isCanary: boolean;
  /** How it was written: `as it is`, `base64`, … */
  readonly encoding: string;
  /** What stood around it, with the secret as `********`; itself free of known secrets. */
  readonly evidence: string;
}

/** Collects what must not go out: each token, the password of one that is `user:password`, plain or in base64, and the canary. */
export function secretsOf({ tokens, canary }: Credentials): Secrets {
  const named = [
    ...[...tokens].flatMap(([name, value]) => partsOf(value).map((part) => ({ name, value: part }))),
    ...(canary === undefined ? [] : [{ name: CANARY_NAME, value: canary }]),
  ];
  const matcher = matcherOf(named);
  const lowerCase = named.map(({ name, value }) => ({ name, value: value.toLowerCase() }));
  const foldedMatcher = matcherOf([...named, ...lowerCase]);
  return {
    isEmpty: named.length === 0,
    matcher,
    foldedMatcher,
    named,
    tooShort: [...tokens].filter(([, value]) => value.length < SHORTEST_FORM).map(([name]) => name),
    mask: (text) => covered(text, foldedMatcher.find, ({ start, end }) => '*'.repeat(end - start), 'latin1'),
  };
}

/** Secrets in a text, with what stands around each. */
export function sightingsIn(matcher: Matcher, text: string): readonly Sighting[] {
  const bytes = Buffer.from(text, 'latin1');
  return sightingsOf(matcher, bytes, matcher.find(bytes));
}

/** Secrets of one piece that are told; a piece that holds more is no less refused. */
const MOST_SIGHTINGS = 8;

/** `matches` in `bytes`, told without any of them, the canary first. The matches may begin before the bytes or end after them. */
export function sightingsOf(matcher: Matcher, bytes: Buffer, matches: readonly Match[]): readonly Sighting[] {
  if (matches.length === 0) return [];
  const covered = Buffer.from(bytes);
  for (const { start, end } of matches) covered.fill('*', Math.max(0, start), Math.min(end, bytes.length));
  // What could be the beginning of one more secret is held back by the stream, and so is not shown.
  const shown = matcher.stream('redact').push(covered).safe.toString('latin1');
  const seen = new Set<string>();
  const sightings: Sighting[] = [];
  const inOrder = matches.toSorted((a, b) => Number(b.name === CANARY_NAME) - Number(a.name === CANARY_NAME));
  for (const { name, encoding, start, end } of inOrder) {
    if (sightings.length === MOST_SIGHTINGS || seen.has(name)) continue;
    seen.add(name);
    const before = shown.slice(Math.max(0, start - CONTEXT), Math.max(0, start));
    const evidence = `${before}${HIDDEN}${shown.slice(Math.max(0, end), end + CONTEXT)}`.replace(NOT_PRINTABLE, '.');
    sightings.push({ secret: name, isCanary: name === CANARY_NAME, encoding, evidence });
  }
  return sightings;
}

/** Characters on each side of a secret that a log shows. */
const CONTEXT = 40;

const HIDDEN = '********';

const NOT_PRINTABLE = /[^\x20-\x7e]/g;

function partsOf(token: string): readonly string[] {
  const colon = token.indexOf(':');
  if (colon !== -1) return [token, token.slice(colon + 1)];
  const account = Buffer.from(token, 'base64').toString('latin1');
  const isAccount = ACCOUNT.test(account) && Buffer.from(account, 'latin1').toString('base64') === token;
  return isAccount ? [token, ...partsOf(account)] : [token];
}

/** `user:password`, as a credential for Basic may hold it in base64. Of random bytes in base64 none comes out as this. */
const ACCOUNT = /^[\x20-\x7e]*:[\x20-\x7e]+$/;
