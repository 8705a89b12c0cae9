import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import type { HealthReport } from '../../healthcheck/aggregate.ts';
import { createHeartbeat } from '../../healthcheck/heartbeat.ts';
import { temporaryDirectory } from './targets.ts';

const healthy: HealthReport = { status: 'healthy', text: 'healthy: 1 daemon is ready', daemons: [] };
const uptime = () => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
const never = (problem: string) => assert.fail(problem);

test('a beat is one line: status, uptime of that moment, text', (t) => {
  const directory = temporaryDirectory(t);
  const before = uptime();
  createHeartbeat({ directory, report: () => healthy, onProblem: never }).beat();
  const line = readFileSync(join(directory, 'health'), 'utf8');
  assert.match(line, /^healthy \d+\.\d\d healthy: 1 daemon is ready\n$/);
  const stamp = Number(line.split(' ')[1]);
  assert.ok(before <= stamp && stamp <= uptime());
});

test('a text of many lines stays one bounded line', (t) => {
  const directory = temporaryDirectory(t);
  const report = (): HealthReport => ({ ...healthy, text: `a\nb\r\u2028${'c'.repeat(100_000)}` });
  createHeartbeat({ directory, report, onProblem: never }).beat();
  assert.match(readFileSync(join(directory, 'health'), 'utf8'), /^healthy \S+ a\n$/);
});

test('every user can read it whatever the umask, and nothing else lies beside it', (t) => {
  const directory = temporaryDirectory(t);
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  createHeartbeat({ directory, report: () => healthy, onProblem: never }).beat();
  assert.equal(statSync(join(directory, 'health')).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(directory), ['health']);
});

test('a reader never sees a half-written beat', async (t) => {
  const directory = temporaryDirectory(t);
  let n = 0;
  const report = (): HealthReport => ({ ...healthy, text: `${'x'.repeat((n++ % 2) * 400)}.` });
  const heartbeat = createHeartbeat({ directory, report, onProblem: never });
  heartbeat.beat();
  const reader = execa(process.execPath, [
    '-e',
    `const { readFileSync } = require('node:fs');
     const torn = [];
     for (let i = 0; i < 5000; i++) {
       const line = readFileSync(process.argv[1], 'utf8');
       if (!/^healthy \\S+ x*\\.\\n$/.test(line)) torn.push(line);
     }
     console.log(JSON.stringify(torn));`,
    join(directory, 'health'),
  ]);
  let reading = true;
  const end = reader.finally(() => {
    reading = false;
  });
  while (reading) {
    heartbeat.beat();
    await new Promise(setImmediate);
  }
  assert.equal((await end).stdout, '[]');
});

test('closing removes it, and later beats write nothing', (t) => {
  const directory = temporaryDirectory(t);
  const heartbeat = createHeartbeat({ directory, report: () => healthy, onProblem: never });
  heartbeat.beat();
  heartbeat.close();
  heartbeat.beat();
  heartbeat.close();
  assert.deepEqual(readdirSync(directory), []);
});

test('failing is told once, and again only after it has worked in between', (t) => {
  const directory = join(temporaryDirectory(t), 'run');
  const problems: string[] = [];
  const onProblem = (problem: string) => problems.push(problem);
  const heartbeat = createHeartbeat({ directory, report: () => healthy, onProblem });
  heartbeat.beat();
  heartbeat.beat();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^cannot write the heartbeat \S+\/run\/health: ENOENT.*; the HEALTHCHECK probe/);
  mkdirSync(directory);
  heartbeat.beat();
  assert.ok(existsSync(join(directory, 'health')));
  rmSync(directory, { recursive: true });
  heartbeat.beat();
  heartbeat.beat();
  assert.equal(problems.length, 2);
  heartbeat.close();
});

test('neither a report that throws nor a listener that throws reaches the caller', (t) => {
  const report = () => {
    throw new Error('no report');
  };
  const problems: string[] = [];
  const onProblem = (problem: string) => {
    problems.push(problem);
    throw new Error('no listener');
  };
  createHeartbeat({ directory: temporaryDirectory(t), report, onProblem }).beat();
  assert.match(problems.join('\n'), /no report/);
});

test('a full disk is a problem and leaves the last whole beat in place', async (t) => {
  const mounted = join(temporaryDirectory(t), 'full');
  mkdirSync(mounted);
  const source = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { createHeartbeat } from ${JSON.stringify(new URL('../../healthcheck/heartbeat.ts', import.meta.url).href)};
    const report = () => ({ status: 'healthy', text: 'fine', daemons: [] });
    const directory = process.argv[1];
    const heartbeat = createHeartbeat({ directory, report, onProblem: (problem) => console.log(problem) });
    heartbeat.beat();
    try { writeFileSync(directory + '/filler', Buffer.alloc(1e6)); } catch {}
    heartbeat.beat();
    heartbeat.beat();
    console.log(readFileSync(directory + '/health', 'utf8').replace(/[0-9.]+/, 'N'));`;
  const run = ['sh', '-c', 'mount -t tmpfs -o size=16k none "$1" && shift && exec "$@"', 'sh', mounted];
  const namespace = ['--user', '--map-root-user', '--mount'];
  const possible = await execa('unshare', [...namespace, ...run, 'true'], { reject: false });
  if (possible.failed) return t.skip('needs an own mount namespace');
  const node = [process.execPath, '--input-type=module', '-e', source, mounted];
  const { stdout } = await execa('unshare', [...namespace, ...run, ...node]);
  assert.match(stdout, /^cannot write the heartbeat \S+: ENOSPC[^\n]*\nhealthy N fine\n$/);
});

test('a link in place of the draft is not followed', (t) => {
  const directory = temporaryDirectory(t);
  const victim = join(directory, 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, join(directory, 'health.new'));
  const heartbeat = createHeartbeat({ directory, report: () => healthy, onProblem: () => {} });
  heartbeat.beat();
  heartbeat.beat();
  assert.equal(readFileSync(victim, 'utf8'), 'mine');
  assert.match(readFileSync(join(directory, 'health'), 'utf8'), /^healthy /);
});
