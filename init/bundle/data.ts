import * as z from 'zod/mini';
import { key, refuse } from '../../config/values.ts';

/**
 * How data is got back when it is lost: from git, from other sources by a start, from a backup only, or not at all. Data of
 * which nobody has said anything has to be backed up.
 */
export const BACKUP_CLASSES = ['git', 'reproducible', 'must-back-up', 'disposable'] as const;

const written = z.string();
z.globalRegistry.add(written, { pattern: '^[0-7]{3,4}$' });

/** Permissions of a directory, as chmod(1) takes them. */
const mode = z.codec(written, z.int().check(z.minimum(0), z.maximum(0o7777)), {
  decode: (text, payload) =>
    /^[0-7]{3,4}$/.test(text)
      ? Number.parseInt(text, 8)
      : refuse(payload, 'is not a mode of chmod; write three or four octal digits: "0700"'),
  encode: modeText,
});

const backup = z.enum(BACKUP_CLASSES);

/** One entry of a daemon's `data`: a path, or a path with what is to be known of it. */
export const dataDirectory = z.codec(
  z.union([
    z.string(),
    z.strictObject({
      path: key(z.string(), 'The directory. Relative to the bundle file; empty: none.'),
      mode: key(z.optional(mode), 'Its permissions, where the init makes it; "0700" by default.'),
      backup: key(
        z.optional(backup),
        'git: it is kept in git; reproducible: a start makes it anew from elsewhere; must-back-up (default); disposable.',
      ),
      purpose: key(z.optional(z.string()), 'What is in it, for a human.'),
    }),
  ]),
  z.strictObject({ path: z.string(), mode: z.number(), backup, purpose: z.string() }),
  {
    decode: (value) => {
      const { path, mode: asked, backup: named, purpose } = typeof value === 'string' ? { path: value } : value;
      return { path, mode: asked ?? 0o700, backup: named ?? 'must-back-up', purpose: purpose ?? '' };
    },
    encode: (value) => value,
  },
);

/** `0700`. */
export function modeText(bits: number): string {
  return bits.toString(8).padStart(4, '0');
}
