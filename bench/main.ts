import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { BRIDGES } from './bridges/all.ts';
import { CONTENDERS } from './contenders/all.ts';
import { GATES } from './gates/all.ts';
import { MEASURES } from './measures/all.ts';
import { PROXIES } from './proxies/all.ts';
import { type Chapter, chapterText, finder, results, verdictsText } from './report.ts';
import { type Bench, run } from './series.ts';
import { judge, TARGETS } from './targets.ts';
import { openWorkshop } from './workshop.ts';

const USAGE = `usage: npm run bench -- [--quick] [--only boot,logs] [--contenders bottled,floor] [--json] [--list]
`;

const EVERYONE = [...CONTENDERS, ...PROXIES, ...GATES, ...BRIDGES];

function options() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        only: { type: 'string' },
        contenders: { type: 'string' },
      },
    });
    const measures = choose('measure', values.only, Object.keys(MEASURES));
    const names = choose(
      'contender',
      values.contenders,
      EVERYONE.map(({ name }) => name),
    );
    return { ...values, measures, names };
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n${USAGE}`);
    process.exit(2);
  }
}

function choose(kind: string, list: string | undefined, known: readonly string[]): readonly string[] {
  if (list === undefined) return known;
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no ${kind} "${unknown}"; there are: ${known.join(', ')}`);
  return names;
}

const { quick, json, list, measures, names } = options();
const absent = EVERYONE.filter(({ name }) => names.includes(name)).flatMap((one) => {
  const reason = one.absent();
  return reason === undefined ? [] : [{ contender: one.name, reason }];
});
/** Those who were asked for and can run here. */
const able = <T extends { readonly name: string }>(all: readonly T[]): readonly T[] =>
  all.filter(({ name }) => names.includes(name) && !absent.some(({ contender }) => contender === name));
const print = (text: string) => {
  if (!json) process.stdout.write(text);
};

function describe(): string {
  const lines = names.map((name) => `  ${name}: ${absent.find((a) => a.contender === name)?.reason ?? 'present'}\n`);
  return `measures: ${measures.join(', ')}\ncontenders:\n${lines.join('')}`;
}

async function bench(): Promise<void> {
  const started = Date.now();
  const workshop = openWorkshop();
  const close = () => workshop.close();
  process.on('exit', close);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`;
  print(`${quick ? 'quick' : 'full'} run on ${machine}\n${describe()}\n`);
  const all: Bench = {
    workshop,
    quick,
    contenders: able(CONTENDERS),
    proxies: able(PROXIES),
    gates: able(GATES),
    bridges: able(BRIDGES),
  };
  const chapters: Chapter[] = [];
  for (const series of measures.flatMap((name) => MEASURES[name]?.(all) ?? [])) {
    const from = Date.now();
    const outcomes = series.skipped === undefined ? await run(series) : [];
    const chapter = { series, outcomes, seconds: (Date.now() - from) / 1000 };
    chapters.push(chapter);
    print(`${chapterText(chapter)}\n`);
  }
  const verdicts = TARGETS.map((target) => judge(target, finder(chapters)));
  const seconds = Math.round((Date.now() - started) / 1000);
  print(`${verdictsText(verdicts)}\n${seconds} s\n`);
  if (!json) return;
  const failures = chapters.flatMap(({ series, outcomes }) =>
    outcomes.flatMap(({ subject, failure }) =>
      failure === undefined ? [] : [{ series: series.name, subject, failure }],
    ),
  );
  const report = {
    mode: quick ? 'quick' : 'full',
    machine,
    seconds,
    absent,
    results: results(chapters),
    failures,
    targets: verdicts,
  };
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
}

if (list) process.stdout.write(describe());
else
  await bench().catch((error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  });
