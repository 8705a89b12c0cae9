import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { createAskOperator } from '../../../../daemons/mcp-bridge/policy/ask-operator.ts';
import type { Exchange } from '../../../../daemons/mcp-bridge/policy/judge.ts';
import { createRedactor } from '../../../../daemons/mcp-bridge/policy/redact.ts';
import { createReporter } from '../../../../daemons/reports/reporter.ts';
import { startOperator } from '../../reports/operator.ts';

const secret = `made-up-${randomBytes(18).toString('hex')}`;

function world(t: TestContext) {
  const operator = startOperator('mcp-bridge', (remove) => t.after(remove));
  const places = { spool: operator.spool, decisions: operator.decisions };
  const ask = createAskOperator({
    reporter: createReporter({ source: 'mcp-bridge', places, clock: Date.now }),
    redactor: () => createRedactor({ secrets: [{ name: 'API_KEY', value: secret }] }),
  });
  const gone = new AbortController();
  const put = (change: Partial<Exchange> = {}, timeout = 20_000) =>
    ask({ exchange: { ...CALL, ...change }, rule: 'careful', reason: 'it writes', timeout, signal: gone.signal });
  return { operator, put, gone };
}

const CALL: Exchange = {
  direction: 'request',
  tool: 'files',
  method: 'tools/call',
  params: { name: 'write', arguments: { path: '/project/a', text: 'hello' } },
  agent: 'agent',
  session: 'a-session',
};

test('the operator sees what is asked, and a yes is for one call', async (t) => {
  const { operator, put } = world(t);
  const first = put();
  const report = await operator.asked();
  const { request, session, ...facts } = report.facts;
  assert.equal(report.justification, 'tools/call of "write" on files: it writes');
  const text = '{"path":"/project/a","text":"hello"}';
  assert.deepEqual(facts, {
    tool: 'files',
    method: 'tools/call',
    name: 'write',
    direction: 'request',
    rule: 'careful',
    agent: 'agent',
    arguments: text,
    bytes: String(text.length),
    digest: hash('sha256', text),
  });
  assert.match(String(request), /^[0-9a-f]{16}$/);
  assert.ok(session !== undefined && !session.includes('a-session'));
  assert.ok(report.until !== undefined);
  operator.say(report, 'approved');
  assert.deepEqual(await first, { allowed: true });
  const second = put();
  const other = await operator.asked();
  assert.notEqual(other.facts.request, request);
  operator.say(other, 'rejected', { reason: 'not twice' });
  assert.deepEqual(await second, { allowed: false, why: 'the operator said no (p-7kq2): not twice' });
});

test('no known secret is shown, whole or in part, and long arguments are cut', async (t) => {
  const { operator, put, gone } = world(t);
  const filler = 'word '.repeat(398);
  const answer = put({ params: { name: secret, arguments: { [secret]: 1, text: `${filler}${secret} end` } } });
  const report = await operator.asked();
  gone.abort();
  await answer;
  const told = JSON.stringify(report);
  assert.ok(!told.includes(secret.slice(0, 20)), told);
  assert.ok(String(report.facts.arguments).length < 2100);
  assert.match(String(report.facts.arguments), /characters in all/);
});

test('no argument hides behind a long one', async (t) => {
  const { operator, put, gone } = world(t);
  const given = { comment: 'tidy up '.repeat(5000), list: ['x'.repeat(3000), 'y'.repeat(3000)], path: '/etc/shadow' };
  const answer = put({ params: { name: 'write', arguments: given } });
  const { facts } = await operator.asked();
  gone.abort();
  await answer;
  assert.match(String(facts.arguments), /"comment":"tidy up .*"path":"\/etc\/shadow"/);
  assert.match(String(facts.arguments), /long texts are cut: 46\d{3} characters in all/);
});

test('a result is shown where the result is judged', async (t) => {
  const { operator, put, gone } = world(t);
  const answer = put({ direction: 'result', result: { content: [{ type: 'text', text: 'a secret plan' }] } });
  const { facts } = await operator.asked();
  assert.match(String(facts.result), /a secret plan/);
  assert.equal(facts.arguments, undefined);
  gone.abort();
  assert.equal((await answer).allowed, false);
});

test('so many wait at once and no more', async (t) => {
  const { operator, put, gone } = world(t);
  const waiting = Array.from({ length: 32 }, () => put());
  assert.deepEqual(await put(), { allowed: false, why: '32 calls wait for the operator already; try again' });
  gone.abort();
  await Promise.all(waiting);
  assert.deepEqual(operator.reports(), []);
});
