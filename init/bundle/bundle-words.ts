import type { Words } from '../../config/shape.ts';
import { foreignKeyHint } from './compose-keys.ts';
import { RESERVED_SIGNALS } from './names.ts';

/** Keys whose scalars are taken as they are written: `VERSION: 1.10` stays "1.10", `mode: 0700` keeps its zero. */
export const AS_WRITTEN: ReadonlySet<string> = new Set([
  'environment',
  'labels',
  'command',
  'entrypoint',
  'user',
  'mode',
]);

/** Keys whose values may be secrets, with all that stands below them. */
const PRIVATE = new Set<string | number>(['environment', 'headers', 'labels']);

/** What a bundle file knows of keys that are not its own, and of values that are nobody's business. */
export const BUNDLE_WORDS: Words = {
  unknownKey: (path, key) => {
    const reserved = path.length === 1 && path[0] === 'signals' ? RESERVED_SIGNALS[key] : undefined;
    if (reserved !== undefined) return { message: `cannot be given another meaning: ${reserved}` };
    const hint = foreignKeyHint(key, path.length);
    return hint === undefined ? undefined : { message: 'is not a known key', hint };
  },
  isPrivate: (path) => path[0] === 'secrets' || path.some((part) => PRIVATE.has(part)),
};
