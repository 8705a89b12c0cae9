import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { TokenSource } from '../../init/bundle/control.ts';
import { createControl } from '../../init/control/control.ts';
import type { Limits } from '../../init/control/limits.ts';
import { ROUTES } from '../../init/control/routes.ts';
import type { Timing } from '../../init/control/tokens/token.ts';
import { createTokens } from '../../init/control/tokens/tokens.ts';
import { fakeInit } from './fake-init.ts';
import { type Asked, ask, open, scratch, until } from './serve.ts';
import { type FakeVault, fakeVault, madeUp } from './tokens-world.ts';

const RESTART = '/v1/daemons/egress/restart';

interface World {
  readonly init: ReturnType<typeof fakeInit>;
  readonly port: number;
  readonly socket: string;
  readonly told: string[];
  readonly secrets: () => readonly string[];
  readonly denied: string[];
  /** GET, or POST for a command, with this token. */
  go(path: string, token?: string, headers?: Readonly<Record<string, string>>): Promise<Asked>;
  status(): ReturnType<NonNullable<ReturnType<typeof createTokens>>['status']>;
}

async function world(
  t: TestContext,
  sources: { readonly read?: TokenSource; readonly operate?: TokenSource },
  more: {
    readonly timing?: Partial<Timing>;
    readonly limits?: Partial<Limits>;
    readonly origins?: readonly string[];
  } = {},
): Promise<World> {
  const told: string[] = [];
  const denied: string[] = [];
  let secrets: readonly string[] = [];
  const tokens = createTokens({
    sources,
    onSecrets: (list) => {
      secrets = list;
    },
    onChange: (level, text) => told.push(`${level}: ${text}`),
    timing: { jitter: () => 3_600_000, doubtAfter: 0, ...more.timing },
  });
  const init = fakeInit();
  init.tokens = () => tokens?.status() ?? [];
  const socket = join(scratch(t), 'control.sock');
  const control = await createControl({
    init,
    socket,
    listen: '127.0.0.1:0',
    tokens,
    allowed: { hosts: ['panel.example.com'], origins: more.origins ?? [] },
    onProblem: (text) => told.push(text),
    onDenied: (denial) => denied.push(denial),
    ...(more.limits && { limits: more.limits }),
  });
  t.after(() => control.close());
  const port = control.address?.port ?? 0;
  return {
    init,
    port,
    socket,
    told,
    denied,
    secrets: () => secrets,
    status: () => tokens?.status() ?? [],
    go: (path, token, headers = {}) =>
      ask({
        to: { port },
        method: ROUTES.some((route) => route.method === 'POST' && match(route.path, path)) ? 'POST' : 'GET',
        path,
        headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
      }),
  };
}

function match(pattern: string, path: string): boolean {
  return pattern.replace('{name}', 'egress') === path;
}

function file(t: TestContext, text: string): { readonly path: string; readonly source: TokenSource } {
  const path = join(scratch(t), 'token');
  writeFileSync(path, `${text}\n`);
  return { path, source: { file: path, refresh: 60_000 } };
}

const typeOf = ({ json }: Asked): string => String(Reflect.get(json as object, 'type')).replace(/.*:/, '');

test('the read token may look and not command, the operate token may do both, and health needs none', async (t) => {
  const [read, operate] = [madeUp(), madeUp()];
  const { go, init } = await world(t, { read: file(t, read).source, operate: file(t, operate).source });
  for (const [token, look, command] of [
    [undefined, 401, 401],
    [madeUp(), 401, 401],
    [read, 200, 403],
    [operate, 200, 202],
  ] as const) {
    assert.equal((await go('/v1/status', token)).status, look);
    assert.equal((await go(RESTART, token)).status, command);
    assert.equal((await go('/healthz', token)).status, 200);
  }
  assert.deepEqual([init.commands[0]?.plane, init.givers], ['http', ['operate token at 127.0.0.1']]);
});

test('with a token every route of its access is served over TCP, and without one none but health', async (t) => {
  const operate = madeUp();
  const { go } = await world(t, { operate: file(t, operate).source });
  for (const { path, access, method } of ROUTES) {
    const concrete = path.replace('{name}', 'egress');
    assert.equal((await go(concrete)).status, access === 'health' ? 200 : 401, path);
    if (method === 'GET') assert.equal((await go(concrete, operate)).status, 200, path);
  }
});

