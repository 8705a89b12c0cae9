import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDecision } from '../../../daemons/reports/decision.ts';
import { type Report, reportHash } from '../../../daemons/reports/report.ts';
import { fakeToken, makeWorld, theProposal, until, type World } from './world.ts';

const asRoot = process.getuid?.() === 0 ? false : 'only root can give a file to another user';

/** The spool directories of two daemons, and how supervise is told of them. */
function spools({ directory }: World) {
  const [gate, bridge] = [join(directory, 'gate'), join(directory, 'bridge')];
  for (const spool of [gate, bridge]) mkdirSync(spool, { mode: 0o755 });
  return { gate, bridge, env: { SUPERVISE_REPORTS: `git-gate=${gate},mcp-bridge=${bridge}` } };
}

const FINGERPRINT = 'ab'.repeat(32);
const REPORT = {
  kind: 'gitleaks-allow',
  facts: { fingerprint: FINGERPRINT, rule: 'github-token', path: 'test/fixture.txt' },
  justification: 'a push was refused',
};

/** As a daemon does: written beside, then renamed. */
function leave(spool: string, name: string, report: unknown): void {
  writeFileSync(join(spool, `${name}.draft`), typeof report === 'string' ? report : JSON.stringify(report));
  renameSync(join(spool, `${name}.draft`), join(spool, name));
}

/** What the file says, once it is more than that it waits. */
function decided(file: string): unknown {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '{"verdict":"pending"}';
  return text.includes('"pending"') ? undefined : JSON.parse(text);
}

test('a report is taken in, decided with a reason, and its decision can be read by the daemon', async (t) => {
  const world = makeWorld(t);
  const { gate, env } = spools(world);
  await world.start(env);
  leave(gate, '1.json', REPORT);
  const proposal = await until('it is taken in', async () => (await world.proposals())[0]);
  assert.partialDeepStrictEqual(proposal, {
    kind: 'gitleaks-allow',
    source: 'git-gate',
    facts: REPORT.facts,
    target: '',
  });
  const file = join(world.data, 'decisions', `${proposal.shown}.json`);
  const waiting = await until('it is known to wait', async () => existsSync(file) && readFileSync(file, 'utf8'));
  assert.partialDeepStrictEqual(JSON.parse(waiting), { verdict: 'pending', id: proposal.id });
  assert.equal((await world.decide(proposal, 'approved')).status, 422);
  assert.equal((await world.decide(proposal, 'approved', { reason: 'a fixture' })).status, 200);
  const decision = await until('the decision is there', async () => decided(file));
  assert.partialDeepStrictEqual(decision, {
    verdict: 'approved',
    by: 'ada',
    reason: 'a fixture',
    source: 'git-gate',
  });
  assert.equal(statSync(file).mode & 0o777, 0o644);
});

test('a decision whose file was not written when supervise died is written at the next start', async (t) => {
  const world = makeWorld(t);
  const { gate, env } = spools(world);
  const first = await world.start(env);
  leave(gate, '1.json', REPORT);
  const proposal = await until('it is taken in', async () => (await world.proposals())[0]);
  await world.decide(proposal, 'rejected', { reason: 'real' });
  const file = join(world.data, 'decisions', `${proposal.shown}.json`);
  await until('the decision is there', async () => decided(file));
  first.kill('SIGKILL');
  await first.ended;
  renameSync(file, join(world.directory, 'gone'));
  leave(join(world.data, 'decisions'), 'left-over.json', '{}');
  await world.start(env);
  assert.partialDeepStrictEqual(JSON.parse(readFileSync(file, 'utf8')), { verdict: 'rejected' });
  assert.ok(!existsSync(join(world.data, 'decisions', 'left-over.json')));
});

test('a report that stays where it is, because its directory is another’s, is taken in once over restarts', {
  skip: asRoot,
}, async (t) => {
  const world = makeWorld(t);
  const { gate, env } = spools(world);
  chownSync(gate, 64_110, 64_110);
  leave(gate, '1.json', REPORT);
  chownSync(join(gate, '1.json'), 64_110, 64_110);
  for (let round = 0; round < 3; round++) {
    const running = await world.start(env);
    const proposal = await until('it is there', async () => (await world.proposals())[0]);
    assert.equal(proposal.times, 1);
    running.kill('SIGKILL');
    await running.ended;
    // A root that may remove everything stands in for one that may not.
    leave(gate, '1.json', REPORT);
    chownSync(join(gate, '1.json'), 64_110, 64_110);
  }
});

