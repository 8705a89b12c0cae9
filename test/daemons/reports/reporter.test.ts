import assert from 'node:assert/strict';
import { chmodSync, chownSync, linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { readDecision } from '../../../daemons/reports/decision.ts';
import { readPlaces } from '../../../daemons/reports/places.ts';
import { parseReport, type Report, reportHash } from '../../../daemons/reports/report.ts';
import { createReporter, type Matter, tellAnswer } from '../../../daemons/reports/reporter.ts';
import { shownHash } from '../../../daemons/supervise/queue/shown.ts';
import { printableText } from '../../../daemons/supervise/text.ts';
import { startOperator } from './operator.ts';

const asRoot = process.getuid?.() === 0 ? false : 'only root can give a file to another user';

const MATTER: Matter = { facts: { credential: 'EGRESS_TOKEN_0', where: 'query' }, justification: 'GET /' };

function world(t: TestContext) {
  const operator = startOperator('egress', (remove) => t.after(remove));
  let ahead = 0;
  const places = { spool: operator.spool, decisions: operator.decisions };
  const reporter = createReporter({ source: 'egress', places, clock: () => Date.now() + ahead });
  const gone = new AbortController();
  const ask = (matter = MATTER, more: { wait_ms?: number; isOnce?: boolean } = {}) =>
    reporter.ask(matter, { wait_ms: 20_000, signal: gone.signal, isOnce: false, ...more });
  return {
    operator,
    reporter,
    ask,
    gone,
    later(ms: number) {
      ahead += ms;
    },
  };
}

test('who asks waits for the answer, and nothing lies in the spool afterwards', async (t) => {
  for (const [verdict, kind] of [
    ['approved', 'approved'],
    ['rejected', 'rejected'],
    ['expired', 'rejected'],
  ] as const) {
    const { operator, ask } = world(t);
    const answer = ask();
    const report = await operator.asked();
    assert.deepEqual(report.facts, MATTER.facts);
    operator.say(report, 'pending');
    operator.say(report, verdict, { time: new Date(Date.now() + 1000).toISOString() });
    assert.deepEqual(await answer, { kind, id: 'p-7kq2', by: 'ada', reason: 'because' });
    assert.deepEqual(readdirSync(operator.spool), []);
  }
});

test('what was decided about the same facts answers at once; other facts are another question', async (t) => {
  const { operator, ask } = world(t);
  const first = ask();
  operator.say(await operator.asked(), 'approved');
  await first;
  assert.equal((await ask()).kind, 'approved');
  const other = ask({ ...MATTER, facts: { ...MATTER.facts, where: 'body' } });
  const report = await operator.asked();
  assert.equal(report.facts.where, 'body');
  operator.say(report, 'rejected');
  assert.equal((await other).kind, 'rejected');
});

test('a silence of before is no answer: it is asked again', async (t) => {
  const { operator, ask } = world(t);
  const first = ask(MATTER, { wait_ms: 1 });
  await first;
  const again = ask();
  const report = await operator.asked();
  operator.say(report, 'expired', { time: new Date(Date.now() - 60_000).toISOString() });
  operator.say(report, 'approved');
  assert.equal((await again).kind, 'approved');
});

test('no answer in time, and an asker who leaves, take the question back', async (t) => {
  const { operator, ask, gone } = world(t);
  assert.deepEqual(await ask(MATTER, { wait_ms: 20 }), { kind: 'unanswered', id: undefined });
  assert.deepEqual(operator.reports(), []);
  const answer = ask();
  operator.say(await operator.asked(), 'pending');
  gone.abort();
  assert.equal((await answer).kind, 'unanswered');
  assert.deepEqual(operator.reports(), []);
});

test('a question for one occasion says until when it is one; where nobody takes it in, nobody waits long', async (t) => {
  const { operator, ask, later } = world(t);
  const answer = ask(MATTER, { wait_ms: 600_000, isOnce: true });
  const { until } = await operator.asked();
  assert.ok(until !== undefined && Date.parse(until) > Date.now() + 500_000);
  later(16_000);
  assert.match(tellAnswer(refusalOf(await answer)), /could not be asked: supervise does not take it in now/);
});

function refusalOf(answer: Awaited<ReturnType<ReturnType<typeof world>['ask']>>) {
  assert.ok(answer.kind !== 'approved');
  return answer;
}

test('without supervise nobody can be asked', async (t) => {
  const { operator, ask, reporter } = world(t);
  rmSync(operator.decisions, { recursive: true });
  assert.deepEqual(await ask(), { kind: 'not-asked', reason: 'supervise is not here' });
  assert.deepEqual(reporter.tell(MATTER), { kind: 'not-asked', reason: 'supervise is not here' });
});

test('telling leaves one report of the same, says what was answered, and never waits', async (t) => {
  const { operator, reporter } = world(t);
  assert.deepEqual(reporter.tell(MATTER), { kind: 'unanswered', id: undefined });
  const report = await operator.asked();
  reporter.tell(MATTER);
  assert.equal(operator.reports().length, 1);
  operator.say(report, 'pending');
  assert.deepEqual(reporter.tell(MATTER), { kind: 'unanswered', id: 'p-7kq2' });
  operator.say(report, 'rejected', { reason: 'a\u001b[2Jb' });
  assert.equal(tellAnswer(refusalOf(reporter.tell(MATTER))), 'the operator said no (p-7kq2): a\\x1b[2Jb');
});

test('endless different findings fill a spool of bounded size, which empties when it is taken in or old', async (t) => {
  const { operator, reporter, later } = world(t);
  const tell = (n: number) => reporter.tell({ facts: { n: String(n) }, justification: '' });
  for (let n = 0; n < 150; n++) tell(n);
  assert.equal(operator.reports().length, 100);
  assert.deepEqual(tell(150), { kind: 'not-asked', reason: 'too many reports wait for supervise already' });
  for (const report of operator.reports().slice(0, 40)) operator.say(report, 'pending');
  later(60_000);
  tell(151);
  assert.equal(operator.reports().length, 61);
  writeFileSync(join(operator.spool, 'not-ours.json'), '{}');
  later(3_600_001);
  tell(152);
  assert.deepEqual(readdirSync(operator.spool).filter((name) => name === 'not-ours.json').length, 1);
  assert.equal(operator.reports().length, 1);
});

test('a report is always one that supervise takes as it is, whatever an agent put into its facts', async (t) => {
  const { operator, reporter, later } = world(t);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (text) => {
      later(3_600_001);
      const matter = { facts: { path: text, long: text.repeat(100) }, justification: text };
      if (reporter.tell(matter).kind === 'not-asked') return;
      const [report] = operator.reports();
      assert.ok(report !== undefined);
      for (const value of Object.values(report.facts)) {
        assert.equal(printableText(value), value);
        assert.ok(value.length <= 4000 && !/\p{Cc}/u.test(value));
      }
      const draft = { ...report, target: '', current: '', proposed: '' };
      assert.equal(reportHash(report), shownHash(draft));
    }),
    { numRuns: 60 },
  );
});

