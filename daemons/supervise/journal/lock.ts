import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Lets go of the lock. The kernel does it too, when the process ends, however it ends. */
export type Unlock = () => void;

/**
 * Makes this process the only writer in `directory`. Node has no call for file locks, so SQLite takes one: a lock of the kernel, which
 * no crash leaves behind. Returns undefined where another process has it; throws where none can be taken.
 */
export function lockDirectory(directory: string): Unlock | undefined {
  const file = join(directory, 'lock');
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw new Error(`cannot open ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw new Error(`cannot lock ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
