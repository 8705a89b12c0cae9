import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  afterCrash,
  afterFailure,
  type Backoff,
  NO_FAILURE,
  STEADY_MS,
  waitOf,
} from '../../../../daemons/mcp-bridge/tools/backoff.ts';
import { createLocalManager } from '../../../../daemons/mcp-bridge/tools/local.ts';
import { createToolPool, type PoolOptions, ToolUnavailable } from '../../../../daemons/mcp-bridge/tools/pool.ts';
import type { ProcessManager, ToolProcess } from '../../../../daemons/mcp-bridge/tools/process.ts';
import { isUsable, OPENING, type SlotEvent, type SlotState, step } from '../../../../daemons/mcp-bridge/tools/slot.ts';
import { contractDouble, createDouble } from './double.ts';
import { fixture, oddSeconds, processesWith, until } from './fixture.ts';

/** A link to a tool: one call at a time, answered with the next message. */
interface Link {
  readonly tool: ToolProcess;
  call(): Promise<unknown>;
}

function opener(manager: ProcessManager, behaviour = 'echo', argument = '') {
  return async () => {
    const waiting: ((message: unknown) => void)[] = [];
    const tool = await manager.start(fixture(behaviour, argument), {
      onMessage: (message) => waiting.shift()?.(message),
      maxMessage: 10_000,
      mask: (text) => text,
      grace: 300,
    });
    const call = (): Promise<unknown> =>
      new Promise((resolve) => {
        waiting.push(resolve);
        tool.send('{"id":1}');
      });
    return { link: { tool, call }, ended: tool.ended, stop: () => tool.stop() };
  };
}

function poolOver(manager: ProcessManager, more: Partial<PoolOptions<Link>> = {}) {
  return createToolPool<Link>({
    tool: 'fixture',
    life: 'session',
    maxSessions: 10,
    idleTimeout: 60_000,
    open: opener(manager),
    ...more,
  });
}

describe('a pool', () => {
  test('gives a stateless tool one process for all sessions', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager, { life: 'stateless' });
    await Promise.all([...Array(50).keys()].map((n) => pool.use(`s${n}`, (link) => link.call())));
    assert.equal(manager.started(), 1);
    pool.drop('s1');
    await pool.use('s1', (link) => link.call());
    assert.equal(manager.started(), 1);
    await pool.stop();
    assert.equal(manager.running(), 0);
  });

  test('gives each session its own process, and the same one again', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager);
    const first = await pool.use('a', async (link) => link.tool.id);
    assert.notEqual(await pool.use('b', async (link) => link.tool.id), first);
    assert.equal(await pool.use('a', async (link) => link.tool.id), first);
    assert.deepEqual(pool.state(), { kind: 'running', processes: 2 });
    await pool.stop();
    assert.deepEqual(pool.state(), { kind: 'idle' });
  });

  test('refuses one session too many and disturbs no other', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager, { maxSessions: 2 });
    await pool.use('a', (link) => link.call());
    await pool.use('b', (link) => link.call());
    await assert.rejects(
      pool.use('c', (link) => link.call()),
      (error: unknown) =>
        error instanceof ToolUnavailable && error.why === 'busy' && /2 sessions already/.test(error.message),
    );
    await pool.use('a', (link) => link.call());
    pool.drop('b');
    await until(() => manager.running() === 1);
    await pool.use('c', (link) => link.call());
    await pool.stop();
  });

  test('ends what was idle for too long, and only that', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager, { idleTimeout: 40 });
    const { promise: busy, resolve: finish } = Promise.withResolvers<void>();
    const call = pool.use('busy', () => busy);
    await pool.use('idle', (link) => link.call());
    await until(() => manager.running() === 1);
    finish();
    await call;
    await until(() => manager.running() === 0);
    await pool.stop();
  });

  test('a session that is over while a call runs ends after the call', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager);
    const { promise, resolve } = Promise.withResolvers<string>();
    const call = pool.use('a', () => promise);
    await until(() => manager.running() === 1);
    pool.drop('a');
    resolve('answer');
    assert.equal(await call, 'answer');
    await until(() => manager.running() === 0);
    await pool.stop();
  });

  test('when a tool dies its calls fail at once, and the next call gets a new one', async () => {
    const manager = contractDouble();
    const pool = poolOver(manager, { life: 'stateless' });
    await pool.use('a', (link) => link.call());
    const calls = [1, 2, 3].map(() => pool.use('a', () => new Promise<never>(() => {})));
    await new Promise((resolve) => setImmediate(resolve));
    manager.crash(9);
    for (const call of calls) {
      await assert.rejects(call, /the tool fixture exited with code 9 before it answered/);
    }
    assert.deepEqual(await pool.use('a', (link) => link.call()), { id: 1 });
    assert.equal(pool.restarts(), 1);
    await pool.stop();
  });

  test('a tool that keeps failing is tried ever less often, and who calls is told when', async () => {
    let now = 1_000_000;
    let starts = 0;
    const pool = poolOver(contractDouble(), {
      clock: () => now,
      open: async () => {
        starts += 1;
        throw new Error('the handshake failed');
      },
    });
    for (let i = 0; i < 20; i++) {
      await assert.rejects(
        pool.use('a', (link) => link.call()),
        /the handshake failed/,
      );
      now += 100_000;
    }
    const before = starts;
    now -= 100_000;
    await assert.rejects(
      pool.use('a', (link) => link.call()),
      /keeps failing \(the handshake failed\); it is tried again in 30 s/,
    );
    assert.equal(starts, before);
    assert.equal(pool.state().kind, 'failing');
    await pool.stop();
  });

  test('is stopped while a tool starts: that one is ended too, and later calls are refused', async () => {
    const manager = contractDouble();
    const open = opener(manager);
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    const pool = poolOver(manager, { open: () => gate.then(open) });
    const call = pool.use('a', (link) => link.call());
    void call.catch(() => {});
    await new Promise((done) => setImmediate(done));
    const stopped = pool.stop();
    resolve();
    await stopped;
    assert.equal(manager.running(), 0);
    await assert.rejects(
      pool.use('a', (link) => link.call()),
      /is being stopped/,
    );
  });

  test('has nothing left after 10,000 sessions, half of them abandoned', async () => {
    const manager = createDouble(() => ({ line: (puppet, line) => puppet.write(`${line}\n`) }));
    const pool = poolOver(manager, { maxSessions: 10_000, idleTimeout: 20 });
    for (let from = 0; from < 10_000; from += 500) {
      const keys = [...Array(500).keys()].map((n) => `s${from + n}`);
      await Promise.all(keys.map((key) => pool.use(key, (link) => link.call())));
      for (const key of keys.filter((_, index) => index % 2 === 0)) pool.drop(key);
    }
    await until(() => manager.running() === 0);
    assert.equal(manager.started(), 10_000);
    assert.deepEqual(pool.state(), { kind: 'idle' });
    await pool.stop();
  });

  test('has no process and no descriptor left after 60 sessions of real processes, half of them abandoned', async () => {
    const mark = oddSeconds();
    const manager = createLocalManager({ instance: `pool-${mark}`, variables: process.env });
    const pool = poolOver(manager, { maxSessions: 60, idleTimeout: 100, open: opener(manager, 'child', mark) });
    const before = readdirSync('/proc/self/fd').length;
    const keys = [...Array(60).keys()].map((n) => `s${n}`);
    for (let from = 0; from < 60; from += 10) {
      await Promise.all(keys.slice(from, from + 10).map((key) => pool.use(key, (link) => link.call())));
      for (const key of keys.slice(from, from + 5)) pool.drop(key);
    }
    await until(
      () => processesWith(mark).length === 0,
      () => `${processesWith(mark).length} processes end`,
      60_000,
    );
    await pool.stop();
    await until(
      () => readdirSync('/proc/self/fd').length <= before,
      () => 'descriptors are closed',
    );
  });
});

