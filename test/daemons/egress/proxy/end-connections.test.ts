import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { ask, begin, openBottle, secure, session, until } from './bottle.ts';

test('endConnections ends streams over HTTP/1.1 and HTTP/2, uploads and WebSockets at once, and takes new connections', async (t) => {
  const sockets = new WebSocketServer({ noServer: true });
  const gone: string[] = [];
  const bottle = await openBottle(t, {
    origin: (request, response) => {
      response.on('close', () => gone.push(request.url ?? ''));
      if (request.url?.endsWith('/stream') !== true) {
        request.resume();
        if (request.url?.endsWith('/now') === true) response.end('now');
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    },
    upgrade: (request, socket, head) => sockets.handleUpgrade(request, socket, head, () => {}),
  });
  const events = await begin(bottle, 'https://example.com/stream');
  events.on('error', () => {}).end();
  const [answer] = await once(events, 'response');
  const upload = await begin(bottle, 'https://example.com/upload', { method: 'POST' });
  upload.on('error', () => {}).write('a piece');
  const client = await session(t, bottle, 'example.com:443');
  const stream = client.request({ ':path': '/stream' });
  stream.on('error', () => {});
  await once(stream, 'response');
  const tls = await secure(bottle, 'example.com:443');
  const webSocket = new WebSocket('wss://example.com/', { createConnection: () => tls });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  await until(() => bottle.proxy.figures().exchanges === 3, 'three exchanges are under way');

  const over = [answer, upload, stream, webSocket].map(closed);
  bottle.proxy.endConnections();
  answer.resume();
  await Promise.all(over);
  await until(() => gone.length === 3 && sockets.clients.size === 0, 'the origin sees all of them go');
  await until(() => bottle.proxy.figures().connections === 0, 'no connection is left');
  const { exchanges, webSockets } = bottle.proxy.figures();
  assert.deepEqual([exchanges, webSockets], [0, 0]);
  assert.equal((await ask(bottle, 'https://example.com/now')).body, 'now');
});

function closed(each: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    each.on('error', () => {}).once('close', () => resolve());
  });
}
