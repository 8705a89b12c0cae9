import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Contender, Daemon } from '../contenders/contender.ts';
import { type Life, live, type Stage } from '../life.ts';
import { type Bench, type Series, subjects } from '../series.ts';

const ORPHANS = 10_000;
const CODES = Array.from({ length: 20 }, (_, index) => index + 11);

/** Processes that lost their parent, under an init that is PID 1 of a namespace of its own. */
export function orphans(bench: Bench): readonly Series[] {
  const needsRoot = process.getuid?.() === 0 ? undefined : 'needs root, for a PID namespace';
  const series = (manner: 'storm' | 'once', about: string, skipped: string | undefined): Series => ({
    name: `orphans, ${manner}`,
    about,
    metrics: [
      { name: `zombies at a time, ${manner}`, unit: '' },
      { name: `left after 50 ms, ${manner}`, unit: '', beside: true },
      { name: `codes lost, ${manner}`, unit: '', beside: true },
      { name: `until none, ${manner}`, unit: 'ms', beside: true },
    ],
    subjects: subjects(
      bench,
      'orphans',
      { full: 5, quick: 1, floor: { full: 1, quick: 0 }, peers: { full: 1, quick: 0 } },
      (contender) =>
        live(bench.workshop, contender, cast(contender, manner), (life) => watch(bench, contender, life, manner), [
          'unshare',
          '--fork',
          '--pid',
          '--mount-proc',
          '--kill-child',
        ]),
    ),
    ...(skipped && { skipped }),
  });
  return [
    series(
      'storm',
      `${ORPHANS} orphans made one after the other as fast as can be, each dying at once, beside 20 daemons that exit`,
      needsRoot,
    ),
    series(
      'once',
      `${ORPHANS} living orphans that die at the same moment, beside 20 daemons that exit`,
      needsRoot ?? (bench.quick ? 'only in the full run' : undefined),
    ),
  ];
}

function cast(contender: Contender, manner: string) {
  return ({ mark, fifo }: Stage): readonly Daemon[] => {
    const maker = { name: 'maker', command: [mark, 'orphans', fifo, 'maker', String(ORPHANS), manner], restart: true };
    if (contender.status === undefined) return [maker];
    const exits = CODES.map((code, index) => {
      const name = `d${code}`;
      return { name, command: [mark, 'flash', fifo, name, String(code), String(400 + index * 50)], restart: false };
    });
    return [maker, ...exits];
  };
}

async function watch(bench: Bench, contender: Contender, life: Life, manner: string) {
  const maker = await life.stamps.wait('the maker of orphans', () =>
    life.stamps.all.find((stamp) => stamp.name === 'first'),
  );
  const init = Number(readFileSync(`/proc/${life.pid}/task/${life.pid}/children`, 'latin1').trim());
  if (maker === undefined || !(init > 0)) throw new Error('unshare has no child');
  const counts: { ns: number; zombies: number }[] = [];
  const observer = spawn(bench.workshop.mark, ['zombies', String(init)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    observer.stdout.setEncoding('latin1').on('data', (text: string) => {
      for (const line of text.trimEnd().split('\n')) {
        const [ns, zombies] = line.split(' ').map(Number);
        counts.push({ ns: ns ?? Number.NaN, zombies: zombies ?? Number.NaN });
      }
    });
    const last = await life.stamps.wait('the death of the last orphan', () =>
      life.stamps.all.find((stamp) => stamp.name === 'last'),
    );
    await sleep(1_500);
    const later = counts.findLast((count) => count.ns <= last.ns + 50e6);
    const none = counts.at(-1)?.zombies === 0 ? counts.findLastIndex((count) => count.zombies > 0) + 1 : undefined;
    const clear = none === undefined ? undefined : counts[none]?.ns;
    const lost = await lostCodes(contender, life);
    return {
      [`zombies at a time, ${manner}`]: Math.max(...counts.map((count) => count.zombies)),
      [`left after 50 ms, ${manner}`]: later?.zombies ?? Number.NaN,
      ...(clear !== undefined && { [`until none, ${manner}`]: Math.max(0, (clear - last.ns) / 1e6) }),
      ...(lost !== undefined && { [`codes lost, ${manner}`]: lost }),
    };
  } finally {
    observer.kill('SIGKILL');
  }
}

/** How many of the daemons that exited during the storm are reported with another code than their own. */
async function lostCodes(contender: Contender, life: Life): Promise<number | undefined> {
  const command = contender.status?.(life.directory);
  if (command === undefined) return undefined;
  const [program = '', ...args] = command;
  const { stdout } = await promisify(execFile)(program, args);
  const status: { daemons: { name: string; exit_code: number | null }[] } = JSON.parse(stdout);
  return CODES.filter((code) => status.daemons.find((daemon) => daemon.name === `d${code}`)?.exit_code !== code).length;
}