test('where only a read token is named, no token commands', async (t) => {
  const read = madeUp();
  const { go, init } = await world(t, { read: file(t, read).source });
  const answer = await go(RESTART, read);
  assert.deepEqual([answer.status, typeOf(answer)], [403, 'not-here']);
  assert.match(answer.body, /control\.tokens\.operate/);
  assert.deepEqual(init.commands, []);
});

test('a refusal names what is wrong by RFC 6750, and tells nothing of the path', async (t) => {
  const [read, operate] = [madeUp(), madeUp()];
  const { go, port } = await world(t, { read: file(t, read).source, operate: file(t, operate).source });
  const challenge = async (path: string, token?: string) => (await go(path, token)).headers['www-authenticate'];
  assert.equal(await challenge('/v1/status'), 'Bearer realm="bottled"');
  assert.equal(await challenge('/v1/status', madeUp()), 'Bearer realm="bottled", error="invalid_token"');
  assert.equal(await challenge(RESTART, read), 'Bearer realm="bottled", error="insufficient_scope"');
  for (const method of ['GET', 'DELETE']) {
    assert.equal((await ask({ to: { port }, method, path: '/v1/daemons/nobody/stop' })).status, 401);
  }
  for (const authorization of ['Basic eDp5', 'Bearer', `Bearer ${operate} x`, `Bearer${operate}`, 'Bearer \u00fc']) {
    assert.equal((await ask({ to: { port }, path: '/v1/status', headers: { authorization } })).status, 401);
  }
});

test('a token that its file holds now is in force at the next request, and the one before is void', async (t) => {
  const [before, after] = [madeUp(), madeUp()];
  const { path, source } = file(t, before);
  const { go, told } = await world(t, { operate: source });
  assert.equal((await go('/v1/status', before)).status, 200);
  writeFileSync(`${path}.new`, after);
  renameSync(`${path}.new`, path);
  assert.equal((await go('/v1/status', after)).status, 200);
  assert.equal((await go('/v1/status', before)).status, 401);
  assert.equal(told.filter((line) => /the operate token is another now, from file/.test(line)).length, 1);
});

test('a stream that is open keeps what its token was worth when it began', async (t) => {
  const [before, after] = [madeUp(), madeUp()];
  const { path, source } = file(t, before);
  const { go, port, init } = await world(t, { read: source });
  const headers = { authorization: `Bearer ${before}`, accept: 'text/event-stream' };
  const stream = await open({ to: { port }, path: '/v1/events', headers });
  let seen = '';
  stream.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  await until(() => seen.includes('event: snapshot'), 'the stream begins');
  writeFileSync(path, after);
  assert.equal((await go('/v1/status', before)).status, 401);
  init.record({ type: 'incident', daemon: 'egress', text: 'after the change' });
  await until(() => seen.includes('after the change'), 'the stream goes on');
  stream.destroy();
});

test('a source that fails leaves the token in force, and is told once until it works again', async (t) => {
  const token = madeUp();
  const { path, source } = file(t, token);
  const { go, told, status } = await world(t, { read: source });
  assert.equal((await go('/v1/status', token)).status, 200);
  rmSync(path);
  for (let i = 0; i < 3; i++) assert.equal((await go('/v1/status', token)).status, 200);
  assert.deepEqual([status()[0]?.known, status()[0]?.last_refresh_ok], [true, false]);
  assert.ok((status()[0]?.refresh_failures ?? 0) >= 3);
  writeFileSync(path, token);
  assert.equal((await go('/v1/status', token)).status, 200);
  assert.equal(status()[0]?.last_refresh_ok, true);
  assert.deepEqual(
    told.map((line) => /cannot be refreshed|is known|again/.exec(line)?.[0]),
    ['is known', 'cannot be refreshed', 'again'],
  );
  assert.match(told[1] ?? '', /ENOENT.*the one that is known stays in force/);
});

