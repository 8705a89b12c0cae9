import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { askHttp2, openBottle, readAll, secure, session } from './bottle.ts';

const get = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

test('Host may name what CONNECT named in any spelling', async (t) => {
  const bottle = await openBottle(t);
  for (const host of ['api.example.com', 'API.Example.COM', 'api.example.com:443', 'api.example.com.']) {
    const socket = await secure(bottle, 'api.example.com:443');
    socket.write(get(host));
    assert.match(await readAll(socket), /^HTTP\/1\.1 200 .*"url":"https:\/\/api\.example\.com\/"/s);
  }
});

test('a Host that is not what CONNECT named is answered 421', async (t) => {
  const bottle = await openBottle(t);
  for (const host of [
    'evil.example',
    'api.example.com:80',
    'api.example.com.evil.example',
    'xapi.example.com',
    '127.0.0.1',
  ]) {
    const socket = await secure(bottle, 'api.example.com:443');
    socket.write(get(host));
    assert.match(await readAll(socket), /^HTTP\/1\.1 421 .*egress: the Host header is not the host/s);
  }
  assert.deepEqual(
    bottle.exchanges.map(({ verdict, question }) => [verdict.kind, question.authority.host]),
    Array.from({ length: 5 }, () => ['refused', 'api.example.com']),
  );
});

test('the second request of a connection is held to the same host as the first', async (t) => {
  const bottle = await openBottle(t);
  const socket = await secure(bottle, 'api.example.com:443');
  socket.write(`GET /1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n${get('evil.example')}`);
  assert.match(await readAll(socket), /^HTTP\/1\.1 200 .*HTTP\/1\.1 421 /s);
});

test('a TLS server name that is not what CONNECT named is answered 421, whatever Host says', async (t) => {
  const bottle = await openBottle(t);
  for (const host of ['api.example.com', 'evil.example']) {
    const socket = await secure(bottle, 'api.example.com:443', { serverName: 'evil.example' });
    socket.write(get(host));
    assert.match(await readAll(socket), /^HTTP\/1\.1 421 .*the TLS server name is not the host/s);
  }
  const named = await secure(bottle, '192.0.2.1:443', { serverName: 'api.example.com' });
  named.write(get('192.0.2.1'));
  assert.match(await readAll(named), /^HTTP\/1\.1 421 /);
});

test('a target that is none is told with the host of its tunnel, over HTTP/1.1 and HTTP/2', async (t) => {
  const bottle = await openBottle(t);
  const socket = await secure(bottle, 'api.example.com:443');
  socket.write('GET /a#b HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n');
  assert.match(await readAll(socket), /^HTTP\/1\.1 400 /);
  const client = await session(t, bottle, 'other.example.com:443');
  assert.equal((await askHttp2(client, { ':path': '/a#b', ':authority': 'other.example.com' })).status, 400);
  assert.deepEqual(
    bottle.unread.map(({ refusal, authority }) => [refusal.status, authority?.host]),
    [
      [400, 'api.example.com'],
      [400, 'other.example.com'],
    ],
  );
});

test('HTTP/2 connections are not shared between hosts: :authority has to be what CONNECT named', async (t) => {
  const bottle = await openBottle(t);
  const client = await session(t, bottle, 'api.example.com:443');
  assert.equal((await askHttp2(client, { ':path': '/', ':authority': 'API.example.com' })).status, 200);
  assert.equal((await askHttp2(client, { ':path': '/', ':authority': 'evil.example' })).status, 421);
  assert.equal(
    (await askHttp2(client, { ':path': '/', ':authority': 'api.example.com', host: 'evil.example' })).status,
    400,
  );
  const socket = await secure(bottle, 'api.example.com:443', { serverName: 'evil.example', protocols: ['h2'] });
  const fronted = connect('https://api.example.com', { createConnection: () => socket });
  t.after(() => fronted.destroy());
  assert.equal((await askHttp2(fronted, { ':path': '/' })).status, 421);
});
