import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { type Bottle, startBottle } from './bottle.ts';
import { fakeToken, git, makeUpstream, must, scratch } from './git-gate/world.ts';
import { operatorOf } from './operator.ts';
import { agentOf, LOCAL_SETTINGS, startService, trusting } from './world.ts';

/** What a daemon of the bundle asks of the operator: over the shipped bundle, with the operator's own command. */

const FIVE_USERS = {
  PIPELOCK_USER: '64101:64101',
  EGRESS_USER: '64102:64102',
  GIT_GATE_USER: '64103:64103',
  SUPERVISE_USER: '64104:64104',
  MCP_BRIDGE_USER: '64105:64105',
};

const proposals = (bottle: Bottle, args: readonly string[]) => operatorOf(bottle).proposals(args);
const pending = (bottle: Bottle): Promise<Proposal> => operatorOf(bottle).pending();

/** What the log of supervise says from its first record on. */
function audit(bottle: Bottle): string {
  const directory = join(bottle.data, 'supervise');
  return readdirSync(directory)
    .filter((name) => name.startsWith('journal-'))
    .map((name) => readFileSync(join(directory, name), 'utf8'))
    .join('');
}

/** A bottle that is asked to end before its init is killed, so that no daemon outlives the test. */
async function start(t: TestContext, options: Parameters<typeof startBottle>[1]): Promise<Bottle> {
  let bottle: Bottle | undefined;
  t.after(async () => {
    bottle?.signal('SIGTERM');
    await bottle?.ended();
  });
  bottle = await startBottle(t, options);
  return bottle;
}

test('a push is refused for a finding, the operator allows it with a reason, the same push passes, and the log says who and why', async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  const bottle = await start(t, {
    files: {
      'routes.yaml': 'routes: []\n',
      'git-gate.yaml': `repos:\n  here: { url: "file://${upstream}" }\n`,
    },
  });
  const remote = `http://127.0.0.1:${bottle.ports.GIT_GATE_HTTP_PORT}/here.git`;
  await must(folder, 'clone', '--quiet', remote, 'clone');
  const clone = join(folder, 'clone');
  const token = fakeToken();
  writeFileSync(join(clone, 'fixture.txt'), `token = "${token}"\n`);
  await must(clone, 'add', '.');
  await must(clone, 'commit', '--quiet', '-m', 'A fixture');
  const push = () => git(clone, ['push', 'origin', 'HEAD:main']);

  const refused = await push();
  assert.notEqual(refused.code, 0);
  assert.match(refused.said, /the operator was asked/);
  assert.match(refused.said, /Push again once it is allowed/);

  const proposal = await pending(bottle);
  assert.partialDeepStrictEqual(proposal, { kind: 'gitleaks-allow', source: 'git-gate', facts: { repo: 'here' } });
  assert.match(refused.said, new RegExp(String(proposal.facts.fingerprint)));
  assert.match((await push()).said, new RegExp(`the operator was asked \\(${proposal.id}\\)`));
  const shown = await proposals(bottle, ['show', proposal.id]);
  assert.match(shown.stdout, /fixture\.txt, line 1/);

  const bare = await proposals(bottle, ['approve', proposal.id, '--yes']);
  assert.notEqual(bare.exitCode, 0);
  const reason = 'a made-up token of a test';
  const approved = await proposals(bottle, ['approve', proposal.id, '--yes', '--reason', reason]);
  assert.equal(approved.exitCode, 0, approved.stderr);
  assert.match(
    readFileSync(join(bottle.config, 'git-gate.yaml'), 'utf8'),
    new RegExp(String(proposal.facts.fingerprint)),
  );

  const passed = await push();
  assert.equal(passed.code, 0, passed.said);
  assert.equal(await must(upstream, 'rev-parse', 'main'), await must(clone, 'rev-parse', 'HEAD'));
  const records = audit(bottle);
  assert.match(records, new RegExp(`"verdict":"approved".*${reason}`));
  assert.equal((await proposals(bottle, ['verify'])).exitCode, 0);
  for (const text of [records, shown.stdout, refused.said]) assert.ok(!text.includes(token));
});

