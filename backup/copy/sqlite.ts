import { existsSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { Gone } from './file.ts';

/** Copies a database by SQLite's own backup, which is whole also while others write, and checks the copy. Throws one line. */
export async function copySqlite(from: string, to: string): Promise<void> {
  const database = opened(from);
  try {
    await backup(database, to);
  } catch (error) {
    throw new Error(`cannot copy the database ${from}: ${reason(error)}; end what keeps it locked, and try again`);
  } finally {
    database.close();
  }
  const copy = new DatabaseSync(to);
  try {
    const [row] = copy.prepare('PRAGMA quick_check(1)').all();
    const said = row === undefined ? 'nothing' : String(Object.values(row)[0]);
    if (said !== 'ok')
      throw new Error(`the database ${from} is damaged: ${said}; mend it first, with sqlite3 .recover say`);
  } finally {
    copy.close();
  }
}

function opened(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  } catch (error) {
    if (!existsSync(path)) throw new Gone(path);
    throw new Error(`cannot open the database ${path}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
