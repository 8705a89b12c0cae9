import { join } from 'node:path';
import { verifyLog } from '../../daemons/supervise/journal/verify.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';
import type { Desk } from './desk.ts';

/** Checks that nobody has changed the log. Asks no daemon: `file` is a file of the log, or its directory. */
export async function verify({ values, place }: Desk, file: string | undefined): Promise<ExitCode> {
  const path = file ?? join(place.data, 'supervise');
  const found = check(path);
  if (values.json) await print(`${JSON.stringify(found)}\n`);
  if (found.ok) {
    const { count, first, last, tornBytes } = found;
    const torn = tornBytes === 0 ? '' : `; behind them are ${tornBytes} bytes of a record that nobody was told of`;
    const text = `${path}: ${count} records from ${first} to ${last.seq} follow one another unchanged${torn}\nthe last one has the hash ${last.hash}\n`;
    if (!values.json) await print(text);
    return EXIT.ok;
  }
  const { file: where, line, offset, seq, reason } = found.broken;
  throw new Failure(
    EXIT.failed,
    `${where}:${line}: record ${seq} (byte ${offset}) ${reason}; what comes from there on is not to be believed`,
  );
}

function check(path: string): ReturnType<typeof verifyLog> {
  try {
    return verifyLog(path);
  } catch (error) {
    throw new Failure(
      EXIT.failed,
      `${error instanceof Error ? error.message : error}; name the log: bottled proposals verify FILE`,
    );
  }
}
