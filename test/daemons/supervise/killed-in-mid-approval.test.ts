import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Proposal } from '../../../daemons/supervise/proposal.ts';
import { type Bottle, startBottle } from '../bottle.ts';
import { type Operator, operatorOf, type Said } from '../operator.ts';
import { until } from './world.ts';

/**
 * supervise dies by SIGKILL while an agent waits and the operator decides, on the whole bundle, whose init starts it again. Whatever the
 * moment: what was answered holds, the chain of the log is whole, and the agent that asks again gets the decision.
 */

interface Case {
  readonly bottle: Bottle;
  readonly operator: Operator;
  readonly agent: Client;
  /** The agent's call, which waits. It breaks off where supervise dies. */
  readonly call: Promise<string>;
  readonly proposal: Proposal;
  kill(): Promise<void>;
}

async function startCase(t: TestContext): Promise<Case> {
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': 'routes: []\n', 'git-gate.yaml': 'repos: {}\n' },
  });
  const operator = operatorOf(bottle);
  const agent = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${bottle.ports.SUPERVISE_PORT}/mcp`)),
  );
  t.after(() => agent.close());
  const call = propose(agent).catch((error: unknown) => `broke off: ${error}`);
  const proposal = await operator.pending();
  const kill = async (): Promise<void> => {
    process.kill(await pidOf(bottle, 'supervise'), 'SIGKILL');
    await bottle.saw(/supervise +\| supervise listens/, 2);
  };
  return { bottle, operator, agent, call, proposal, kill };
}

const ROUTES = 'routes:\n  - host: a.example\n';

async function propose(agent: Client): Promise<string> {
  const routes = { routes_yaml: ROUTES, justification: 'a.example is needed' };
  return JSON.stringify(await agent.callTool({ name: 'egress-block', arguments: routes }));
}

async function pidOf(bottle: Bottle, name: string): Promise<number> {
  const { daemons } = await bottle.status();
  const pid = daemons.find((daemon) => daemon.name === name)?.pid;
  assert.ok(pid, `${name} runs`);
  return pid;
}

function log(bottle: Bottle): string {
  const directory = join(bottle.data, 'supervise');
  const files = readdirSync(directory).filter((file) => file.endsWith('.jsonl'));
  return files.map((file) => readFileSync(join(directory, file), 'utf8')).join('');
}

async function statusOf(operator: Operator, { id }: Proposal): Promise<string> {
  const { stdout } = await operator.proposals(['show', id, '--json']);
  return JSON.parse(stdout).status;
}

/** The end of every case: the decision is in force, the log whole, and the agent is told. */
async function isSettled({ bottle, operator, agent, proposal }: Case, said: Said): Promise<void> {
  assert.equal(said.exitCode, 0, said.stderr);
  assert.match(said.stdout, /is applied: routes\.yaml is written and in force/);
  assert.equal(readFileSync(join(bottle.config, 'routes.yaml'), 'utf8'), ROUTES);
  const verified = await operator.proposals(['verify']);
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.match(verified.stdout, /records from 1 to \d+ follow one another unchanged/);
  for (const type of ['proposed', 'decided', 'outcome']) {
    const records = log(bottle)
      .split('\n')
      .filter((line) => line.includes(`"type":"${type}","id":"${proposal.id}"`));
    assert.equal(records.length, 1, `${type} once`);
  }
  const again = await propose(agent);
  assert.match(again, new RegExp(proposal.id));
  assert.match(again, /approved/);
}

test('killed before the decision was read: it still waits, and can be approved', async (t) => {
  const one = await startCase(t);
  const { bottle, operator, proposal } = one;
  process.kill(await pidOf(bottle, 'supervise'), 'SIGSTOP');
  const decided = decide(bottle, proposal);
  await one.kill();
  assert.equal(await decided, 'no answer');
  assert.match(await one.call, /^broke off/);
  assert.equal(await statusOf(operator, proposal), 'pending');
  await isSettled(one, await operator.proposals(['approve', proposal.id, '--yes']));
});

/** Decides as the command does, and tells whether there was an answer. */
function decide(bottle: Bottle, { id, shown }: Proposal): Promise<'an answer' | 'no answer'> {
  return new Promise((resolve) => {
    const socketPath = join(bottle.data, 'supervise', 'operator.sock');
    const asked = request({ socketPath, method: 'POST', path: `/v1/proposals/${id}/decision`, agent: false });
    asked.once('response', () => resolve('an answer')).once('error', () => resolve('no answer'));
    asked.end(JSON.stringify({ verdict: 'approved', shown, by: 'ada' }));
  });
}

test('killed as soon as the decision is in the log: it holds, answered or not, and the command goes on from there', async (t) => {
  const one = await startCase(t);
  const { bottle, operator, proposal } = one;
  const pid = await pidOf(bottle, 'supervise');
  const command = operator.spawn(['approve', proposal.id, '--yes']);
  await until('the decision is in the log', async () => log(bottle).includes('"decided"'));
  process.kill(pid, 'SIGKILL');
  await bottle.saw(/supervise +\| supervise listens/, 2);
  await command.said;
  assert.match(await one.call, /^broke off/);
  assert.match(await statusOf(operator, proposal), /^(approved|applied)$/);
  const { stdout } = await operator.proposals(['show', proposal.id, '--json']);
  const isApplied = JSON.parse(stdout).status === 'applied';
  await isSettled(one, isApplied ? await command.said : await operator.proposals(['approve', proposal.id]));
});

test('killed between the decision and its outcome: the command that waits for egress reports to the next supervise', async (t) => {
  const one = await startCase(t);
  const { bottle, operator, proposal } = one;
  const egress = await pidOf(bottle, 'egress');
  process.kill(egress, 'SIGSTOP');
  const command = operator.spawn(['approve', proposal.id, '--yes']);
  const file = join(bottle.config, 'routes.yaml');
  await until('the new routes are written', async () => readFileSync(file, 'utf8') === ROUTES);
  await one.kill();
  assert.match(await one.call, /^broke off/);
  assert.equal(await statusOf(operator, proposal), 'approved');
  process.kill(egress, 'SIGCONT');
  await isSettled(one, await command.said);
});

test('supervise away while the outcome is reported: the command says so, and run again it ends as applied', async (t) => {
  const one = await startCase(t);
  const { bottle, operator, proposal } = one;
  const egress = await pidOf(bottle, 'egress');
  process.kill(egress, 'SIGSTOP');
  const command = operator.spawn(['approve', proposal.id, '--yes']);
  const file = join(bottle.config, 'routes.yaml');
  await until('the new routes are written', async () => readFileSync(file, 'utf8') === ROUTES);
  process.kill(await pidOf(bottle, 'supervise'), 'SIGKILL');
  await bottle.bottled('stop', 'supervise');
  process.kill(egress, 'SIGCONT');
  const said = await command.said;
  assert.notEqual(said.exitCode, 0);
  assert.match(said.stderr, new RegExp(`run it again: bottled proposals approve ${proposal.id}`));
  await bottle.bottled('start', 'supervise');
  await bottle.saw(/supervise +\| supervise listens/, 2);
  await isSettled(one, await operator.proposals(['approve', proposal.id]));
});
