import { Transform } from 'node:stream';

/** Passes at most so many bytes, and fails with the next one. */
export function createByteLimit(most: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > most) done(new Error(`more than ${most} bytes`));
      else done(null, chunk);
    },
  });
}