test('a source that has never answered lets nobody in, and says so', async (t) => {
  const operate = madeUp();
  const { go, told, status } = await world(t, {
    read: { file: join(scratch(t), 'nowhere'), refresh: 60_000 },
    operate: file(t, operate).source,
  });
  const answer = await go('/v1/status', madeUp());
  assert.deepEqual([answer.status, typeOf(answer), answer.headers['retry-after']], [503, 'token-unknown', '10']);
  assert.doesNotMatch(answer.body, /nowhere/);
  assert.equal((await go('/v1/status')).status, 401);
  assert.equal((await go('/v1/status', operate)).status, 200);
  assert.equal(status()[0]?.known, false);
  assert.match(told.join('\n'), /the read token cannot be refreshed: file .*nowhere.*nobody gets in by it/);
});

test('a source that is not up yet is asked again soon', async (t) => {
  const directory = scratch(t);
  const path = join(directory, 'token');
  const { status } = await world(t, { read: { file: path, refresh: 3_600_000 } });
  await until(() => (status()[0]?.refresh_failures ?? 0) > 0, 'the first try has failed');
  writeFileSync(path, madeUp());
  await until(() => status()[0]?.known === true, 'it is read');
});

test('what is no bearer token is not taken for one: empty, short, with blanks, a directory, a link to nothing', async (t) => {
  const directory = scratch(t);
  symlinkSync(join(directory, 'nothing'), join(directory, 'link'));
  writeFileSync(join(directory, 'empty'), '');
  writeFileSync(join(directory, 'short'), 'abc123');
  writeFileSync(join(directory, 'two'), `${madeUp()} ${madeUp()}`);
  writeFileSync(join(directory, 'big'), 'a'.repeat(10_000));
  for (const name of ['empty', 'short', 'two', 'big', 'link', '.']) {
    const { go, told } = await world(t, { operate: { file: join(directory, name), refresh: 60_000 } });
    for (const token of ['', 'abc123', 'a'.repeat(10_000).slice(0, 4_000)]) {
      assert.notEqual((await go('/v1/status', token)).status, 200, name);
    }
    assert.match(told.join('\n'), /cannot be refreshed/, name);
    assert.doesNotMatch(told.join('\n'), /abc123/);
  }
});

test('one text for both tokens is good for reading only', async (t) => {
  const same = madeUp();
  const { go, told } = await world(t, { read: file(t, same).source, operate: file(t, same).source });
  assert.equal((await go(RESTART, same)).status, 403);
  assert.equal((await go('/v1/status', same)).status, 200);
  assert.equal(told.filter((line) => /both tokens are the same/.test(line)).length, 1);
});

test('a token can come from a variable of the environment', async (t) => {
  const token = madeUp();
  process.env.BOTTLED_TEST_TOKEN = token;
  t.after(() => delete process.env.BOTTLED_TEST_TOKEN);
  const { go } = await world(t, { read: { environment: 'BOTTLED_TEST_TOKEN', refresh: 60_000 } });
  await until(() => true, 'it is read');
  assert.equal((await go('/v1/status', token)).status, 200);
});

test('each token is refreshed on its own timer', async (t) => {
  const vault = await fakeVault(t);
  const [read, operate, later] = [madeUp(), madeUp(), madeUp()];
  vault.secrets.set('secret/data/agent/d1/status_panel_token', read);
  vault.secrets.set('secret/data/agent/d1/compose_agent_token', operate);
  const ask = (kind: string) => vault.asked.filter((path) => path.endsWith(kind)).length;
  const { status, told } = await world(
    t,
    {
      read: fromVault(t, vault, 'status_panel_token', 10),
      operate: fromVault(t, vault, 'compose_agent_token', 3_600_000),
    },
    { timing: { jitter: () => 1 } },
  );
  await until(() => ask('status_panel_token') >= 4, 'the read token is read again and again');
  assert.equal(ask('compose_agent_token'), 1);
  vault.secrets.set('secret/data/agent/d1/status_panel_token', later);
  await until(() => told.some((line) => /the read token is another now/.test(line)), 'it has changed');
  assert.deepEqual(
    status().map(({ name, source, last_refresh_ok }) => [name, source, last_refresh_ok]),
    [
      ['read', 'vault', true],
      ['operate', 'vault', true],
    ],
  );
});

function fromVault(
  t: TestContext,
  { address, credential }: FakeVault,
  tokenKey: string,
  refresh = 60_000,
): TokenSource {
  const path = join(scratch(t), 'vault-token');
  writeFileSync(path, credential);
  return {
    refresh,
    vault: { address, prefix: 'secret/data/agent', deployment_hash: 'd1', token_key: tokenKey, token: { file: path } },
  };
}

