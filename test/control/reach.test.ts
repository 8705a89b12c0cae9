import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { STATE_WORDS } from '../../init/control/state-words.ts';
import type { HistoryEntry } from '../../init/status.ts';
import { type Asked, ask, type Served, serve, until } from './serve.ts';

type Move = readonly [to: NonNullable<HistoryEntry['to']>, ready?: boolean];

/** Sends a command with `wait` and lets the daemon make these moves after it is accepted. */
async function command(
  test: TestContext,
  verb: string,
  wait: number,
  from: Move,
  moves: readonly Move[],
): Promise<[Asked, Served]> {
  const served = await serve(test);
  const { init, socket } = served;
  const move = ([to, ready = false]: Move): void =>
    init.record({ type: 'changed', daemon: 'egress', to, ready, text: '' });
  move(from);
  init.behave((daemon) => {
    const [first, ...rest] = moves;
    if (first !== undefined) move(first);
    rest.reduce(
      (before, next) => before.then(() => move(next)),
      new Promise<void>((resolve) => setTimeout(resolve, 10)),
    );
    return { daemon, accepted: true, text: 'accepted' };
  });
  const answer = await ask({ to: { socket }, method: 'POST', path: `/v1/daemons/egress/${verb}?wait=${wait}` });
  return [answer, served];
}

const LONG = 60_000;

test('without wait a command is answered with 202 as soon as it is accepted', async (t) => {
  const [answer] = await command(t, 'start', 0, ['stopped'], [['starting']]);
  assert.equal(answer.status, 202);
  assert.deepEqual(answer.json, {
    daemon: 'egress',
    accepted: true,
    reached: false,
    state: 'starting',
    text: 'accepted',
  });
});

test('a start is reached when the daemon is ready, not when it merely runs', async (t) => {
  const [answer, { init }] = await command(
    t,
    'start',
    LONG,
    ['stopped'],
    [['starting'], ['running', false], ['running', true]],
  );
  assert.equal(answer.status, 200);
  assert.equal(Reflect.get(answer.json as object, 'state'), 'running');
  assert.equal(init.listeners(), 0);
});

test('a start of a one-shot is reached when it has completed', async (t) => {
  const [answer] = await command(t, 'start', LONG, ['completed'], [['starting'], ['completed']]);
  assert.equal(answer.status, 200);
});

test('a start of what runs already is reached at once', async (t) => {
  const [answer] = await command(t, 'start', LONG, ['running', true], []);
  assert.equal(answer.status, 200);
});

test('a restart is reached by the new run, not by the old one', async (t) => {
  const [answer] = await command(
    t,
    'restart',
    LONG,
    ['running', true],
    [['stopping'], ['stopped'], ['starting'], ['running', true]],
  );
  assert.equal(answer.status, 200);
  const [late] = await command(t, 'restart', 50, ['running', true], []);
  assert.equal(late.status, 504);
});

test('a stop is reached when the daemon is no longer alive', async (t) => {
  const [answer] = await command(t, 'stop', LONG, ['running', true], [['stopping'], ['stopped']]);
  assert.equal(answer.status, 200);
});

test('a daemon that fails or backs off on its way is 502', async (t) => {
  for (const end of ['failed', 'backoff'] as const) {
    const [answer] = await command(t, 'start', LONG, ['stopped'], [['starting'], [end]]);
    assert.equal(answer.status, 502);
    assert.match(answer.body, new RegExp(`egress ${STATE_WORDS[end]}`));
  }
});

test('a daemon that is not there in time is 504, with what it waits for', async (t) => {
  const { init, socket } = await serve(t);
  init.change('egress', { state: 'stopping', ready: false, waiting_for: 'its processes to end' });
  const answer = await ask({ to: { socket }, method: 'POST', path: '/v1/daemons/egress/stop?wait=30' });
  assert.equal(answer.status, 504);
  assert.match(answer.body, /after 30ms egress is stopping still: waits for its processes to end/);
});

test('a client that leaves while it waits leaves nothing behind', async (t) => {
  const { init, socket } = await serve(t);
  init.change('egress', { state: 'stopping', ready: false });
  const left = new AbortController();
  const { request } = await import('node:http');
  const outgoing = request({
    socketPath: socket,
    method: 'POST',
    path: `/v1/daemons/egress/stop?wait=${LONG}`,
    signal: left.signal,
  });
  outgoing.on('error', () => {});
  outgoing.end();
  await until(() => init.listeners() === 1, 'the command is waited for');
  left.abort();
  await until(() => init.listeners() === 0, 'nobody waits any more');
});
