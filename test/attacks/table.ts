import { ATTACKS_BY_AIM } from './attacks/all.ts';

/** The table of docs/attacks.md, made of the attacks themselves: `node test/attacks/table.ts` prints it. */
export function attackTable(): string {
  return Object.entries(ATTACKS_BY_AIM)
    .map(([aim, attacks]) => {
      const rows = attacks.map(({ name, trace, twin }) => {
        const said = 'source' in trace ? 'logged' : trace.none;
        return `| ${cell(name)} | ${cell(said)} | ${cell(twin.without)} |`;
      });
      return [
        `### ${aim} (${attacks.length})`,
        '',
        '| what holds | log | the guard that is off in its twin |',
        '| --- | --- | --- |',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === import.meta.filename) process.stdout.write(`${attackTable()}\n`);
