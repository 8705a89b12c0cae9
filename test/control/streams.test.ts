import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { FakeInit } from './fake-init.ts';
import { ask, open, serve, until } from './serve.ts';

interface SentEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Collects the server-sent events of a stream while it runs. */
function collect(response: IncomingMessage): SentEvent[] {
  const events: SentEvent[] = [];
  let rest = '';
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('data', (chunk: string) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const event = fields.get('event');
      if (event !== undefined)
        events.push({ event, id: fields.get('id'), data: JSON.parse(fields.get('data') ?? 'null') });
    }
  });
  return events;
}

function happen(init: FakeInit, count: number): void {
  for (let n = 0; n < count; n++) init.record({ type: 'incident', daemon: 'egress', text: `incident ${n}` });
}

const events = { path: '/v1/events', headers: { accept: 'text/event-stream' } };

test('the history is JSON, and after an id only what is newer', async (t) => {
  const { init, socket } = await serve(t);
  happen(init, 3);
  assert.deepEqual((await ask({ to: { socket }, path: '/v1/events' })).json, { events: init.history(0) });
  assert.deepEqual((await ask({ to: { socket }, path: '/v1/events?after=2' })).json, { events: init.history(2) });
});

test('an event stream begins with a snapshot and goes on live', async (t) => {
  const { init, socket } = await serve(t);
  happen(init, 2);
  const response = await open({ to: { socket }, ...events });
  assert.equal(response.headers['content-type'], 'text/event-stream');
  const seen = collect(response);
  await until(() => seen.length === 1, 'the snapshot is here');
  assert.deepEqual(seen[0], { event: 'snapshot', id: '2', data: init.status() });
  happen(init, 1);
  await until(() => seen.length === 2, 'the new entry is here');
  assert.equal(seen[1]?.id, '3');
  response.destroy();
  await until(() => init.listeners() === 0, 'nobody listens any more');
});

test('a client that comes back with Last-Event-ID gets just what it has missed', async (t) => {
  const { init, socket } = await serve(t);
  happen(init, 5);
  const response = await open({
    to: { socket },
    path: events.path,
    headers: { ...events.headers, 'last-event-id': '3' },
  });
  const seen = collect(response);
  await until(() => seen.length === 3, 'what was missed is here');
  assert.deepEqual(
    seen.map(({ event, id }) => [event, id]),
    [
      ['snapshot', '3'],
      ['incident', '4'],
      ['incident', '5'],
    ],
  );
  response.destroy();
});

test('a gap in what is kept, or an init that was started anew, is told', async (t) => {
  const { init, socket } = await serve(t);
  happen(init, 6);
  init.forget(4);
  for (const [id, next] of [
    ['2', 5],
    ['99', 5],
  ] as const) {
    const response = await open({
      to: { socket },
      path: events.path,
      headers: { ...events.headers, 'last-event-id': id },
    });
    const seen = collect(response);
    await until(() => seen.length === 4, 'snapshot, gap and two entries are here');
    assert.equal(seen[1]?.event, 'gap');
    assert.deepEqual(seen[1]?.data, { after: Number(id), next });
    response.destroy();
  }
});

test('a silent event stream shows signs of life', async (t) => {
  const { socket } = await serve(t, { heartbeat: 10 });
  const response = await open({ to: { socket }, ...events });
  let text = '';
  response.on('error', () => {});
  response.on('data', (chunk) => {
    text += chunk;
  });
  await until(() => text.endsWith(':\n\n'), 'a heartbeat is here');
  response.destroy();
});

test('logs are JSON lines in the shape of the JSON log, the latest ones, of the daemons asked for', async (t) => {
  const { init, socket } = await serve(t);
  for (const line of ['one', 'two', 'three']) init.say('egress', line);
  init.say('pipelock', 'other');
  const answer = await ask({ to: { socket }, path: '/v1/logs?daemon=egress&lines=2' });
  assert.equal(answer.headers['content-type'], 'application/x-ndjson');
  assert.deepEqual(
    answer.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    ['two', 'three'].map((message) => ({
      time: '2026-01-02T03:04:05.000Z',
      daemon: 'egress',
      stream: 'stdout',
      message,
    })),
  );
});

test('followed logs lose and double nothing between past and present', async (t) => {
  const { init, socket } = await serve(t);
  let written = 0;
  const write = (): void => init.say('egress', `line ${written++}`);
  const writer = setInterval(write, 0);
  t.after(() => clearInterval(writer));
  await until(() => written >= 20, 'some lines are written');
  const response = await open({ to: { socket }, path: '/v1/logs?follow=1&lines=1000' });
  let text = '';
  response.setEncoding('utf8');
  response.on('error', () => {});
  response.on('data', (chunk: string) => {
    text += chunk;
  });
  await until(() => text.split('\n').length > 100, 'a hundred lines are here');
  response.destroy();
  const messages = text
    .split('\n')
    .slice(0, 100)
    .map((line) => Reflect.get(JSON.parse(line), 'message'));
  assert.deepEqual(
    messages,
    Array.from({ length: 100 }, (_, n) => `line ${n}`),
  );
});

test('logs are server-sent events where a client asks for them', async (t) => {
  const { init, socket } = await serve(t);
  init.say('egress', 'hello');
  const response = await open({ to: { socket }, path: '/v1/logs?follow=1', headers: { accept: 'text/event-stream' } });
  const seen = collect(response);
  await until(() => seen.length === 1, 'the line is here');
  assert.equal(seen[0]?.event, 'log');
  response.destroy();
});

test('a reader that takes nothing is disconnected when its queue passes the bound, and others go on', async (t) => {
  const { init, socket } = await serve(t, { backlog: 65_536 });
  const slow = await open({ to: { socket }, path: '/v1/logs?follow=1' });
  const fast = await open({ to: { socket }, path: '/v1/logs?follow=1' });
  let taken = 0;
  fast.on('error', () => {});
  fast.on('data', (chunk: Buffer) => {
    taken += chunk.length;
  });
  slow.pause();
  slow.on('error', () => {});
  const line = 'x'.repeat(1_000);
  let said = 0;
  const writer = setInterval(() => {
    for (let n = 0; n < 20; n++) init.say('egress', line);
    said += 20;
  }, 1);
  t.after(() => clearInterval(writer));
  await until(() => init.listeners() === 1, 'the slow reader is gone');
  const before = taken;
  await until(() => taken > before, 'the other one still reads');
  assert.ok(said < 20_000);
  fast.destroy();
});

test('a reader that never takes its backlog is disconnected', async (t) => {
  const { init, socket } = await serve(t, { stall: 50 });
  for (let n = 0; n < 3_000; n++) init.say('egress', 'x'.repeat(1_000));
  const slow = await open({ to: { socket }, path: '/v1/logs?follow=1&lines=3000' });
  slow.pause();
  slow.on('error', () => {});
  await until(() => init.listeners() === 0, 'the stalled reader is gone');
});

test('streams beyond the bound are refused while commands are still answered', async (t) => {
  const { socket } = await serve(t, { streams: 2 });
  const first = await open({ to: { socket }, ...events });
  const second = await open({ to: { socket }, path: '/v1/logs?follow=1' });
  for (const stream of [first, second]) stream.on('error', () => {}).resume();
  assert.equal((await ask({ to: { socket }, path: '/v1/logs?follow=1' })).status, 503);
  assert.equal((await ask({ to: { socket }, method: 'POST', path: '/v1/daemons/egress/stop' })).status, 202);
  first.destroy();
  second.destroy();
});
