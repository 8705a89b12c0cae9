import assert from 'node:assert/strict';
import { test } from 'node:test';
import { browserFault } from '../../init/control/browser.ts';
import { ROUTES } from '../../init/control/routes.ts';
import { ask, serve } from './serve.ts';

test('over TCP every route with access health answers, and no other does', async (t) => {
  const { port, init } = await serve(t);
  for (const { method, path, access } of ROUTES) {
    const answer = await ask({ to: { port }, method, path: path.replace('{name}', 'egress') });
    if (access === 'health') assert.equal(answer.status, 200, path);
    else assert.equal(answer.status, 403, path);
  }
  assert.deepEqual(init.commands, []);
});

test('over TCP a wrong method on a private path tells nothing more than 403', async (t) => {
  const { port } = await serve(t);
  assert.equal((await ask({ to: { port }, method: 'DELETE', path: '/v1/status' })).status, 403);
});

test('health is all that anyone may reach: livez, readyz, healthz and metrics', () => {
  const health = ROUTES.filter(({ access }) => access === 'health').map(({ path }) => path);
  assert.deepEqual(health, ['/livez', '/readyz', '/healthz', '/metrics']);
});

test('nothing that changes the bundle is a GET, and every POST needs access operate', () => {
  for (const { method, path, access } of ROUTES) {
    assert.equal(method === 'POST', access === 'operate', path);
  }
});

test('a GET on a command path is refused and sends no command', async (t) => {
  const { socket, init } = await serve(t);
  for (const { path, access } of ROUTES) {
    if (access !== 'operate') continue;
    const answer = await ask({ to: { socket }, path: path.replace('{name}', 'egress') });
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, 'POST');
  }
  assert.deepEqual(init.commands, []);
});

test('over TCP a Host that anyone could have registered is refused (DNS rebinding)', async (t) => {
  const { port } = await serve(t);
  const status = async (host: string): Promise<number> =>
    (await ask({ to: { port }, path: '/healthz', headers: { host } })).status;
  assert.equal(await status('attacker.example.com'), 403);
  assert.equal(await status(`attacker.example.com:${port}`), 403);
  assert.equal(await status('127.0.0.1.nip.io'), 403);
  for (const host of [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '[::1]:9180',
    'localhost',
    'bundle:9180',
    'bundle.default.svc',
  ]) {
    assert.equal(await status(host), 200, host);
  }
});

const OWN = { hosts: ['bundle.example.com'], origins: [] };

test('the name that the listener was given is a good Host', () => {
  assert.equal(browserFault({ host: 'bundle.example.com:9180' }, OWN), undefined);
  assert.match(browserFault({ host: 'other.example.com' }, OWN) ?? '', /other\.example\.com/);
});

test('an origin is listed with the port of its scheme or without it, and with any other port is another', () => {
  const allowed = { hosts: [], origins: ['https://Panel.example.com:443', 'http://localhost:8080'] };
  const isFine = (origin: string): boolean => browserFault({ host: '127.0.0.1', origin }, allowed) === undefined;
  assert.ok(isFine('https://panel.example.com') && isFine('http://localhost:8080'));
  for (const other of ['http://panel.example.com', 'https://panel.example.com:8443', 'http://localhost', 'null', '']) {
    assert.ok(!isFine(other), other);
  }
});

test('a request with an Origin is refused on both listeners', async (t) => {
  const { port, socket } = await serve(t);
  for (const to of [{ port }, { socket }]) {
    const answer = await ask({ to, path: '/healthz', headers: { origin: 'http://localhost' } });
    assert.equal(answer.status, 403);
  }
});

test('a command by the CLI is recorded as cli, any other as http', async (t) => {
  const { socket, init } = await serve(t);
  const path = '/v1/daemons/egress/restart';
  await ask({ to: { socket }, method: 'POST', path, headers: { 'x-bottled-plane': 'cli' } });
  await ask({ to: { socket }, method: 'POST', path });
  await ask({ to: { socket }, method: 'POST', path, headers: { 'x-bottled-plane': 'signal' } });
  assert.deepEqual(
    init.commands.map(({ plane }) => plane),
    ['cli', 'http', 'http'],
  );
});
