import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { type Bottle, startBottle } from './bottle.ts';
import { agentOf, LOCAL_SETTINGS, type Service, startService, trusting } from './world.ts';

/**
 * Eleven ways in which bundles like this one have failed their users before, each as the rule that keeps it from coming back.
 * They run on the whole bundle, as bin/bottled runs it.
 */

const TOKEN = ['failure', 'test', 'credential', '0123456789abcdef'].join('-');

function routesTo(service: Service, path: string): string {
  return `log: 1
routes:
  - host: localhost
    ports: [${service.port}]
    matches: [{ paths: [{ type: Prefix, value: ${path} }] }]
    auth_scheme: Bearer
    token_env: EGRESS_TOKEN_0
`;
}

/** A service that says which credential came, and a bottle that may reach its /v1. */
async function bottleWithService(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const service = await startService(t, (request, response) => {
    if (request.url?.endsWith('/stream')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      service.say = (text) => response.write(`data: ${text}\n\n`);
    } else response.end(`authorization: ${request.headers.authorization ?? 'none'}`);
  }).then((started) => ({ ...started, say: (_text: string): unknown => undefined }));
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': routesTo(service, '/v1'), 'pipelock.yaml': LOCAL_SETTINGS, 'git-gate.yaml': 'repos: {}\n' },
    env: { EGRESS_TOKEN_0: TOKEN, ...trusting(service), ...env },
  });
  return { service, bottle, agent: agentOf(bottle) };
}

/** A new routes.yaml is in force, the `times`th that was. */
async function inForce(bottle: Bottle, times: number): Promise<void> {
  await bottle.saw(/egress +\| egress: loaded 1 route/, times);
}

test('1. the authority that agents trust is at a path of its own, whatever HOME says', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'home-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { service, bottle, agent } = await bottleWithService(t, { HOME: home });
  assert.equal((await agent.ask(`${service.origin}/v1/x`)).status, 200);
  assert.deepEqual(readdirSync(home), []);
  assert.match(readFileSync(join(bottle.data, 'egress/ca/certificate.pem'), 'utf8'), /BEGIN CERTIFICATE/);
});

test('2. egress finds pipelock where it listens; without pipelock it answers 502 and goes nowhere', async (t) => {
  const { service, bottle, agent } = await bottleWithService(t);
  assert.equal((await agent.ask(`${service.origin}/v1/x`)).status, 200);
  assert.equal((await bottle.bottled('stop', 'pipelock')).exitCode, 0);
  const refused = await agent.ask(`${service.origin}/v1/x`);
  assert.equal(refused.status, 502);
  assert.match(refused.text, /^egress: .*pipelock/);
});

test('3. a new route cuts no connection: a stream that is open goes on', async (t) => {
  const { service, bottle, agent } = await bottleWithService(t);
  const stream = await agent.open(`${service.origin}/v1/stream`);
  stream.setEncoding('utf8');
  assert.deepEqual(await once(stream, 'data'), ['data: 1\n\n']);
  writeFileSync(join(bottle.config, 'routes.yaml'), routesTo(service, '/v2'));
  await inForce(bottle, 2);
  assert.equal((await agent.ask(`${service.origin}/v2/x`)).status, 200);
  assert.equal((await agent.ask(`${service.origin}/v1/x`)).status, 403);
  const next = once(stream, 'data');
  service.say('2');
  assert.deepEqual(await next, ['data: 2\n\n']);
  stream.destroy();
});

test('4. SIGHUP to the init reaches the daemons that reload', async (t) => {
  const { bottle } = await bottleWithService(t);
  bottle.signal('SIGHUP');
  await inForce(bottle, 2);
  assert.deepEqual(new Set((await bottle.status()).daemons.map(({ restarts }) => restarts)), new Set([0]));
});

test('5. a credential that egress puts in passes pipelock, which does not hold it', async (t) => {
  const { service, bottle, agent } = await bottleWithService(t);
  assert.equal((await agent.ask(`${service.origin}/v1/x`)).text, `authorization: Bearer ${TOKEN}`);
  const { daemons } = await bottle.status();
  const pid = daemons.find(({ name }) => name === 'pipelock')?.pid;
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
  assert.match(environment, /PIPELOCK_ROUTES=/);
  assert.doesNotMatch(environment, /EGRESS_TOKEN/);
});

test('6. a file that is written in place and one that is renamed over it are both seen', async (t) => {
  const { service, bottle, agent } = await bottleWithService(t);
  const file = join(bottle.config, 'routes.yaml');
  writeFileSync(file, routesTo(service, '/v2'));
  await inForce(bottle, 2);
  assert.equal((await agent.ask(`${service.origin}/v2/x`)).status, 200);
  writeFileSync(`${file}.new`, routesTo(service, '/v3'));
  renameSync(`${file}.new`, file);
  await inForce(bottle, 3);
  assert.equal((await agent.ask(`${service.origin}/v3/x`)).status, 200);
});

/** git as an agent runs it. */
async function git(directory: string, ...args: string[]) {
  const identity = ['-c', 'user.name=agent', '-c', 'user.email=agent@localhost', '-c', 'protocol.version=2'];
  return await execa('git', [...identity, ...args], {
    cwd: directory,
    reject: false,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' },
  });
}

