import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startOperator } from '../reports/operator.ts';
import { commit, fakeToken, git, makeWorld, must, refsOf, yamlFor } from './world.ts';

/** A push that is refused for findings asks the operator, and never waits. */

async function world(t: TestContext) {
  const operator = startOperator('git-gate', (remove) => t.after(remove));
  const env = { GIT_GATE_REPORTS: operator.spool, GIT_GATE_DECISIONS: operator.decisions };
  return { operator, ...(await makeWorld(t, { env })) };
}

test('the operator is told of a finding without the secret; a no and its reason are told at the next push', async (t) => {
  const { operator, agent, upstream } = await world(t);
  const token = fakeToken();
  await commit(agent, { 'src/a.txt': `\n${token}` });
  const push = () => git(agent, ['push', 'origin', 'HEAD:refs/heads/one']);
  assert.match((await push()).said, /the operator was asked and has not answered yet/);
  const report = await operator.asked();
  assert.partialDeepStrictEqual(report, {
    kind: 'gitleaks-allow',
    facts: { repo: 'demo', place: 'src/a.txt, line 2' },
  });
  assert.match(report.facts.fingerprint ?? '', /^[0-9a-f]{64}$/);
  const id = (await must(agent, 'rev-parse', 'HEAD')).slice(0, 10);
  assert.match(report.justification, new RegExp(`in commit ${id}, for refs/heads/one`));
  assert.ok(!JSON.stringify(operator.reports()).includes(token));

  await must(agent, 'commit', '--quiet', '--amend', '-m', 'Another try');
  await push();
  assert.equal(operator.reports().length, 1);

  operator.say(report, 'rejected', { reason: 'it is real' });
  const refused = await push();
  assert.match(refused.said, /the operator said no \(p-7kq2\): it is real/);
  assert.match(refused.said, /asking again changes nothing/);
  assert.equal((await refsOf(upstream))['refs/heads/one'], undefined);
});

test('an approval that is not in git-gate.yaml lets nothing pass', async (t) => {
  const { operator, agent, gate, upstream } = await world(t);
  await commit(agent, { 'a.txt': fakeToken() });
  const push = () => git(agent, ['push', 'origin', 'HEAD:refs/heads/one']);
  await push();
  const report = await operator.asked();
  operator.say(report, 'approved');
  const refused = await push();
  assert.equal(refused.code, 1);
  assert.match(refused.said, /the operator has allowed it \(p-7kq2\): push again/);
  gate.write(yamlFor(upstream, '', `allow:\n  - { fingerprint: ${report.facts.fingerprint}, reason: a fixture }\n`));
  await gate.logged('reloaded');
  assert.equal((await push()).code, 0);
});

test('a push with many findings asks about the first few, and names of an agent’s making command no terminal', async (t) => {
  const { operator, agent } = await world(t);
  const files = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`f\u001b[31m\u202e${at}.txt`, fakeToken()]));
  const secretName = fakeToken();
  await commit(agent, { ...files, [`${secretName}.txt`]: 'in its name' });
  await git(agent, ['push', 'origin', 'HEAD:refs/heads/many']);
  const reports = operator.reports();
  assert.equal(reports.length, 5);
  const text = reports.map((report) => Object.values(report.facts).join('|')).join('|');
  assert.ok(!/[\p{Cc}\p{Cf}]/u.test(text));
  assert.ok(!text.includes(secretName));
});

test('where supervise is not there, the refusal says so, and how the operator lets it pass', async (t) => {
  const env = { GIT_GATE_REPORTS: '/nonexistent/spool', GIT_GATE_DECISIONS: '/nonexistent/decisions' };
  const { agent } = await makeWorld(t, { env });
  await commit(agent, { 'a.txt': fakeToken() });
  const refused = await git(agent, ['push', 'origin', 'HEAD:refs/heads/one']);
  assert.match(refused.said, /the operator could not be asked: supervise is not here/);
  assert.match(refused.said, /under "allow" in git-gate\.yaml/);
});
