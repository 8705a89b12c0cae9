import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { type Bottle, startBottle } from '../daemons/bottle.ts';
import { notRoot } from '../posix/pid-namespace.ts';

const USERS = { pipelock: 64_301, egress: 64_302, 'git-gate': 64_303, supervise: 64_304, 'mcp-bridge': 64_305 };
const TOKEN = ['tok', 'of-egress', '0123456789abcdef'].join('-');

/** A bottle whose daemons run as five users, with nothing made for them beforehand, and a secret that is root's alone. */
async function newBottle(t: TestContext): Promise<Bottle & { readonly secrets: string }> {
  const secrets = mkdtempSync(join(tmpdir(), 'bottle-mounted-'));
  t.after(() => rmSync(secrets, { recursive: true, force: true }));
  mkdirSync(join(secrets, 'egress'));
  writeFileSync(join(secrets, 'egress', 'EGRESS_TOKEN_0'), TOKEN, { mode: 0o400 });
  const user = (name: keyof typeof USERS): string => `${USERS[name]}:${USERS[name]}`;
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': 'routes: []\n', 'git-gate.yaml': 'repos: {}\n' },
    dataOwners: {},
    env: {
      PIPELOCK_USER: user('pipelock'),
      EGRESS_USER: user('egress'),
      GIT_GATE_USER: user('git-gate'),
      SUPERVISE_USER: user('supervise'),
      MCP_BRIDGE_USER: user('mcp-bridge'),
      PIPELOCK_ENGINE: 'embedded',
      EGRESS_CREDENTIALS: join(secrets, 'egress'),
      GIT_GATE_CREDENTIALS: '',
    },
  });
  return { ...bottle, secrets };
}

test('a bottle of five users starts in an empty volume: each has its data, and others just what they need of it', {
  skip: notRoot,
}, async (t) => {
  const { data, directory } = await newBottle(t);
  const owned = (path: string): readonly [number, string] => {
    const { uid, mode } = statSync(join(data, path));
    return [uid, (mode & 0o7777).toString(8)];
  };
  assert.deepEqual(owned('pipelock'), [USERS.pipelock, '700']);
  assert.deepEqual(owned('egress'), [USERS.egress, '700']);
  assert.deepEqual(owned('known-secrets'), [USERS.egress, '711']);
  assert.deepEqual(owned('git-gate'), [USERS['git-gate'], '700']);
  assert.deepEqual(owned('supervise'), [USERS.supervise, '711']);

  const as = async (name: keyof typeof USERS, ...command: readonly string[]): Promise<boolean> => {
    const who = [`--reuid=${USERS[name]}`, `--regid=${USERS[name]}`, '--clear-groups', '--'];
    return (await execa('setpriv', [...who, ...command], { reject: false })).exitCode === 0;
  };
  const known = join(data, 'known-secrets/egress.json');
  for (const name of ['pipelock', 'git-gate', 'supervise', 'mcp-bridge'] as const) {
    assert.ok(await as(name, 'cat', known), `${name} reads the fingerprints`);
    assert.ok(!(await as(name, 'ls', join(data, 'known-secrets'))), `${name} lists them`);
    assert.ok(!(await as(name, 'sh', '-c', `echo x > ${known}`)), `${name} changes them`);
    assert.ok(!(await as(name, 'ls', join(data, 'egress'))), `${name} looks into the data of egress`);
  }
  for (const name of ['pipelock', 'egress', 'git-gate', 'mcp-bridge'] as const) {
    assert.ok(await as(name, 'ls', join(data, 'supervise/decisions')), `${name} reads decisions`);
    assert.ok(!(await as(name, 'touch', join(data, 'supervise/decisions/x'))), `${name} makes a decision`);
    assert.ok(!(await as(name, 'ls', join(data, 'supervise'))), `${name} lists the data of supervise`);
    assert.ok(!(await as(name, 'test', '-w', join(data, 'supervise/operator.sock'))), `${name} is the operator`);
  }

  const credential = join(directory, 'run/control.sock.d/secrets/egress/EGRESS_TOKEN_0');
  assert.ok(await as('egress', 'grep', '-q', TOKEN, credential));
  for (const name of ['pipelock', 'git-gate', 'supervise', 'mcp-bridge'] as const) {
    assert.ok(!(await as(name, 'cat', credential)), `${name} reads the credential of egress`);
  }
});

test('a credential that is added to the mounted directory is in force after SIGHUP', { skip: notRoot }, async (t) => {
  const { data, secrets, signal } = await newBottle(t);
  const known = (): string => readFileSync(join(data, 'known-secrets/egress.json'), 'utf8');
  assert.match(known(), /EGRESS_TOKEN_0/);
  assert.doesNotMatch(known(), /EGRESS_TOKEN_1/);
  writeFileSync(join(secrets, 'egress', 'EGRESS_TOKEN_1'), TOKEN.replace('0', '1'), { mode: 0o400 });
  signal('SIGHUP');
  const deadline = Date.now() + 20_000;
  while (!known().includes('EGRESS_TOKEN_1')) {
    assert.ok(Date.now() < deadline, 'egress does not know it');
    await setTimeout(20);
  }
});
