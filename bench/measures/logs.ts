import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Contender, Daemon } from '../contenders/contender.ts';
import { type Bench, type Series, subjects } from '../series.ts';
import { openStamps } from '../stamps.ts';

/** Lines of 100 bytes from one and from five daemons, through the init, into one pipe whose reader checks each of them. */
export function logs(bench: Bench): readonly Series[] {
  const series = (count: number): Series => ({
    name: `logs of ${count}`,
    about: `100-byte lines of ${count} daemons, written in 64 KiB blocks, into one pipe; payload per second, first to last line`,
    metrics: [
      { name: `logs of ${count}`, unit: 'MB/s' },
      { name: 'torn', unit: 'lines', beside: true },
      { name: 'lost', unit: 'lines', beside: true },
      { name: 'reordered', unit: 'lines', beside: true },
      { name: 'without prefix', unit: 'lines', beside: true },
    ],
    subjects: subjects(bench, 'logs', { full: 9, quick: 3, peers: { full: 3, quick: 1 } }, async (contender) => {
      const { throughput, ...faults } = await flow(bench, contender, count);
      return { [`logs of ${count}`]: throughput, ...faults };
    }),
  });
  return [series(1), series(5)];
}

async function flow(bench: Bench, contender: Contender, count: number) {
  const { workshop } = bench;
  const total = (contender.role !== 'peer' ? 2_000_000 : 300_000) / (bench.quick ? 2 : 1);
  const lines = String(total / count);
  const directory = workshop.directory();
  const stamps = openStamps(directory);
  const errors = openSync(join(directory, 'stderr'), 'w');
  try {
    const daemons: readonly Daemon[] = Array.from({ length: count }, (_, index) => ({
      name: `d${index + 1}`,
      command: [workshop.mark, 'lines', stamps.fifo, `d${index + 1}`, lines, '1', '0'],
      restart: true,
    }));
    const init = contender.prepare(directory, daemons);
    const command = ['check', String(count), lines, '2500', ...init.command];
    const environment = { ...process.env, ...init.environment };
    const checker = spawn(workshop.mark, command, {
      cwd: directory,
      env: environment,
      stdio: ['ignore', 'pipe', errors],
    });
    if (checker.stdout === null) throw new Error('mark has no stdout');
    const stdout = await text(checker.stdout);
    const seen: Record<'good' | 'wanted' | 'torn' | 'reordered' | 'bare' | 'ns', number> = JSON.parse(stdout);
    if (seen.good === 0) throw new Error('no line came through');
    return {
      throughput: seen.good / (seen.ns / 1e9) / 10_000,
      torn: seen.torn,
      lost: seen.wanted - seen.good,
      reordered: seen.reordered,
      'without prefix': seen.bare,
    };
  } finally {
    closeSync(errors);
    workshop.sweep(directory);
    stamps.close();
  }
}
