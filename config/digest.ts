import { hash } from 'node:crypto';
import { readTextFile } from './files.ts';

/** SHA-256 of a text, in hex: by it one can see whether a file is the one that is in force. */
export function digestOf(text: string): string {
  return hash('sha256', text);
}

/** {@link digestOf} of what a configuration file holds; undefined where it cannot be read as one. */
export function digestOfFile(file: string): string | undefined {
  const read = readTextFile(file);
  return read.ok ? digestOf(read.text) : undefined;
}
