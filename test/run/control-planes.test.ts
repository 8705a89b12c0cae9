import assert from 'node:assert/strict';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AuditEntry } from '../../init/control/audit.ts';
import { ask, open, scratch, until } from '../control/serve.ts';
import { fakeVault, madeUp } from '../control/tokens-world.ts';
import { startInit, startInitOn } from './init.ts';

const SLEEPER = 'command: [sleep, "1000"], restart: always, ready: { after: 0s }';

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

test('both tokens are changed, each in its own source, while requests run', async (t) => {
  const vault = await fakeVault(t);
  const directory = scratch(t);
  const port = await freePort();
  const [read, operate] = [
    [madeUp(), madeUp()],
    [madeUp(), madeUp()],
  ] as const;
  const path = 'secret/data/agent/d1/compose_agent_token';
  vault.secrets.set(path, operate[0]);
  writeFileSync(join(directory, 'read'), read[0]);
  writeFileSync(join(directory, 'vault'), vault.credential);
  const init = startInit(
    t,
    `control:
  listen: 127.0.0.1:${port}
  tokens:
    read: { file: ${directory}/read }
    operate:
      vault: { address: "${vault.address}", prefix: secret/data/agent, deployment_hash: d1, token: { file: ${directory}/vault } }
daemons: { a: { ${SLEEPER} } }`,
  );
  await init.saw(/the operate token is known/);
  const get = (token: string) => ask({ to: { port }, path: '/v1/status', headers: bearer(token) });
  const restart = (token: string) =>
    ask({ to: { port }, method: 'POST', path: '/v1/daemons/a/restart?wait=10000', headers: bearer(token) });
  assert.deepEqual([(await get(read[0])).status, (await restart(operate[0])).status], [200, 200]);

  const stream = await open({
    to: { port },
    path: '/v1/events',
    headers: { ...bearer(read[0]), accept: 'text/event-stream' },
  });
  let seen = '';
  stream.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  await until(() => seen.includes('event: snapshot'), 'the stream begins');
  writeFileSync(join(directory, 'read.new'), read[1]);
  renameSync(join(directory, 'read.new'), join(directory, 'read'));
  vault.secrets.set(path, operate[1]);
  assert.deepEqual([(await get(read[1])).status, (await get(read[0])).status], [200, 401]);
  await init.saw(/the read token is another now/);
  assert.equal((await get(operate[0])).status, 200, 'the other token goes on');
  assert.equal(seen.includes('event: answer'), false);
  assert.equal((await init.bottled('restart', 'a')).exitCode, 0);
  await until(() => seen.includes('event: answer'), 'the stream goes on although its token is void');
  stream.destroy();
  for (const token of [...read, ...operate, vault.credential]) assert.ok(!init.output().includes(token));
});

test('a token that a daemon prints is masked', async (t) => {
  const port = await freePort();
  const token = madeUp();
  const init = startInit(
    t,
    `control: { listen: "127.0.0.1:${port}", tokens: { operate: { environment: MY_TOKEN } } }
daemons: { a: { command: [sh, -c, "until test -e go; do sleep 0.05; done; echo token: $$MY_TOKEN end; exec sleep 1000"], environment: [MY_TOKEN] } }`,
    { env: { MY_TOKEN: token } },
  );
  await init.saw(/the operate token is known/);
  writeFileSync(join(init.directory, 'go'), '');
  await init.saw(/\| token: \*\*\* end/);
  assert.ok(!init.output().includes(token));
});

test('every command is counted by its control plane, and kept in a trail that outlives the bundle', async (t: TestContext) => {
  const directory = scratch(t);
  const port = await freePort();
  const token = madeUp();
  writeFileSync(join(directory, 'token'), token);
  const file = join(directory, 'bundle.yaml');
  writeFileSync(
    file,
    `control:
  listen: 127.0.0.1:${port}
  tokens: { operate: { file: token } }
  audit: { path: init/audit.jsonl }
signals: { SIGUSR1: { restart: [a] } }
daemons: { a: { ${SLEEPER} } }`,
  );
  const first = startInitOn(t, file, directory);
  await first.saw(/control socket/);
  await first.saw(/the operate token is known/);
  assert.equal((await first.bottled('restart', 'a')).exitCode, 0);
  const path = '/v1/daemons/a/restart?wait=10000';
  for (const plane of ['http', 'mcp', 'web']) {
    const headers = { ...bearer(token), 'x-bottled-plane': plane };
    assert.equal((await ask({ to: { port }, method: 'POST', path, headers })).status, 200);
  }
  first.signal('SIGUSR1');
  await first.saw(/signal: a restarts/);
  const { control } = await first.status();
  assert.deepEqual(control.commands.by_plane, { cli: 1, http: 1, signal: 1, mcp: 1, web: 1 });
  assert.equal(control.commands.last_plane, 'signal');
  first.signal('SIGTERM');
  await first.ended();

  const trail = join(directory, 'init', 'audit.jsonl');
  assert.equal(statSync(trail).mode & 0o777, 0o600);
  const entries: AuditEntry[] = readFileSync(trail, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    entries.map(({ plane, command, daemon, result }) => [plane, command, daemon, result]),
    [
      ['cli', 'restart', 'a', 'accepted'],
      ['http', 'restart', 'a', 'accepted'],
      ['mcp', 'restart', 'a', 'accepted'],
      ['web', 'restart', 'a', 'accepted'],
      ['signal', 'restart', 'a', 'accepted'],
      ['signal', 'SIGTERM', null, 'accepted'],
    ],
  );
  assert.match(entries[0]?.who ?? '', /^uid \d+ \(pid \d+\)$/);
  assert.equal(entries[1]?.who, 'operate token at 127.0.0.1');

  const second = startInitOn(t, file, directory);
  await second.saw(/control socket/);
  await second.saw(/the operate token is known/);
  const { stdout } = await second.bottled('events', '--commands');
  assert.match(stdout, /cli {5}accepted {2}restart a: .* \(uid \d+ \(pid \d+\)\)\n/);
  assert.match(stdout, /signal {2}accepted {2}SIGTERM: SIGTERM received$/m);
});

test('a trail that cannot be kept is a warning, and commands go on', async (t) => {
  const init = startInit(t, `control: { audit: { path: /proc/nowhere/audit.jsonl } }\ndaemons: { a: { ${SLEEPER} } }`);
  await init.saw(/the audit trail cannot be kept in \/proc\/nowhere\/audit\.jsonl/);
  assert.equal((await init.bottled('restart', 'a')).exitCode, 0);
  assert.match((await init.bottled('events', '--commands')).stdout, /restart a/);
});

test('the legacy layout tells so once, and the bundle says nothing', async (t) => {
  const bundle = `daemons: { a: { ${SLEEPER} } }`;
  const legacy = startInit(t, bundle, { env: { BOTTLED_LAYOUT: 'split' } });
  await legacy.saw(/compose_agent=false - running in legacy mode/);
  const socket = join(legacy.directory, 'run', 'control.sock');
  const { json } = await ask({ to: { socket }, path: '/v1/capabilities' });
  assert.deepEqual(
    [Reflect.get(json as object, 'layout'), Reflect.get(json as object, 'compose_agent')],
    ['split', false],
  );
  const usual = startInit(t, bundle);
  await usual.saw(/control socket/);
  assert.doesNotMatch(usual.output(), /compose_agent/);
});
