import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** age(1), the standard tool by which archives are encrypted: https://age-encryption.org/v1 */

/** How an encrypted file begins. */
export const AGE_MAGIC = Buffer.from('age-encryption.org/v1\n');

/**
 * Gives `write` what leads to `output`: through age for a recipient (a public key, or a file of them), directly without one. Throws one line.
 */
export async function encrypted(
  recipient: string | undefined,
  output: Writable,
  write: (target: Writable) => Promise<void>,
): Promise<void> {
  if (recipient === undefined) return write(output);
  const age = spawn('age', ['--encrypt', existsSync(recipient) ? '-R' : '-r', recipient], { stdio: 'pipe' });
  const ended = endOf(age, 'cannot encrypt');
  // Where age ends early, its own words say why, and the broken pipe does not.
  await Promise.all([ended, write(age.stdin).catch(() => ended), pipeline(age.stdout, output)]);
}

/** What is in an encrypted file, for the holder of an identity. `ended` rejects with one line where it cannot be read. */
export function decrypted(
  file: string,
  identity: string,
): { readonly text: Readable; readonly ended: Promise<void>; stop(): void } {
  const age = spawn('age', ['--decrypt', '-i', identity, '--', file], { stdio: ['inherit', 'pipe', 'pipe'] });
  return { text: age.stdout, ended: endOf(age, 'cannot decrypt'), stop: () => void age.kill() };
}

const MOST_WORDS = 2_000;

function endOf(age: ChildProcess, failure: string): Promise<void> {
  let words = '';
  age.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(0, MOST_WORDS);
  });
  return new Promise((resolve, reject) => {
    age.on('error', (error) => {
      const missing = 'code' in error && error.code === 'ENOENT';
      const reason = missing ? 'age is not installed (https://age-encryption.org); install it' : error.message;
      reject(new Error(`${failure}: ${reason}`));
    });
    age.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${failure}: ${words.trim().split('\n')[0] || `age ended with ${code}`}`));
    });
  });
}
