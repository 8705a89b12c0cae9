import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { answerText, answerTextOn } from '../../../daemons/http/refusal.ts';

test('a refusal is plain text of the length it says, and ends the connection where its body is not read', async (t) => {
  const server = createServer((request, response) => {
    answerText(response, { status: 403, text: 'blocked: ünfug\n', headers: ['X-By', 'me'] }, request.url === '/closes');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const [path, connection] of [
    ['/', 'keep-alive'],
    ['/closes', 'close'],
  ]) {
    const [response] = (await once(get({ port, path, headers: { Connection: 'keep-alive' } }), 'response')) as [
      IncomingMessage,
    ];
    assert.deepEqual(
      [response.statusCode, response.headers['content-type'], response.headers['x-by'], response.headers.connection],
      [403, 'text/plain; charset=utf-8', 'me', connection],
    );
    assert.equal((await response.toArray()).join(''), 'blocked: ünfug\n');
  }
  server.closeAllConnections();
});

test('on a bare socket the answer is whole, and a peer that does not leave is left', async (t) => {
  const server = createServer();
  server.on('connect', (_request, socket) => answerTextOn(socket, { status: 403, text: 'no\n' }, 50));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  socket.write('CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n');
  const [bytes] = await once(socket, 'data');
  assert.match(String(bytes), /^HTTP\/1\.1 403 Forbidden\r\n.*Content-Length: 3\r\n.*Connection: close\r\n\r\nno\n$/s);
  await once(socket, 'end');
  assert.equal(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count >= 0))), true);
  socket.destroy();
});
