import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { execa } from 'execa';
import { type Bottle, startBottle } from '../daemons/bottle.ts';
import { makeUpstream, must, scratch } from '../daemons/git-gate/world.ts';
import { operatorOf } from '../daemons/operator.ts';
import { BOTTLED } from '../run/init.ts';
import { pictureOf, until } from './world.ts';

const BUNDLE = new URL('../../daemons/bundle.yaml', import.meta.url).pathname;
const ROUTES = 'routes:\n  - host: localhost\n    ports: [1]\n';

/** What a bottle is to its agent and its operator. */
interface Identity {
  readonly fingerprint: string;
  readonly proposals: string;
  readonly log: string;
  readonly routes: string;
}

async function identityOf(bottle: Bottle): Promise<Identity> {
  const { proposals } = operatorOf(bottle);
  const certificate = readFileSync(join(bottle.data, 'egress/ca/certificate.pem'));
  return {
    fingerprint: new X509Certificate(certificate).fingerprint256,
    proposals: (await proposals(['list', '--all', '--json'])).stdout,
    log: (await proposals(['verify'])).stdout.replaceAll(bottle.data, ''),
    routes: readFileSync(join(bottle.config, 'routes.yaml'), 'utf8'),
  };
}

async function agentOf(t: TestContext, bottle: Bottle): Promise<Client> {
  const agent = new Client({ name: 'agent', version: '1' });
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${bottle.ports.SUPERVISE_PORT}/mcp`)),
  );
  t.after(() => agent.close());
  return agent;
}

const environmentOf = ({ config, data, directory }: Bottle) => ({
  PATH: process.env.PATH ?? '',
  BOTTLED_CONFIG: config,
  BOTTLED_DATA: data,
  BOTTLED_SOCKET: join(directory, 'run', 'control.sock'),
});

function command(bottle: Bottle, ...args: string[]) {
  return execa(BOTTLED, args, { reject: false, extendEnv: false, env: environmentOf(bottle) });
}

test('a running bottle is backed up and wiped; restored, it has its authority, its proposals, its log, its routes and its repositories', async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  const files = {
    'routes.yaml': '# by hand\nroutes: []\n',
    'git-gate.yaml': `repos:\n  here: { url: "file://${upstream}" }\n`,
  };
  const env = { PIPELOCK_ENGINE: 'embedded', SUPERVISE_WAIT: '1s' };
  const bottle = await startBottle(t, { files, env });
  const agent = await agentOf(t, bottle);
  const operator = operatorOf(bottle);
  const propose = (justification: string) =>
    agent.callTool({ name: 'egress-block', arguments: { routes_yaml: ROUTES, justification } });
  const first = propose('to be approved');
  const { id } = await operator.pending();
  const approved = await operator.proposals(['approve', id, '--yes']);
  assert.equal(approved.exitCode, 0, approved.stderr);
  await first;
  await agent.callTool({
    name: 'egress-block',
    arguments: { routes_yaml: 'routes: []\n', justification: 'still waits' },
  });
  const clone = async (from: Bottle, name: string) => {
    await must(folder, 'clone', '--quiet', `http://127.0.0.1:${from.ports.GIT_GATE_HTTP_PORT}/here`, name);
    return must(join(folder, name), 'log', '--format=%H');
  };
  const history = await clone(bottle, 'before');
  const before = await identityOf(bottle);
  assert.match(before.proposals, /still waits/);

  const archive = join(folder, 'bottle.tar.zst');
  const saved = await command(bottle, 'backup', '-f', BUNDLE, '-o', archive);
  assert.equal(saved.exitCode, 0, saved.stderr);
  const refused = await command(bottle, 'restore', '-f', BUNDLE, archive);
  assert.match(refused.stderr, /the bundle runs/);
  bottle.signal('SIGTERM');
  await bottle.ended();
  const kept = ['egress', 'supervise'].map((name) => join(bottle.data, name));
  const pictures = kept.map(pictureOf);
  rmSync(bottle.data, { recursive: true });
  rmSync(bottle.config, { recursive: true });
  mkdirSync(bottle.data);

  const restored = await command(bottle, 'restore', '-f', BUNDLE, archive);
  assert.equal(restored.exitCode, 0, restored.stderr);
  t.diagnostic(`${saved.stdout}\n${restored.stdout}`);
  const [egress = {}] = kept.map(pictureOf);
  assert.deepEqual(egress, pictures[0]);
  assert.deepEqual(readdirSync(bottle.data).sort(), ['approval', 'egress', 'init', 'supervise']);

  const again = await startBottle(t, {
    files: {},
    env: { ...env, BOTTLED_CONFIG: bottle.config, BOTTLED_DATA: bottle.data },
  });
  const after = await identityOf({ ...again, config: bottle.config, data: bottle.data });
  assert.deepEqual(after, before);
  assert.equal(await clone(again, 'after'), history);
});

test('a bottle that takes proposals all the time is backed up whole, as it was at one moment', async (t) => {
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': 'routes: []\n', 'git-gate.yaml': 'repos: {}\n' },
    env: { PIPELOCK_ENGINE: 'embedded', SUPERVISE_WAIT: '1s' },
  });
  const agent = await agentOf(t, bottle);
  const archive = join(bottle.directory, 'bottle.tar.zst');
  let [count, isOver] = [0, false];
  const busy = (async () => {
    while (!isOver) {
      count += 1;
      const routes = `routes: [{ host: h${count}.example }]\n`;
      await agent.callTool({ name: 'egress-block', arguments: { routes_yaml: routes, justification: 'more' } });
    }
  })();
  await until('it is busy', () => count > 1);
  const { exitCode, stderr } = await command(bottle, 'backup', '-f', BUNDLE, '-o', archive);
  isOver = true;
  assert.equal(exitCode, 0, stderr);
  await busy;
  const copy = join(bottle.directory, 'copy');
  mkdirSync(copy);
  await execa('tar', ['--zstd', '-xf', archive, '-C', copy]);
  const verified = await command(bottle, 'proposals', 'verify', join(copy, 'supervise/supervise'));
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.match(verified.stdout, /records from 1 to \d+ follow one another unchanged\n/);
});
