import { covered } from '../../known-secrets/cover.ts';
import type { FingerprintFinder } from '../../known-secrets/fingerprints.ts';
import type { Match } from '../../known-secrets/matcher.ts';
import { decodedTexts } from '../../scanner/encoded.ts';
import { knownSecretsOf } from '../../scanner/known.ts';
import { outerLayer } from '../../scanner/layer.ts';
import { unescaped } from '../../scanner/unescape.ts';

/** The secrets of other daemons, of which only fingerprints are known here. */
export interface ForeignSecrets {
  /** What hides them now. Throws an error for a person where a file of fingerprints cannot be used: then nothing is known to be clean. */
  hider(): Hider;
}

export interface Hider {
  /** Whether one stands in the text: as it is, or in base64, hex or escapes, once encoded. */
  isIn(text: string): boolean;
  /** The text without them. Where one stands encoded the whole text goes, since where it ends is not known. */
  hide(text: string): string;
}

/** Reads `files` (written by egress and others) and reads one again when it has changed. */
export function createForeignSecrets(files: readonly string[]): ForeignSecrets {
  const known = knownSecretsOf(files, true);
  let last: { readonly finders: readonly FingerprintFinder[]; readonly hider: Hider } | undefined;
  return {
    hider() {
      const now = known();
      if (!now.ok) throw new Error(now.reason);
      const { finders } = now;
      const isSame = last?.finders.length === finders.length && finders.every((one, at) => one === last?.finders[at]);
      if (last === undefined || !isSame) last = { finders, hider: hiderOf(finders) };
      return last.hider;
    },
  };
}

function hiderOf(finders: readonly FingerprintFinder[]): Hider {
  const find = (bytes: Buffer): readonly Match[] => finders.flatMap((finder) => finder.find(bytes));

  function encodedIn(text: string): string | undefined {
    const layer = outerLayer(Buffer.from(text));
    const readable = unescaped(layer);
    for (const { bytes } of readable === undefined ? [] : [readable]) {
      const [first] = find(bytes);
      if (first !== undefined) return first.name;
    }
    for (const { bytes } of decodedTexts(layer)) {
      const [first] = find(bytes);
      if (first !== undefined) return first.name;
    }
    return undefined;
  }

  function hide(text: string): string {
    const made = covered(text, find, ({ name }) => `[redacted: ${name}]`);
    const name = encodedIn(made);
    return name === undefined ? made : `[redacted: a text that holds ${name}]`;
  }

  return { isIn: (text) => find(Buffer.from(text)).length > 0 || encodedIn(text) !== undefined, hide };
}