test('a token that was changed in Vault is good at once: a wrong one makes the init ask again', async (t) => {
  const vault = await fakeVault(t);
  const [before, after] = [madeUp(), madeUp()];
  const path = 'secret/data/agent/d1/compose_agent_token';
  vault.secrets.set(path, before);
  const { go } = await world(t, { operate: fromVault(t, vault, 'compose_agent_token') });
  await until(() => vault.asked.length === 1, 'it is read');
  assert.equal((await go(RESTART, before)).status, 202);
  vault.secrets.set(path, after);
  assert.equal((await go(RESTART, after)).status, 202);
  assert.equal((await go(RESTART, before)).status, 401);
});

test('wrong tokens make the init ask Vault no more often than its pause allows', async (t) => {
  const vault = await fakeVault(t);
  const token = madeUp();
  vault.secrets.set('secret/data/agent/d1/compose_agent_token', token);
  const { go } = await world(
    t,
    { operate: fromVault(t, vault, 'compose_agent_token') },
    { timing: { doubtAfter: 3_600_000 }, limits: { strangers: { burst: 1_000, perSecond: 1 } } },
  );
  for (let i = 0; i < 20; i++) assert.notEqual((await go('/v1/status', madeUp())).status, 200);
  assert.equal(vault.asked.length, 1);
});

test('Vault that refuses, is sealed, has nothing there, redirects, answers nonsense or nothing keeps the token in force', async (t) => {
  const vault = await fakeVault(t);
  const token = madeUp();
  vault.secrets.set('secret/data/agent/d1/status_panel_token', token);
  const { go, told, secrets } = await world(
    t,
    { read: fromVault(t, vault, 'status_panel_token') },
    { timing: { timeout: 300 } },
  );
  assert.equal((await go('/v1/status', token)).status, 200);
  const other = await fakeVault(t);
  for (const [mood, words] of [
    [{ status: 403, body: '{}' }, /may not read \/v1\/secret\/data\/agent\/d1\/status_panel_token, or has expired/],
    [{ status: 404, body: '{}' }, /has nothing at .*check prefix/],
    [{ status: 503, body: '{}' }, /is sealed/],
    [{ status: 307, body: '', location: `${other.address}/v1/x` }, /sends to another server/],
    [{ status: 200, body: 'nonsense' }, /no field "token"/],
    [{ status: 200, body: '{"data":{"token":"v1"}}' }, /is it a secret of KV version 2/],
    [{ status: 200, body: '{"data":{"data":{"token":7}}}' }, /no field "token"/],
    [{ status: 200, body: `"${'x'.repeat(70_000)}"` }, /more than 65536 bytes/],
    ['silent', /no answer in time/],
  ] as const) {
    vault.mood = mood;
    await go('/v1/status', madeUp());
    assert.match(told.at(-1) ?? '', words);
    assert.equal((await go('/v1/status', token)).status, 200);
    vault.mood = 'well';
    await go('/v1/status', madeUp());
    assert.match(told.at(-1) ?? '', /can be refreshed again/);
  }
  assert.deepEqual(other.asked, []);
  assert.ok(secrets().includes(token) && secrets().includes(vault.credential));
  for (const line of told) assert.ok(!line.includes(token) && !line.includes(vault.credential));
});

test('over TCP nobody is the command line; mcp and web are labels that anyone with a token may use', async (t) => {
  const token = madeUp();
  const { go, init } = await world(t, { operate: file(t, token).source });
  for (const plane of ['cli', 'signal', 'mcp', 'web', 'nonsense']) {
    await go(RESTART, token, { 'x-bottled-plane': plane });
  }
  assert.deepEqual(
    init.commands.map(({ plane }) => plane),
    ['http', 'http', 'mcp', 'web', 'http'],
  );
});