test('what is no report, or not of the directory’s owner, is skipped and told once; good ones beside it are taken', async (t) => {
  const world = makeWorld(t);
  const { gate, bridge, env } = spools(world);
  leave(gate, 'not-json.json', '{');
  leave(gate, 'wrong-kind.json', { ...REPORT, kind: 'egress-block' });
  leave(gate, 'more-keys.json', { ...REPORT, source: 'agent' });
  leave(gate, 'large.json', { ...REPORT, facts: { a: 'x'.repeat(70_000) } });
  leave(gate, 'for-another.json', { ...REPORT, kind: 'tool-ask' });
  writeFileSync(join(world.directory, 'outside'), JSON.stringify(REPORT));
  symlinkSync(join(world.directory, 'outside'), join(gate, 'link.json'));
  linkSync(join(world.directory, 'outside'), join(gate, 'hard-link.json'));
  mkdirSync(join(gate, 'directory.json'));
  if (asRoot === false) {
    leave(gate, 'foreign.json', REPORT);
    chownSync(join(gate, 'foreign.json'), 64_110, 64_110);
  }
  leave(bridge, 'good.json', {
    kind: 'tool-ask',
    facts: { tool: 'rm', key: `k=${fakeToken()}` },
    justification: '\u001b[31m',
  });
  const running = await world.start(env);
  const { facts, justification } = await until('the good one is taken', async () => (await world.proposals())[0]);
  assert.deepEqual(
    { facts, justification },
    { facts: { key: '********', tool: 'rm', reported: facts.reported }, justification: '\\x1b[31m' },
  );
  leave(bridge, 'second.json', { kind: 'tool-ask', facts: { tool: 'ls' }, justification: '' });
  await until('a later round', async () => (await world.proposals()).length === 2);
  const skipped = running
    .output()
    .split('\n')
    .filter((line) => line.includes('report-skipped'));
  assert.equal(skipped.length, asRoot === false ? 9 : 8, skipped.join('\n'));
});

test('a directory that others can write is not believed', async (t) => {
  const world = makeWorld(t);
  const { gate, bridge, env } = spools(world);
  chmodSync(gate, 0o777);
  leave(gate, '1.json', REPORT);
  leave(bridge, '1.json', { kind: 'tool-ask', facts: { tool: 'rm' }, justification: '' });
  const running = await world.start(env);
  await until('the other is taken', async () => (await world.proposals()).length === 1);
  assert.equal((await theProposal(world)).kind, 'tool-ask');
  assert.match(String((await running.logged('report-skipped')).message), /can be written by others/);
});

test('a report from which something was taken out is decided under the hash by which its daemon knows it', async (t) => {
  const world = makeWorld(t);
  const { bridge, env } = spools(world);
  const report: Report = { kind: 'tool-ask', facts: { tool: 'rm', key: `k=${fakeToken()}` }, justification: '' };
  await world.start(env);
  leave(bridge, '1.json', report);
  const proposal = await until('it is taken in', async () => (await world.proposals())[0]);
  assert.deepEqual(proposal.facts, { tool: 'rm', key: '********', reported: reportHash(report) });
  await world.decide(proposal, 'approved');
  const found = await until('the decision is there', async () => {
    const read = readDecision(join(world.data, 'decisions'), 'mcp-bridge', reportHash(report));
    return read.ok && read.decision?.verdict !== 'pending' ? read.decision : undefined;
  });
  assert.partialDeepStrictEqual(found, { verdict: 'approved', by: 'ada', id: proposal.id });
});

test('what nobody waits for any more expires by itself, and is not taken in later', async (t) => {
  const world = makeWorld(t);
  const { bridge, env } = spools(world);
  const past = new Date(Date.now() - 1000).toISOString();
  leave(bridge, '1.json', { kind: 'tool-ask', facts: { tool: 'late' }, justification: '', until: past });
  const soon = new Date(Date.now() + 5000).toISOString();
  leave(bridge, '2.json', { kind: 'tool-ask', facts: { tool: 'rm' }, justification: '', until: soon });
  await world.start(env);
  const proposal = await until('it is taken in', async () => (await world.proposals())[0]);
  assert.deepEqual([proposal.facts, proposal.expires], [{ tool: 'rm' }, soon]);
  await until('it expires', async () => (await world.proposals())[0]?.status === 'expired');
  assert.equal((await world.proposals()).length, 1);
});

test('a report is not taken for another one that was allowed before', async (t) => {
  const world = makeWorld(t);
  const { bridge, env } = spools(world);
  await world.start(env);
  for (const tool of ['ls', 'rm']) {
    leave(bridge, `${tool}.json`, { kind: 'tool-ask', facts: { tool }, justification: '' });
    const proposal = await until('it is taken in', async () =>
      (await world.proposals()).find(({ facts }) => facts.tool === tool),
    );
    assert.equal(proposal.status, 'pending');
    await world.decide(proposal, 'approved');
    const outcome = { result: 'applied', detail: '', diff: '' };
    assert.equal((await world.operator('POST', `/v1/proposals/${proposal.id}/outcome`, outcome)).status, 200);
  }
});
