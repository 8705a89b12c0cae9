import { hash, randomBytes } from 'node:crypto';
import { type NamedSecret, secretParts } from './forms.ts';
import type { Match } from './matcher.ts';
import { eachCandidate, hashTable, windowHash } from './window.ts';

/** By how many bytes at its begin a secret is recognised; a shorter one could be guessed from its fingerprint. */
export const SHORTEST_FINGERPRINT = 16;

/** By what a secret is recognised by who must not know it. */
export interface SecretFingerprint {
  readonly name: string;
  /** In bytes. */
  readonly length: number;
  /** Hash of its first 16 bytes, of 16 bits: enough to find the few places that are worth a SHA-256, too few to help in guessing. */
  readonly window: number;
  /** SHA-256 (hex) of the salt and the secret. */
  readonly sha256: string;
}

/** Fingerprints of secrets; can be written down as JSON and read by the daemons that look for them. */
export interface KnownSecrets {
  readonly version: 1;
  /** 16 random bytes, in hex. */
  readonly salt: string;
  readonly secrets: readonly SecretFingerprint[];
  /** Names of secrets that are shorter than 16 bytes and so cannot be recognised. */
  readonly leftOut: readonly string[];
}

/** Finds secrets of which only the fingerprints are known, as they are: whoever looks for encoded ones decodes first. */
export interface FingerprintFinder {
  /** By their begin. */
  find(bytes: Uint8Array): readonly Match[];
}

/**
 * Fingerprints of `secrets` under a new random salt. One for each secret and not one for each way to write it: every further hash of the
 * same secret would tell more of it.
 */
export function fingerprintsOf(secrets: readonly NamedSecret[]): KnownSecrets {
  const salt = randomBytes(16);
  const fingerprints = secrets.flatMap(({ name, value }) =>
    secretParts(value)
      .map((part) => Buffer.from(part))
      .filter((bytes) => bytes.length >= SHORTEST_FINGERPRINT)
      .map((bytes) => ({
        name,
        length: bytes.length,
        window: windowHash(bytes, SHORTEST_FINGERPRINT),
        sha256: saltedHash(salt, bytes),
      })),
  );
  const found = new Set(fingerprints.map(({ name }) => name));
  const leftOut = secrets.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  return { version: 1, salt: salt.toString('hex'), secrets: fingerprints, leftOut };
}

/** A finder of the secrets that have these fingerprints. */
export function finderOf(known: KnownSecrets): FingerprintFinder {
  const salt = Buffer.from(known.salt, 'hex');
  const byWindow = Map.groupBy(known.secrets, ({ window }) => window);
  const search = { length: SHORTEST_FINGERPRINT, table: hashTable(byWindow.keys()) };

  return {
    find(bytes) {
      const matches: Match[] = [];
      if (known.secrets.length === 0) return matches;
      eachCandidate(bytes, search, (start, window) => {
        for (const secret of byWindow.get(window) ?? []) {
          const end = start + secret.length;
          if (end <= bytes.length && saltedHash(salt, bytes.subarray(start, end)) === secret.sha256) {
            matches.push({ name: secret.name, encoding: 'as it is', start, end });
          }
        }
      });
      return matches;
    },
  };
}

function saltedHash(salt: Buffer, bytes: Uint8Array): string {
  return hash('sha256', Buffer.concat([salt, bytes]), 'hex');
}