test('no daemon can say of a report by which hash it was reported', () => {
  assert.equal(
    parseReport(JSON.stringify({ kind: 'tool-ask', facts: { reported: 'x' }, justification: '' })),
    undefined,
  );
});

test('a decision counts only as the file of who owns the directory, about this report of this daemon', async (t) => {
  const { operator } = world(t);
  const report: Report = { kind: 'egress-token-allow', facts: { a: 'b' }, justification: '' };
  const hash = reportHash(report);
  const path = join(operator.decisions, `${hash}.json`);
  const read = () => readDecision(operator.decisions, 'egress', hash);
  const isRefused = (why: RegExp): void => {
    const found = read();
    assert.ok(!found.ok, JSON.stringify(found));
    assert.match(found.reason, why);
    rmSync(path, { recursive: true });
  };
  assert.deepEqual(read(), { ok: true, decision: undefined });
  operator.say(report, 'approved', { source: 'git-gate' });
  isRefused(/not a decision about this/);
  operator.say(report, 'approved', { kind: 'tool-ask' });
  isRefused(/not a decision about this/);
  operator.say(report, 'approved', { shown: 'ab'.repeat(32) });
  isRefused(/not a decision about this/);
  operator.say(report, 'of course');
  isRefused(/not a decision about this/);
  writeFileSync(path, 'x'.repeat(70_000));
  isRefused(/larger than/);
  mkdirSync(path);
  isRefused(/not a plain file/);
  writeFileSync(join(operator.decisions, 'elsewhere'), '{}');
  symlinkSync(join(operator.decisions, 'elsewhere'), path);
  isRefused(/symbolic link/);
  linkSync(join(operator.decisions, 'elsewhere'), path);
  isRefused(/second name/);
  operator.say(report, 'approved');
  chmodSync(path, 0o666);
  isRefused(/written by others/);
  operator.say(report, 'approved');
  chmodSync(operator.decisions, 0o777);
  isRefused(/written by others/);
  chmodSync(operator.decisions, 0o755);
  operator.say(report, 'approved');
  const found = read();
  assert.ok(found.ok && found.decision?.verdict === 'approved');
});

test('a decision that another user has written, or whose directory is another’s, is none', { skip: asRoot }, (t) => {
  const { operator } = world(t);
  const report: Report = { kind: 'egress-token-allow', facts: { a: 'b' }, justification: '' };
  const path = join(operator.decisions, `${reportHash(report)}.json`);
  operator.say(report, 'approved');
  chownSync(path, 64_110, 64_110);
  const foreign = readDecision(operator.decisions, 'egress', reportHash(report));
  assert.match(foreign.ok ? '' : foreign.reason, /belongs to another user/);
  chownSync(join(operator.decisions, '..'), 64_111, 64_111);
  const moved = readDecision(operator.decisions, 'egress', reportHash(report));
  assert.match(moved.ok ? '' : moved.reason, /another user's directory/);
});

test('a spool that another user owns or can write is not used', { skip: asRoot }, (t) => {
  const { operator, reporter } = world(t);
  mkdirSync(operator.spool, { mode: 0o755 });
  chownSync(operator.spool, 64_110, 64_110);
  assert.match(tellAnswer(refusalOf(reporter.tell(MATTER))), /belongs to another user/);
  chownSync(operator.spool, 0, 0);
  chmodSync(operator.spool, 0o777);
  assert.match(tellAnswer(refusalOf(reporter.tell(MATTER))), /can be written by others/);
});

test('the two places are set together, and absolute', () => {
  assert.deepEqual(readPlaces({}, 'A', 'B'), { places: undefined, problems: [] });
  assert.deepEqual(readPlaces({ A: '/a', B: '/b' }, 'A', 'B'), {
    places: { spool: '/a', decisions: '/b' },
    problems: [],
  });
  assert.equal(readPlaces({ A: '/a' }, 'A', 'B').problems.length, 1);
  assert.equal(readPlaces({ A: 'a', B: 'b' }, 'A', 'B').problems.length, 2);
});
