import { statSync } from 'node:fs';
import { readKnownSecrets } from '../known-secrets/file.ts';
import { type FingerprintFinder, finderOf } from '../known-secrets/fingerprints.ts';

/** The secrets of all files as they are now, or which file cannot be used and why. */
export type KnownNow =
  | { readonly ok: true; readonly finders: readonly FingerprintFinder[] }
  | { readonly ok: false; readonly reason: string };

interface Loaded {
  /** Tells one state of the file from another. */
  readonly state: string;
  readonly finder: FingerprintFinder;
}

/**
 * Gives the secrets whose fingerprints stand in `files`, and reads a file again when it has changed. Where not `required`, a file that is missing
 * or cannot be used counts as empty.
 */
export function knownSecretsOf(files: readonly string[], required: boolean): () => KnownNow {
  const loaded = new Map<string, Loaded>();

  return () => {
    const finders: FingerprintFinder[] = [];
    for (const file of files) {
      const state = stateOf(file);
      const before = loaded.get(file);
      if (state !== undefined && before?.state === state) {
        finders.push(before.finder);
        continue;
      }
      loaded.delete(file);
      const read = readKnownSecrets(file);
      if (read.ok) {
        const finder = finderOf(read.known);
        if (state !== undefined) loaded.set(file, { state, finder });
        finders.push(finder);
      } else if (required) {
        return { ok: false, reason: `the file of known secrets ${file} ${read.reason}` };
      }
    }
    return { ok: true, finders };
  };
}

/** `undefined` where nothing can be said: it is read then, and the reading says why it cannot be. */
function stateOf(file: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return undefined;
  }
}
