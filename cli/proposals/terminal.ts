import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failure.ts';

/** Whether somebody is there who can be asked. */
export function isAtTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Asks for a yes; anything else is a no, and so is the end of the input. */
export async function confirm(question: string): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stdout });
  const gone = new AbortController();
  asking.on('close', () => gone.abort());
  try {
    return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `, { signal: gone.signal })).trim());
  } catch {
    return false;
  } finally {
    asking.close();
  }
}

/** Opens the operator's editor on a text. Returns what it was made; throws where the editor did not end well. */
export async function editText(name: string, text: string): Promise<string> {
  const editor = process.env.VISUAL || process.env.EDITOR || 'vi';
  const directory = mkdtempSync(join(tmpdir(), 'bottled-edit-'));
  const file = join(directory, name);
  try {
    writeFileSync(file, text, { mode: 0o600 });
    // As git does it: the variable may hold options, and even a small script.
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
    const code = await new Promise<number | null>((resolve, reject) => child.on('exit', resolve).on('error', reject));
    if (code !== 0)
      throw new Failure(EXIT.failed, `the editor (${editor}) ended with ${code ?? 'a signal'}; nothing was decided`);
    return readFileSync(file, 'utf8');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Who decides, for the log: behind sudo the one who called it. */
export function whoami(): string {
  const { SUDO_USER } = process.env;
  if (SUDO_USER) return SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
