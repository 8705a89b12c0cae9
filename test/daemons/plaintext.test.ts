import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { request } from 'node:https';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { startBottle } from './bottle.ts';
import { agentOf, LOCAL_SETTINGS, startService, trusting } from './world.ts';

/**
 * pipelock sees what agents send over TLS: whatever kind of body it is, a secret in it is found, and what passes is in pipelock's
 * log with its length. On the whole chain: agent, egress, pipelock (the real one where it is installed), a service with TLS.
 */

/** Looks like a GitHub token, and is none. */
const LEAK = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;

const answer: RequestListener = (incoming, response) => {
  if (incoming.url === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    incoming.on('data', (chunk: Buffer) => response.write(`data: ${chunk.length}\n\n`)).on('end', () => response.end());
  } else incoming.resume().on('end', () => response.end('taken'));
};

async function chain(t: TestContext) {
  const service = await startService(t, answer);
  const sockets = new WebSocketServer({ server: service.server });
  const received: string[] = [];
  sockets.on('connection', (socket) => socket.on('message', (data) => received.push(String(data))));
  const bottle = await startBottle(t, {
    files: {
      'routes.yaml': `routes:\n  - host: localhost\n    ports: [${service.port}]\n    websocket: true\n`,
      'pipelock.yaml': LOCAL_SETTINGS,
      'git-gate.yaml': 'repos: {}\n',
    },
    env: { ...trusting(service), LOG_FORMAT: 'json' },
  });
  return { bottle, service, received, ...agentOf(bottle) };
}

test('of a JSON body', async (t) => {
  const { ask, service, bottle } = await chain(t);
  const send = (body: unknown) =>
    ask(`${service.origin}/json`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.equal((await send({ note: 'nothing' })).status, 200);
  await bottle.saw(/pipelock +\| .*"forward_http".*\/json/);
  const { status, text } = await send({ note: LEAK });
  assert.equal(status, 403);
  assert.match(text, /^blocked: request body contains secret/);
  await bottle.saw(/pipelock +\| .*body contains secret/);
});

test('of a body in chunks, with the secret over the edge of two', async (t) => {
  const { agent, service, bottle } = await chain(t);
  const send = (parts: readonly string[]): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request(`${service.origin}/chunked`, { agent, method: 'POST' }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      sent.on('error', reject);
      for (const part of parts) sent.write(part);
      sent.end();
    });
  assert.equal(await send(['nothing ', 'here']), 200);
  await bottle.saw(/pipelock +\| .*"forward_http".*\/chunked/);
  assert.equal(await send([`x ${LEAK.slice(0, 20)}`, `${LEAK.slice(20)} y`]), 403);
  await bottle.saw(/pipelock +\| .*body contains secret/);
});

test('of a request that is answered by server-sent events', async (t) => {
  const { ask, open, service, bottle } = await chain(t);
  const headers = { accept: 'text/event-stream' };
  const stream = await open(`${service.origin}/events`, { method: 'POST', headers, body: 'nothing' });
  assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
  assert.match(String(await once(stream, 'data')), /^data: 7/);
  stream.resume();
  await bottle.saw(/pipelock +\| .*\/events/);
  assert.equal((await ask(`${service.origin}/events`, { method: 'POST', headers, body: LEAK })).status, 403);
  await bottle.saw(/pipelock +\| .*body contains secret/);
});

test('of the messages of a WebSocket', async (t) => {
  const { agent, service, received, bottle } = await chain(t);
  const socket = new WebSocket(`wss://localhost:${service.port}/socket`, { agent });
  await once(socket, 'open');
  socket.send('nothing');
  while (received.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(received, ['nothing']);
  socket.send(`my token is ${LEAK}`);
  const [code] = await once(socket, 'close');
  assert.equal(code, 1008);
  assert.deepEqual(received, ['nothing']);
  await bottle.saw(/pipelock +\| .*"reason":"DLP match/);
});
