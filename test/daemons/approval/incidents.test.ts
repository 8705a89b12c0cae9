import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { followIncidents, type Incident, type IncidentOptions } from '../../../daemons/supervise/incidents.ts';
import { createControl } from '../../../init/control/control.ts';
import { type FakeInit, fakeInit } from '../../control/fake-init.ts';
import { scratch, until } from '../../control/serve.ts';

interface World {
  readonly init: FakeInit;
  readonly posted: Incident[];
  readonly logged: string[];
  /** Makes the init reachable; returns the way to make it unreachable. */
  serve(): Promise<() => Promise<void>>;
  follow(options?: Partial<IncidentOptions>): void;
}

function worldOf(t: TestContext): World {
  const directory = scratch(t);
  const init = fakeInit();
  const posted: Incident[] = [];
  const logged: string[] = [];
  const socket = join(directory, 'read.sock');
  return {
    init,
    posted,
    logged,
    async serve() {
      const reading = { path: socket };
      const control = await createControl({ init, socket: join(directory, 'c.sock'), reading, onProblem: () => {} });
      t.after(() => control.close());
      return () => control.close();
    },
    follow(options) {
      const log = (_level: string, _message: string, { event }: { event: string }): void => void logged.push(event);
      const post = (incident: Incident): void => void posted.push(incident);
      t.after(followIncidents({ socket, log, post, ...options }));
    },
  };
}

test('a crash, a failed probe, a kill after grace and a give-up are handed over, with the last lines', async (t) => {
  const { init, posted, serve, follow } = worldOf(t);
  await serve();
  follow();
  await until(() => init.listeners() > 0, 'it listens');
  init.say('egress', 'the last words');
  for (const cause of ['exit-code', 'probe-failed', 'killed-after-grace'] as const) {
    init.record({ type: 'incident', daemon: 'egress', cause, text: `incident: ${cause}` });
  }
  init.record({
    type: 'changed',
    daemon: 'egress',
    to: 'failed',
    cause: 'exit-code',
    text: 'backoff → failed: given up',
  });
  await until(() => posted.length === 4, 'all four are there');
  assert.deepEqual(
    posted.map(({ cause }) => cause),
    ['exit-code', 'probe-failed', 'killed-after-grace', 'given-up'],
  );
  assert.deepEqual(posted[0]?.lines, ['the last words']);
  assert.deepEqual([posted[0]?.daemon, posted[0]?.text], ['egress', 'incident: exit-code']);
});

test('what nobody has to look at is not handed over', async (t) => {
  const { init, posted, serve, follow } = worldOf(t);
  await serve();
  follow();
  await until(() => init.listeners() > 0, 'it listens');
  init.record({ type: 'changed', daemon: 'egress', to: 'running', text: 'ready' });
  init.record({ type: 'answer', plane: 'cli', accepted: true, text: 'cli: stop' });
  init.record({
    type: 'changed',
    daemon: 'egress',
    to: 'failed',
    cause: 'dependency-failed',
    text: 'follows pipelock',
  });
  init.record({ type: 'incident', daemon: 'pipelock', cause: 'signal', text: 'the one' });
  await until(() => posted.length > 0, 'the one is there');
  assert.deepEqual(
    posted.map(({ text }) => text),
    ['the one'],
  );
});

test('after the connection broke off it goes on where it was, once each', async (t) => {
  const { init, posted, logged, serve, follow } = worldOf(t);
  const end = await serve();
  follow();
  await until(() => init.listeners() > 0, 'it listens');
  init.record({ type: 'incident', daemon: 'egress', cause: 'signal', text: 'first' });
  await until(() => posted.length === 1, 'the first is there');
  await end();
  init.record({ type: 'incident', daemon: 'egress', cause: 'signal', text: 'second' });
  await until(() => logged.includes('incidents-not-followed'), 'it is told that they are not followed');
  await serve();
  await until(() => posted.length === 2, 'the second is there');
  assert.deepEqual(
    posted.map(({ text }) => text),
    ['first', 'second'],
  );
  assert.deepEqual(logged, ['incidents-not-followed', 'incidents-followed']);
});

test('what was taken in before a restart is not handed over again, what came since is', async (t) => {
  const { init, posted, serve, follow } = worldOf(t);
  const [since, later] = ['2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.679Z'];
  init.record({ type: 'incident', daemon: 'egress', cause: 'signal', text: 'before', time: since });
  init.record({ type: 'incident', daemon: 'egress', cause: 'signal', text: 'since', time: later });
  await serve();
  follow({ since });
  await until(() => posted.length > 0, 'one is there');
  assert.deepEqual(
    posted.map(({ text }) => text),
    ['since'],
  );
});

test('one that cannot be taken in is told again', async (t) => {
  const { init, serve, follow } = worldOf(t);
  await serve();
  let calls = 0;
  follow({
    post() {
      calls += 1;
      if (calls === 1) throw new Error('the disk is full');
    },
  });
  await until(() => init.listeners() > 0, 'it listens');
  init.record({ type: 'incident', daemon: 'egress', cause: 'signal', text: 'it' });
  await until(() => calls === 2, 'it is told twice');
});
