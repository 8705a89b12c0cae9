import { closeSync, ftruncateSync, openSync, readSync, statSync } from 'node:fs';
import { verifyLog } from '../../daemons/supervise/journal/verify.ts';

const CHUNK = 65_536;

/** Cuts what stands behind the last newline: a record that was being written, which nobody was told of yet. */
export function cutTornRecord(file: string): void {
  const fd = openSync(file, 'r+');
  try {
    ftruncateSync(fd, afterLastNewline(fd, statSync(file).size));
  } finally {
    closeSync(fd);
  }
}

function afterLastNewline(fd: number, size: number): number {
  const chunk = Buffer.alloc(CHUNK);
  for (let end = size; end > 0; end -= CHUNK) {
    const begin = Math.max(0, end - CHUNK);
    const read = readSync(fd, chunk, 0, end - begin, begin);
    const at = chunk.subarray(0, read).lastIndexOf(10);
    if (at !== -1) return begin + at + 1;
  }
  return 0;
}

/** Checks every hash of the log in a directory, a copy of `original`. Throws one line where it cannot be believed. */
export function checkJournal(directory: string, original: string): void {
  const verified = verifyLog(directory);
  if (verified.ok) return;
  const { line, seq, reason } = verified.broken;
  throw new Error(
    `the log in ${original} cannot be believed: record ${seq} (line ${line}) ${reason}; see bottled proposals verify ${original}`,
  );
}
