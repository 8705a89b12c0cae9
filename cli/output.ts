import { styleText } from 'node:util';
import { visible } from './visible.ts';

type Style = Parameters<typeof styleText>[0];

/** Text in a style where stdout is a terminal that shows it (NO_COLOR, FORCE_COLOR, TERM=dumb respected). */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** True where stdout shows colours. */
export function coloured(): boolean {
  return paint('bold', 'x') !== 'x';
}

/** Writes to stdout. Resolves when it may be given more, so that a stream never piles up in memory. */
export function print(text: string): Promise<void> {
  if (process.stdout.write(text)) return Promise.resolve();
  return new Promise((resolve) => process.stdout.once('drain', resolve));
}

/**
 * Text of a daemon as it may be shown: on a terminal every control character but tab, and all of an escape sequence but
 * colours, is made visible, so that a daemon cannot write to the operator's terminal.
 */
export function shown(text: string): string {
  return process.stdout.isTTY ? visible(text) : text;
}

/** Rows in aligned columns, two spaces apart; the last column is not padded. `styles` by column, for the body. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], style?: CellStyle): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], decorate: (text: string, column: number) => string): string =>
    cells
      .map((cell, column) => decorate(cell, column) + ' '.repeat((widths[column] ?? 0) - cell.length))
      .join('  ')
      .trimEnd();
  const lines = [
    line(head, (text) => paint('bold', text)),
    ...rows.map((row) => line(row, (text, column) => style?.(text, column) ?? text)),
  ];
  return `${lines.join('\n')}\n`;
}

type CellStyle = (text: string, column: number) => string;
