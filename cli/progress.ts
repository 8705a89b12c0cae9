import { visible } from './visible.ts';

/** Tells a person at the terminal what comes next. */
export function tellProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${visible(text)} …\n`);
}