test('a request that holds a credential waits for the operator: a yes lets it pass, a no is a 403 with the reason, and nothing else passes', async (t) => {
  const credential = ['supervised', 'test', randomBytes(12).toString('hex')].join('-');
  const service = await startService(t, (request, response) => response.end(`got ${request.url}`));
  const bottle = await start(t, {
    files: {
      'routes.yaml': `routes:
  - { host: localhost, ports: [${service.port}], dlp: { outbound_on_match: supervise }, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }
`,
      'git-gate.yaml': 'repos: {}\n',
      'pipelock.yaml': LOCAL_SETTINGS,
    },
    env: { ...trusting(service), EGRESS_TOKEN_0: credential, PIPELOCK_ENGINE: 'embedded' },
  });
  const { ask } = agentOf(bottle);
  const url = `${service.origin}/login?key=${credential}`;

  const held = ask(url);
  const proposal = await pending(bottle);
  assert.partialDeepStrictEqual(proposal, {
    kind: 'egress-token-allow',
    source: 'egress',
    facts: { credential: 'EGRESS_TOKEN_0', where: 'query', origin: service.origin, method: 'GET', path: '/login' },
  });
  const approved = await proposals(bottle, ['approve', proposal.id, '--yes', '--reason', 'its login takes it so']);
  assert.equal(approved.exitCode, 0, approved.stderr);
  const answer = await held;
  assert.deepEqual([answer.status, answer.text], [200, `got /login?key=${credential}`]);
  assert.equal((await ask(url)).status, 200);

  const other = ask(`${service.origin}/elsewhere?key=${credential}`);
  const second = await pending(bottle);
  assert.notEqual(second.id, proposal.id);
  const rejected = await proposals(bottle, ['reject', second.id, '--yes', '--reason', 'not there']);
  assert.equal(rejected.exitCode, 0, rejected.stderr);
  const no = await other;
  assert.equal(no.status, 403);
  assert.match(no.text, /^egress: the query holds a secret, .*the operator said no \(p-\w+\): not there$/m);
  const records = audit(bottle);
  assert.match(records, /its login takes it so/);
  assert.ok(!records.includes(credential));
});

test('a call that a rule puts before the operator is answered by the tool after a yes, and refused after a no; each yes is for one call', async (t) => {
  const fixture = fileURLToPath(new URL('mcp-bridge/fixtures/dual-era.ts', import.meta.url));
  const bottle = await start(t, {
    files: {
      'routes.yaml': 'routes: []\n',
      'git-gate.yaml': 'repos: {}\n',
      'polis-policy.yaml': `apiVersion: polis.io/v1
kind: Policy
metadata: { name: test }
spec:
  governance: { mode: blocking }
  tools:
    - { name: files, driver: local, command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(fixture)}] }
  rules:
    - { name: careful, when: { methods: [tools/call] }, action: ask, reason: it writes, timeout: 20s }
`,
    },
    // Whoever asks, supervise, and the rest are users of their own, where the tests may do that.
    ...(process.getuid?.() === 0 ? { dataOwners: {}, env: FIVE_USERS } : {}),
  });
  const client = new Client({ name: 'agent', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${bottle.ports.MCP_BRIDGE_PORT}/mcp/files`)),
  );
  t.after(() => client.close());
  const call = () => client.callTool({ name: 'test_simple_text', arguments: { path: '/project/a.txt' } });

  const waiting = call();
  const proposal = await pending(bottle);
  assert.partialDeepStrictEqual(proposal, {
    kind: 'tool-ask',
    source: 'mcp-bridge',
    facts: {
      tool: 'files',
      method: 'tools/call',
      name: 'test_simple_text',
      rule: 'careful',
      arguments: '{"path":"/project/a.txt"}',
    },
  });
  assert.equal((await proposals(bottle, ['approve', proposal.id, '--yes'])).exitCode, 0);
  const answered = await waiting;
  assert.ok(answered.isError !== true, JSON.stringify(answered));

  const again = call();
  const second = await pending(bottle);
  assert.notEqual(second.id, proposal.id);
  assert.equal((await proposals(bottle, ['reject', second.id, '--yes', '--reason', 'not twice'])).exitCode, 0);
  assert.match(JSON.stringify(await again), /the operator said no \(p-\w+\): not twice/);
});