test('a page from a listed origin may ask with a token, and counts for web; any other is refused', async (t) => {
  const token = madeUp();
  const origin = 'https://panel.example.com';
  const { go, port, init } = await world(t, { operate: file(t, token).source }, { origins: [origin] });
  const answer = await go(RESTART, token, { origin, host: 'panel.example.com' });
  assert.deepEqual(
    [answer.status, answer.headers['access-control-allow-origin'], answer.headers.vary],
    [202, origin, 'Origin'],
  );
  assert.equal(init.commands[0]?.plane, 'web');
  assert.equal((await go(RESTART, undefined, { origin })).status, 401);
  for (const other of ['https://panel.example.com.evil.test', 'null', 'http://panel.example.com']) {
    const refused = await go(RESTART, token, { origin: other });
    assert.deepEqual([refused.status, refused.headers['access-control-allow-origin']], [403, undefined]);
  }
  const preflight = (from: string) =>
    ask({ to: { port }, method: 'OPTIONS', path: RESTART, headers: { origin: from } });
  const asked = await preflight(origin);
  assert.deepEqual([asked.status, asked.headers['access-control-allow-methods']], [204, 'GET, POST']);
  assert.equal((await preflight('https://evil.test')).status, 403);
  assert.equal((await go('/v1/status', token, { host: 'evil.example.com' })).status, 403);
  assert.equal(init.commands.length, 1);
});

test('commands of one control plane are bounded, and leave those of another alone', async (t) => {
  const token = madeUp();
  const { go, socket, denied } = await world(
    t,
    { operate: file(t, token).source },
    { limits: { commands: { burst: 3, perSecond: 0.001 } } },
  );
  for (let i = 0; i < 3; i++) assert.equal((await go(RESTART, token)).status, 202);
  const over = await go(RESTART, token);
  assert.deepEqual([over.status, typeOf(over)], [429, 'too-many-requests']);
  assert.ok(Number(over.headers['retry-after']) > 1);
  const post = (headers: Readonly<Record<string, string>>) =>
    ask({ to: { socket }, method: 'POST', path: RESTART, headers });
  assert.equal((await post({})).status, 429, 'the same plane by the socket');
  assert.equal((await post({ 'x-bottled-plane': 'cli' })).status, 202);
  assert.equal((await go('/v1/status', token)).status, 200);
  assert.deepEqual(denied, ['too-many-requests', 'too-many-requests']);
});

test('who has no token cannot use up the share of those who have one', async (t) => {
  const token = madeUp();
  const { go } = await world(
    t,
    { operate: file(t, token).source },
    { limits: { strangers: { burst: 2, perSecond: 0.001 } } },
  );
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push((await go('/v1/status', madeUp())).status);
  assert.deepEqual(statuses, [401, 401, 429, 429]);
  assert.equal((await go('/v1/status', token)).status, 200);
  assert.equal((await go('/healthz')).status, 200);
});

test('who may only look cannot use up the share of who commands', async (t) => {
  const [read, operate] = [madeUp(), madeUp()];
  const { go } = await world(
    t,
    { read: file(t, read).source, operate: file(t, operate).source },
    { limits: { requests: { burst: 2, perSecond: 0.001 } } },
  );
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await go('/v1/status', read)).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.equal((await go(RESTART, operate)).status, 202);
});

test('of two Authorization headers none counts', async (t) => {
  const token = madeUp();
  const { port } = await world(t, { read: file(t, token).source });
  const two = `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`;
  const client = connect(port, '127.0.0.1');
  client.end(`GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${two}\r\n`);
  assert.match(await text(client), /^HTTP\/1\.1 401 /);
});

