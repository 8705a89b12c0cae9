import { type Form, formsOf, type NamedSecret, secretParts } from './forms.ts';
import { createSecretStream, type SecretStream, type StreamMode } from './stream.ts';
import { eachCandidate, hashTable, windowHash } from './window.ts';

/** A place where a known secret stands. */
export interface Match {
  /** Name of the secret. */
  readonly name: string;
  /** How it was written there: `as it is`, `base64`, … */
  readonly encoding: string;
  /** Offset of its first byte. */
  readonly start: number;
  /** Offset after its last byte. */
  readonly end: number;
}

/** Finds the secrets that this process holds, in every form. */
export interface Matcher {
  /** All matches, by their begin; they may overlap. */
  find(bytes: Uint8Array): readonly Match[];
  /** Watches a stream of bytes; `refuse` lets nothing pass from the first match on, `redact` writes `*` over each match. */
  stream(mode: StreamMode): SecretStream;
  /** Secrets that are too short to be looked for (less than 8 bytes). */
  readonly leftOut: readonly string[];
}

/** A form of a secret, and whose it is. */
export interface Needle extends Form {
  readonly name: string;
}

const LONGEST_WINDOW = 16;

/** A matcher of `secrets`, whose values stay in memory: for the daemon that holds them anyway. */
export function matcherOf(secrets: readonly NamedSecret[]): Matcher {
  const needles = secrets.flatMap(needlesOf);
  const leftOut = secrets.filter((secret) => needlesOf(secret).length === 0).map(({ name }) => name);
  if (needles.length === 0)
    return { find: () => [], stream: (mode) => createSecretStream([], () => [], mode), leftOut };
  const window = Math.min(LONGEST_WINDOW, ...needles.map(({ bytes }) => bytes.length));
  const byHash = Map.groupBy(needles, ({ bytes }) => windowHash(bytes, window));
  const search = { length: window, table: hashTable(byHash.keys()) };

  function find(bytes: Uint8Array): readonly Match[] {
    const matches: Match[] = [];
    eachCandidate(bytes, search, (start, hash) => {
      for (const needle of byHash.get(hash) ?? []) {
        const end = start + needle.bytes.length;
        if (end <= bytes.length && needle.bytes.compare(bytes, start, end) === 0) {
          matches.push({ name: needle.name, encoding: needle.encoding, start, end });
        }
      }
    });
    return matches;
  }

  return { find, stream: (mode) => createSecretStream(needles, find, mode), leftOut };
}

function needlesOf({ name, value }: NamedSecret): readonly Needle[] {
  return secretParts(value).flatMap((part) => formsOf(part).map((form) => ({ name, ...form })));
}
