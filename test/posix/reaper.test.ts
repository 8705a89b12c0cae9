import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'node:test';
import { execa } from 'execa';
import { launch } from '../../init/child/launch.ts';
import type { Exit } from '../../init/lifecycle/event.ts';
import { createReaper } from '../../init/reaper.ts';
import { asProcessOne, noNamespace } from './pid-namespace.ts';

const ORPHANAGE = join(import.meta.dirname, 'fixtures/orphanage.ts');

interface Report {
  readonly orphans: readonly string[];
  readonly watched: readonly string[];
  readonly largestPass: number;
}

async function adoptFrom(maker: string, watched: number): Promise<Report> {
  const [file, argv] = asProcessOne([process.execPath, ORPHANAGE, maker, String(watched)]);
  return JSON.parse((await execa(file, argv)).stdout);
}

function start(...argv: string[]): number {
  const child = launch({ argv, environment: { PATH: process.env.PATH ?? '' }, session: 'new' });
  assert.ok('pid' in child, JSON.stringify(child));
  return child.pid;
}

function sorted(codes: readonly string[]): string[] {
  return codes
    .map(Number)
    .sort((a, b) => a - b)
    .map(String);
}

test('an exit code and a signal both reach the one who watches', async (t) => {
  const reaper = createReaper();
  t.after(() => reaper.close());
  const exits = await Promise.all(
    ['exit 0', 'exit 7', 'exit 255', 'kill -TERM $$', 'kill -KILL $$'].map(
      (script) => new Promise<Exit>((resolve) => reaper.watch(start('sh', '-c', script), resolve)),
    ),
  );
  assert.deepEqual(exits, [{ code: 0 }, { code: 7 }, { code: 255 }, { signal: 'SIGTERM' }, { signal: 'SIGKILL' }]);
});

test('death by a real-time signal is given as 128 + n', async (t) => {
  const reaper = createReaper();
  t.after(() => reaper.close());
  const exit = await new Promise((resolve) => reaper.watch(start('sh', '-c', 'kill -40 $$'), resolve));
  assert.deepEqual(exit, { code: 168 });
});

test('children of child_process keep their exit codes among watched ones', async (t) => {
  const orphans: number[] = [];
  const reaper = createReaper({ onOrphan: (pid) => orphans.push(pid) });
  t.after(() => reaper.close());
  const codes = await Promise.all(
    Array.from({ length: 40 }, async (_, code) => {
      const child = spawn('sh', ['-c', `exit ${code}`], { stdio: 'ignore' });
      const mayBeReaped = reaper.leaveAlone(child.pid ?? 0);
      const watched = new Promise<Exit>((resolve) => reaper.watch(start('sh', '-c', `exit ${code + 100}`), resolve));
      const [exitCode] = await once(child, 'exit');
      mayBeReaped();
      return [exitCode, await watched];
    }),
  );
  assert.deepEqual(
    codes,
    Array.from({ length: 40 }, (_, code) => [code, { code: code + 100 }]),
  );
  assert.deepEqual(orphans, []);
});

test('a pass is told about after its callbacks, once for all that it collected', async (t) => {
  const reaper = createReaper();
  t.after(() => reaper.close());
  const seen: string[] = [];
  const passed = new Promise<void>((resolve) => {
    reaper.onPass(() => {
      seen.push('pass');
      if (seen.filter((entry) => entry === 'exit').length === 2) resolve();
    });
  });
  for (let i = 0; i < 2; i++) reaper.watch(start('true'), () => seen.push('exit'));
  await passed;
  assert.equal(seen.at(-1), 'pass');
  assert.equal(seen[0], 'exit');
});

test('as process 1 it collects 10,000 orphans while they come, never half of them at a time, and loses no exit code meanwhile', {
  skip: noNamespace,
}, async () => {
  const maker =
    'for my $i (1..10000) { my $p = fork; if (!$p) { if (!fork) { exit($i % 200) } exit 0 } waitpid $p, 0 }';
  const { orphans, watched, largestPass } = await adoptFrom(maker, 30);
  assert.equal(orphans.length, 10_000);
  assert.deepEqual(sorted(orphans), sorted(Array.from({ length: 10_000 }, (_, i) => String((i + 1) % 200))));
  assert.deepEqual(
    sorted(watched),
    Array.from({ length: 30 }, (_, code) => String(code)),
  );
  assert.ok(largestPass < 5000, `${largestPass} zombies at a time`);
});

test('as process 1 it collects 1,000 orphans that die at one stroke, each with its code', {
  skip: noNamespace,
}, async () => {
  const maker =
    'pipe(R, W); for my $i (1..1000) { if (!fork) { close W; sysread R, my $b, 1; exit($i % 200) } } exit 0';
  const { orphans } = await adoptFrom(maker, 5);
  assert.deepEqual(sorted(orphans), sorted(Array.from({ length: 1000 }, (_, i) => String((i + 1) % 200))));
});