/** A Vault that answers with these bytes, and ends the connection or does not. */
async function rawVault(t: TestContext, bytes: string, isEnded: boolean): Promise<TokenSource> {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.once('data', () => (isEnded ? socket.end(bytes) : socket.write(bytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const token = file(t, madeUp()).source;
  const vault = { address: `http://127.0.0.1:${port}`, prefix: 'secret/data/agent', deployment_hash: 'hash', token };
  return { refresh: 60_000, vault };
}

test('an answer of Vault may end with its connection', async (t) => {
  const token = madeUp();
  const answer = `HTTP/1.0 200 OK\r\n\r\n{"data":{"data":{"token":"${token}"}}}`;
  const { go, told } = await world(t, { read: await rawVault(t, answer, true) });
  await until(() => told.length > 0, 'Vault is asked');
  assert.equal((await go('/v1/status', token)).status, 200, told.join());
});

test('an answer of Vault that never ends is none, whatever has come of it', async (t) => {
  for (const length of ['', 'Content-Length: 100\r\n']) {
    const answer = `HTTP/1.0 200 OK\r\n${length}\r\n{"data":{"data":{"token":"${madeUp()}"}}}`;
    const { told, status } = await world(t, { read: await rawVault(t, answer, false) }, { timing: { timeout: 200 } });
    await until(() => told.length > 0, 'Vault is asked');
    assert.match(told.join(), /has not answered whole: no answer in time; nobody gets in by it/);
    assert.equal(status()[0]?.known, false);
  }
});

test('a command by a unix socket names the user and the process that gave it', async (t) => {
  const { socket, init } = await world(t, {});
  await ask({ to: { socket }, method: 'POST', path: RESTART, headers: { 'x-bottled-plane': 'cli' } });
  assert.deepEqual([init.commands[0]?.plane, init.givers], ['cli', [`uid ${process.getuid?.()} (pid ${process.pid})`]]);
});

test('the capabilities tell each caller what it may do', async (t) => {
  const [read, operate] = [madeUp(), madeUp()];
  const { go, socket } = await world(t, { read: file(t, read).source, operate: file(t, operate).source });
  const of = async (answer: Promise<Asked>) => (await answer).json as Record<string, unknown>;
  const looking = await of(go('/v1/capabilities', read));
  assert.deepEqual(
    [looking.access, looking.control_plane, looking.layout, looking.compose_agent],
    [['health', 'read'], 'http', 'bundle', true],
  );
  assert.ok(!(looking.features as string[]).includes('restart'));
  const operating = await of(go('/v1/capabilities', operate, { 'x-bottled-plane': 'web' }));
  assert.ok((operating.features as string[]).includes('restart'));
  assert.equal(operating.control_plane, 'web');
  assert.deepEqual((await of(ask({ to: { socket }, path: '/v1/capabilities' }))).access, ['health', 'read', 'operate']);
});

test('status, metrics and health tell of commands by plane and of tokens, never a token', async (t) => {
  const token = madeUp();
  const { go } = await world(t, { operate: file(t, token).source });
  await go(RESTART, token, { 'x-bottled-plane': 'mcp' });
  const status = await go('/v1/status', token);
  const { control } = status.json as {
    control: { commands: Record<string, unknown>; tokens: Record<string, unknown>[] };
  };
  assert.deepEqual([control.commands.total, control.commands.last_plane], [1, 'mcp']);
  assert.deepEqual([control.tokens[0]?.name, control.tokens[0]?.last_refresh_ok], ['operate', true]);
  const health = await go('/healthz');
  assert.deepEqual((health.json as { commands: unknown }).commands, control.commands);
  const metrics = (await go('/metrics')).body;
  for (const line of [
    'bottled_commands_total{plane="mcp"} 1',
    'bottled_control_token_known{token="operate",source="file"} 1',
    'bottled_control_token_refresh_ok{token="operate",source="file"} 1',
  ]) {
    assert.ok(metrics.includes(line), line);
  }
  assert.match(metrics, /bottled_last_command_timestamp_seconds\{plane="mcp"\} \d+/);
  for (const text of [status.body, health.body, metrics]) assert.ok(!text.includes(token));
});

test('Vault can ask for a certificate, and the certificate of Vault must be of its authority', async (t) => {
  const directory = scratch(t);
  const pem = (name: string) => readFileSync(join(directory, name), 'utf8');
  makeCertificates(directory);
  const tls = { cert: pem('server.crt'), key: pem('server.key'), ca: pem('ca.crt') };
  const vault = await fakeVault(t, tls);
  const token = madeUp();
  vault.secrets.set('secret/data/agent/d1/status_panel_token', token);
  const source = fromVault(t, vault, 'status_panel_token');
  if (source.vault === undefined) throw new Error('not a source of this kind');
  const at = (name: string) => join(directory, name);
  const shown = { client_cert: at('client.crt'), client_key: at('client.key') };
  for (const [files, status] of [
    [{ ca: at('ca.crt'), ...shown }, 200],
    [{ ca: at('ca.crt') }, 503],
    [shown, 503],
  ] as const) {
    const { go } = await world(t, { read: { ...source, vault: { ...source.vault, ...files } } });
    assert.equal((await go('/v1/status', token)).status, status);
  }
});

/** An authority, and a server and a client that it vouches for. */
function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=ca', '-days', '2');
  for (const name of ['server', 'client']) {
    writeFileSync(join(directory, `${name}.ext`), 'subjectAltName=IP:127.0.0.1\n');
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`);
  }
}