describe('the rules of waiting', () => {
  test('the first failure costs no wait; each further one twice the last, up to 30 s', () => {
    let backoff: Backoff = NO_FAILURE;
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      backoff = afterFailure(backoff, 'x', 0);
      waits.push(waitOf(backoff, 0));
    }
    assert.deepEqual(waits, [0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test('what another try cannot mend waits longest at once', () => {
    assert.equal(waitOf(afterFailure(NO_FAILURE, 'x', 5, true), 5), 30_000);
  });

  test('a tool that had lived long starts with a clean slate', () => {
    const bad = { failures: 9, notBefore: 9e9, failing: { reason: 'x', since: 1 } };
    assert.equal(waitOf(afterCrash(bad, 'y', STEADY_MS, 100), 100), 0);
    assert.equal(waitOf(afterCrash(bad, 'y', STEADY_MS - 1, 100), 100), 30_000);
  });
});

test('a process is closed once, never under a call unless it is stopped, and its calls never fall below none', () => {
  const kinds = ['take', 'give-back', 'opened', 'ended', 'drop', 'stop', 'look'] as const;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...kinds), { maxLength: 40 }), (events) => {
      let state: SlotState = OPENING;
      let users = 0;
      let closes = 0;
      let opened = false;
      for (const [now, kind] of events.entries()) {
        if (kind === 'take' && !isUsable(state)) continue;
        if (kind === 'give-back' && users === 0) continue;
        if (kind === 'opened' && opened) continue;
        opened ||= kind === 'opened';
        if (kind === 'take') users += 1;
        if (kind === 'give-back') users -= 1;
        const event: SlotEvent = kind === 'look' ? { kind, now, idleTimeout: 3 } : { kind, now };
        const next = step(state, event);
        if (next.close) {
          closes += 1;
          assert.ok(kind === 'stop' || kind === 'opened' || users === 0);
        }
        if ('users' in next.state) assert.equal(next.state.users, users);
        if (state.kind === 'gone') assert.equal(next.state.kind, 'gone');
        state = next.state;
      }
      assert.ok(closes <= 1);
    }),
  );
});