/** A bottle with one repository whose upstream has `commits` commits, the first of them with a secret in it. */
async function bottleWithUpstream(t: TestContext, commits: number, env: Readonly<Record<string, string>> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'upstream-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const work = join(directory, 'work');
  mkdirSync(work);
  await git(work, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(work, 'old.env'), `GITHUB_TOKEN=ghp_${'A1b2C3d4E5f6'.repeat(3)}\n`);
  await git(work, 'add', '.');
  await git(work, 'commit', '--quiet', '-m', 'A secret of long ago');
  const script = Array.from({ length: commits - 1 }, (_, index) => commitLines(index)).join('');
  await execa('git', ['fast-import', '--quiet', '--force'], {
    cwd: work,
    input: `${script.replace('\n', '\nfrom refs/heads/main^0\n')}done\n`,
    reject: false,
  });
  await git(directory, 'clone', '--quiet', '--bare', work, 'upstream.git');
  const bottle = await startBottle(t, {
    files: {
      'routes.yaml': 'routes: []\n',
      'git-gate.yaml': `repos:\n  project: { url: "file://${directory}/upstream.git" }\n`,
    },
    env,
  });
  return { bottle, directory, remote: `http://127.0.0.1:${bottle.ports.GIT_GATE_HTTP_PORT}/project.git` };
}

function commitLines(index: number): string {
  return `commit refs/heads/main\ncommitter a <a@localhost> ${1_700_000_000 + index} +0000\ndata 1\nx\nM 644 inline f${index % 7}\ndata 9\n${String(index).padStart(8, '0')}\n\n`;
}

test('7. a new branch on a long history with old findings is pushed: only what is new is scanned', async (t) => {
  const { directory, remote } = await bottleWithUpstream(t, 438);
  await git(directory, 'clone', '--quiet', remote, 'clone');
  const clone = join(directory, 'clone');
  await git(clone, 'checkout', '--quiet', '-b', 'topic');
  writeFileSync(join(clone, 'new'), 'nothing secret\n');
  await git(clone, 'add', '.');
  await git(clone, 'commit', '--quiet', '-m', 'Work');
  const pushed = await git(clone, 'push', 'origin', 'topic');
  assert.equal(pushed.exitCode, 0, pushed.stderr);
  assert.match(pushed.stderr, /3 new objects/);
  const { stdout } = await git(join(directory, 'upstream.git'), 'rev-list', '--count', 'topic');
  assert.ok(Number(stdout) > 1, stdout);
});

test('8. requests that nobody answers do not pile up: what waits for an upstream is ended with its client', async (t) => {
  const waiting = new Set<string>();
  let allWait = (): void => {};
  const service = await startService(t, (request, response) => {
    waiting.add(request.url ?? '');
    response.on('close', () => waiting.delete(request.url ?? ''));
    if (waiting.size === 20) allWait();
  });
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': routesTo(service, '/v1'), 'pipelock.yaml': LOCAL_SETTINGS, 'git-gate.yaml': 'repos: {}\n' },
    env: { EGRESS_TOKEN_0: TOKEN, ...trusting(service) },
  });
  const agent = agentOf(bottle);
  const everyoneWaits = new Promise<void>((resolve) => {
    allWait = resolve;
  });
  const client = new AbortController();
  const requests = Array.from({ length: 20 }, (_, index) =>
    agent.ask(`${service.origin}/v1/${index}`, { signal: client.signal }).catch(() => 'given up'),
  );
  await everyoneWaits;
  client.abort();
  assert.deepEqual(new Set(await Promise.all(requests)), new Set(['given up']));
  while (waiting.size > 0) await new Promise((resolve) => setImmediate(resolve));
  const metrics = await fetch(`http://127.0.0.1:${bottle.ports.EGRESS_METRICS_PORT}/metrics`).then((page) =>
    page.text(),
  );
  assert.match(metrics, /^egress_open_tunnels 0$/m);
});

test('9. a restart that waits for a daemon holds nothing else up, and asking twice restarts once', async (t) => {
  const { bottle, service, agent } = await bottleWithService(t);
  bottle.signal('SIGUSR1');
  bottle.signal('SIGUSR1');
  assert.equal((await bottle.status()).bundle.ending, null);
  await bottle.saw(/bottled +\| pipelock: starting → running/, 2);
  const restarted = (await bottle.status()).daemons.find(({ name }) => name === 'egress');
  assert.equal(restarted?.restarts, 0);
  assert.equal((await agent.ask(`${service.origin}/v1/x`)).status, 200);
});

test('10. git-gate fetches from its upstream by itself: proxy variables of the container do not reach git', async (t) => {
  const nowhere = 'http://127.0.0.1:9';
  const { directory, remote } = await bottleWithUpstream(t, 2, {
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    http_proxy: nowhere,
    https_proxy: nowhere,
    ALL_PROXY: nowhere,
  });
  const cloned = await git(directory, 'clone', remote, 'clone');
  assert.equal(cloned.exitCode, 0, cloned.stderr);
});

test('11. an agent whose NO_PROXY lacks a daemon of the bundle is told so', async (t) => {
  const { agent } = await bottleWithService(t);
  for (const host of ['supervise:9100', 'git-gate:9420', 'mcp-bridge:8090']) {
    const { status, text } = await agent.ask(`http://${host}/`);
    assert.equal(status, 403);
    assert.equal(
      text.trim(),
      `egress: ${host.split(':')[0]} is in the bundle itself, not behind the proxy; add it to NO_PROXY`,
    );
  }
});
