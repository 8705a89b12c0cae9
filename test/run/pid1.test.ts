import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { noNamespace } from '../posix/pid-namespace.ts';
import { startInit } from './init.ts';

const AS_PID_1 = { asProcessOne: true } as const;

/** Processes of this machine whose command line holds `mark`. */
function processesWith(mark: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(mark);
    } catch {
      return false;
    }
  });
}

/** A number of seconds to sleep that no other process on this machine uses: finds the processes of one test. */
function mark(): string {
  return `86${process.pid}.${Math.floor(Math.random() * 1e9)}`;
}

test('as process 1 it runs a bundle, and its code is the bundle’s', { skip: noNamespace }, async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sh, -c, "echo parent $$PPID; exit 3"] } }', AS_PID_1);
  assert.equal(await init.ended(), 3);
  assert.match(init.output(), /\| parent 1\n/);
});

test('a daemon may open /dev/stdout and /dev/stderr', async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sh, -c, "echo out > /dev/stdout; echo err > /dev/stderr"] } }');
  assert.equal(await init.ended(), 0);
  assert.match(init.output(), /a +\| out\n/);
  assert.match(init.output(), /a +\| err\n/);
});

test('what a crashed daemon left in its group is gone before it starts again', async (t) => {
  const seconds = mark();
  const init = startInit(
    t,
    `daemons:
  a:
    command: [sh, -c, "sleep ${seconds} & until pgrep -x -f 'sleep ${seconds}'; do :; done; echo up; wait"]
    ready: { log: up }
    restart: always`,
  );
  await init.saw(/→ running/);
  const [daemon] = (await init.status()).daemons;
  process.kill(daemon?.pid ?? 0, 'SIGKILL');
  await init.saw(/→ running/, 2);
  assert.equal(processesWith(`sleep\0${seconds}`).length, 1);
  init.signal('SIGTERM');
  await init.ended();
  assert.deepEqual(processesWith(`sleep\0${seconds}`), []);
});

test('a grandchild that left the session goes with its daemon', async (t) => {
  const seconds = mark();
  const init = startInit(
    t,
    `daemons:
  a: { command: [sh, -c, "setsid sh -c 'sleep ${seconds} & wait' & echo up; exec sleep 1000"], ready: { log: up }, stop_grace_period: 2s }
  b: { command: [sleep, "1000"] }`,
  );
  await init.saw(/a: .*→ running/);
  assert.notDeepEqual(processesWith(`sleep\0${seconds}`), []);
  assert.equal((await init.bottled('stop', 'a')).exitCode, 0);
  assert.deepEqual(processesWith(`sleep\0${seconds}`), []);
});

test('at the end nothing of the bundle is left, not even what no daemon owns', { skip: noNamespace }, async (t) => {
  const seconds = mark();
  const init = startInit(
    t,
    `daemons: { a: { command: [sh, -c, "env -i setsid sh -c 'trap \\"\\" TERM; sleep ${seconds}' & echo up; exec sleep 1000"], ready: { log: up } } }`,
    AS_PID_1,
  );
  await init.saw(/→ running/);
  const inside = processOneOf(join(init.directory, 'run', 'control.sock'));
  process.kill(inside?.pid ?? assert.fail('no init is process 1'), 'SIGTERM');
  await init.ended();
  assert.deepEqual(processesWith(`sleep\0${seconds}`), []);
});

test('orphans are reaped while daemons are watched', { skip: noNamespace }, async (t) => {
  const orphans =
    'for i in $$(seq 500); do (sleep 0.2 &); done; sleep 1; grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l';
  const init = startInit(t, `daemons: { a: { command: [sh, -c, ${JSON.stringify(`${orphans}; exit 7`)}] } }`, AS_PID_1);
  assert.equal(await init.ended(), 7);
  assert.match(init.output(), /a +\| 0\n/);
});

test('a SIGTERM to process 1 ends the bundle even while Node is still starting', {
  skip: noNamespace,
  timeout: 60_000,
}, async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sleep, "1000"], stop_grace_period: 1h } }', AS_PID_1);
  const node = await untilNodeCatchesSigterm(join(init.directory, 'run', 'control.sock'));
  process.kill(node, 'SIGTERM');
  assert.equal(await init.ended(), 0);
});

/** The init that serves this socket, by the process id that it has here, and what `/proc` says of it. */
function processOneOf(socket: string): { readonly pid: number; readonly status: string } | undefined {
  for (const pid of processesWith(`main.cjs\0run\0`)) {
    try {
      const isThis = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(socket);
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      if (isThis && /^NSpid:\t\d+\t1$/m.test(status)) return { pid: Number(pid), status };
    } catch {
      // It has ended between two looks.
    }
  }
  return undefined;
}

/** The process id of the init that serves this socket, as soon as it is so far that a SIGTERM does not pass it by. */
async function untilNodeCatchesSigterm(socket: string): Promise<number> {
  for (;;) {
    const init = processOneOf(socket);
    const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(init?.status ?? '')?.[1] ?? '0'}`);
    if (init !== undefined && (caught & 0x4000n) !== 0n) return init.pid;
    await setImmediate();
  }
}

test('a SIGTERM that comes as soon as the handlers stand ends the bundle', async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sleep, "1000"], stop_grace_period: 1h } }');
  await init.saw(/a: pending → starting/);
  init.signal('SIGTERM');
  assert.equal(await init.ended(), 0);
});

test('a second SIGTERM kills at once', async (t) => {
  const stubborn = `command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.05; done"], ready: { log: up }`;
  const init = startInit(t, `stop_grace_period: 1h\ndaemons: { a: { ${stubborn}, stop_grace_period: 1h } }`);
  await init.saw(/→ running/);
  init.signal('SIGTERM');
  await init.saw(/→ stopping/);
  init.signal('SIGTERM');
  assert.equal(await init.ended(), 137);
});

test('a closed stdout does not end the init', { skip: noNamespace }, async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sh, -c, "while :; do echo line; done"] } }');
  await init.saw(/a +\| line/, 1000);
  init.closeOutput();
  const { daemons } = await init.status();
  assert.equal(daemons[0]?.pid !== null, true);
  assert.equal((await init.bottled('stop', 'a')).exitCode, 0);
  init.signal('SIGTERM');
  assert.equal(await init.ended(), 0);
});
