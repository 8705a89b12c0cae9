import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { ask, serve } from './serve.ts';

/** Everything that the server sends until it closes the connection. */
function answerTo(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

test('a client that never ends its headers is cut off', async (t) => {
  const { socket } = await serve(t, { request: 100 });
  const client = connect(socket);
  client.write('GET /livez HTTP/1.1\r\nHost: x\r\n');
  assert.match(await answerTo(client), /^HTTP\/1\.1 408/);
});

test('a client that never ends its body is cut off', async (t) => {
  const { socket, init } = await serve(t, { request: 100 });
  const client = connect(socket);
  client.write('POST /v1/daemons/egress/signal HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"sig');
  await answerTo(client);
  assert.deepEqual(init.commands, []);
});

test('headers of more than 16 KiB are refused', async (t) => {
  const { socket } = await serve(t);
  const client = connect(socket);
  client.write(`GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'y'.repeat(20_000)}\r\n\r\n`);
  assert.match(await answerTo(client), /^HTTP\/1\.1 431/);
});

test('what is no HTTP is refused and harms nobody', async (t) => {
  const { socket, problems } = await serve(t);
  const client = connect(socket);
  client.write('\x00\x01\x02 hello\r\n\r\n');
  assert.match(await answerTo(client), /^HTTP\/1\.1 400/);
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
  assert.deepEqual(problems, []);
});

test('connections beyond the bound are closed, on one listener only', async (t) => {
  const { socket, port } = await serve(t, { connections: 2 });
  const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(held.map((client) => new Promise((resolve) => client.once('connect', resolve))));
  assert.equal(await answerTo(connect(port, '127.0.0.1')), '');
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
  for (const client of held) client.destroy();
});

test('one address cannot take all the connections of the TCP listener', async (t) => {
  const { port } = await serve(t, { connections: 4, connectionsOfOne: 2 });
  const held = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all(held.map((client) => new Promise((resolve) => client.once('connect', resolve))));
  assert.equal(await answerTo(connect(port, '127.0.0.1')), '');
  const other = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' });
  other.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  assert.match(await answerTo(other), /^HTTP\/1\.1 200/);
  await Promise.all(
    held.map((client) => {
      client.destroy();
      return new Promise((resolve) => client.once('close', resolve));
    }),
  );
  const again = connect(port, '127.0.0.1');
  again.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n');
  assert.match(await answerTo(again), /^HTTP\/1\.1 200/);
});
