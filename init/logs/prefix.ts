/** What the init calls itself in front of its own lines. */
export const OWN_NAME = 'bottled';

const RESET = '\x1b[0m';
const BOLD = '1';
/** SGR codes of the terminal's own palette, so that they suit a dark and a light background. */
const COLOURS = ['36', '33', '32', '35', '34', '96', '93', '92', '95', '94'];

export interface PrefixOptions {
  readonly colour: boolean;
  /** Characters that the name takes at least. */
  readonly width: number;
}

/** `name   | `, in the colour of the n-th daemon. Starts with a reset: an earlier line may have left its own colour behind. */
export function daemonPrefix(daemon: string, nth: number, options: PrefixOptions): string {
  return prefix(daemon, COLOURS[nth % COLOURS.length] ?? BOLD, options);
}

/** `bottled | `, in bold. */
export function ownPrefix(options: PrefixOptions): string {
  return prefix(OWN_NAME, BOLD, options);
}

function prefix(name: string, code: string, { colour, width }: PrefixOptions): string {
  const column = `${name.padEnd(width)} |`;
  return colour ? `\x1b[0;${code}m${column}${RESET} ` : `${column} `;
}
