import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applied, decide, expiredBy } from '../../../daemons/supervise/queue/decide.ts';
import { parseEvent, type QueueEvent } from '../../../daemons/supervise/queue/event.ts';
import { idOf } from '../../../daemons/supervise/queue/id.ts';
import { shownHash, textHash } from '../../../daemons/supervise/queue/shown.ts';
import { carryOver, EMPTY, type Entry, reduce, type State } from '../../../daemons/supervise/queue/state.ts';
import { type Draft, type Submission, submit } from '../../../daemons/supervise/queue/submit.ts';

const START = Date.parse('2026-11-20T12:00:00.000Z');
const HOUR = 3_600_000;
const LIMITS = { expiry_ms: 24 * HOUR, mostPending: 50, mostPerMinute: 10 };

function draftFor(host: string, more: Partial<Draft> = {}): Draft {
  const current = more.current ?? 'routes: []\n';
  return {
    kind: 'egress-block',
    source: 'agent',
    justification: 'why',
    target: 'routes.yaml',
    current,
    currentHash: textHash(current),
    proposed: `routes: [{ host: ${host} }]\n`,
    facts: {},
    ...more,
  };
}

function reportOf(facts: Readonly<Record<string, string>>, more: Partial<Draft> = {}): Draft {
  const none = { target: '', current: '', currentHash: '', proposed: '' };
  return { ...draftFor('x', none), kind: 'tool-ask', source: 'mcp-bridge', facts, ...more };
}

function after(state: State, event: QueueEvent | undefined, at: number): State {
  assert.ok(event !== undefined);
  assert.ok(parseEvent(JSON.parse(JSON.stringify(event))) !== undefined, 'the log understands it');
  const next = reduce(state, event, new Date(at).toISOString());
  assert.ok(typeof next !== 'string', String(next));
  return next;
}

/** The state after a draft that is new. */
function proposed(state: State, draft: Draft, at: number): { readonly state: State; readonly entry: Entry } {
  const made = submit(state, draft, at, LIMITS);
  assert.equal(made.kind, 'new', JSON.stringify(made));
  const next = after(state, eventOf(made), at);
  const entry = next.entries.get(idIn(made));
  assert.ok(entry !== undefined);
  return { state: next, entry };
}

function eventOf(made: Submission): QueueEvent | undefined {
  return 'event' in made ? made.event : undefined;
}

function idIn(made: Submission): string {
  return 'id' in made ? made.id : '';
}

function decided(
  state: State,
  { proposal }: Entry,
  verdict: 'approved' | 'modified' | 'rejected',
  at: number,
  final?: string,
) {
  const request = { verdict, shown: proposal.shown, by: 'ada', ...(final === undefined ? {} : { final }) };
  const made = decide(proposal, request, at);
  assert.ok(made.ok, JSON.stringify(made));
  return after(state, made.event, at);
}

test('the same proposal made again finds the same entry, however often, and costs the log next to nothing', () => {
  let { state, entry } = proposed(EMPTY, draftFor('a'), START);
  let written = 0;
  let times = 1;
  for (let n = 0; n < 10_000; n++) {
    const made = submit(state, draftFor('a', { justification: `again ${n}` }), START + n, LIMITS, () => times);
    assert.equal(made.kind, 'same');
    assert.equal(idIn(made), entry.proposal.id);
    times++;
    const event = eventOf(made);
    if (event === undefined) continue;
    written++;
    state = after(state, event, START + n);
  }
  assert.ok(written < 40, `${written} records`);
});

test('another text, another state of the target, or another source is another proposal', () => {
  const { state } = proposed(EMPTY, draftFor('a'), START);
  for (const other of [draftFor('b'), draftFor('a', { current: 'routes:\n' }), draftFor('a', { source: 'someone' })]) {
    assert.equal(submit(state, other, START, LIMITS).kind, 'new');
  }
});

test('what was rejected stays rejected for who asks again, and can be asked anew a day later', () => {
  const made = proposed(EMPTY, draftFor('a'), START);
  const state = decided(made.state, made.entry, 'rejected', START + 1);
  assert.equal(idIn(submit(state, draftFor('a'), START + HOUR, LIMITS)), made.entry.proposal.id);
  assert.equal(submit(state, draftFor('a'), START + 25 * HOUR, LIMITS).kind, 'new');
});

test('who asks again after it was applied gets the answer, although the target is another one now', () => {
  for (const final of [undefined, 'routes: [{ host: narrower }]\n']) {
    const made = proposed(EMPTY, draftFor('a'), START);
    const { proposal } = made.entry;
    let state = decided(made.state, made.entry, final === undefined ? 'approved' : 'modified', START + 1, final);
    const entry = state.entries.get(proposal.id);
    const outcome = applied(entry?.proposal ?? proposal, { result: 'applied', detail: '', diff: '' });
    assert.ok(outcome.ok);
    state = after(state, outcome.event, START + 2);
    const again = draftFor('a', { current: final ?? proposal.proposed });
    assert.equal(idIn(submit(state, again, START + 3, LIMITS)), proposal.id);
    assert.equal(submit(state, draftFor('a', { current: 'routes:\n' }), START + 3, LIMITS).kind, 'new');
  }
});

test('what the target holds already is not proposed', () => {
  const draft = draftFor('a', { current: draftFor('a').proposed });
  assert.equal(submit(EMPTY, draft, START, LIMITS).kind, 'unchanged');
});

test('a source can have so many open proposals and no more, and other sources do not notice', () => {
  let state = EMPTY;
  for (let n = 0; n < 50; n++) ({ state } = proposed(state, draftFor(`h${n}`), START + n * 60_000));
  const made = submit(state, draftFor('one-more'), START + HOUR, LIMITS);
  assert.equal(made.kind, 'refused');
  assert.match(made.kind === 'refused' ? made.reason : '', /50 proposals wait.*Nothing was proposed/);
  assert.equal(submit(state, draftFor('h3'), START + HOUR, LIMITS).kind, 'same');
  assert.equal(submit(state, reportOf({ tool: 'x' }), START + HOUR, LIMITS).kind, 'new');
});

test('a source can make so many new proposals a minute, even where they are decided at once', () => {
  let state = EMPTY;
  for (let n = 0; n < 10; n++) {
    const made = proposed(state, draftFor(`h${n}`), START + n);
    state = decided(made.state, made.entry, 'rejected', START + n);
  }
  assert.equal(submit(state, draftFor('h10'), START + 100, LIMITS).kind, 'refused');
  assert.equal(submit(state, draftFor('h10'), START + 60_001, LIMITS).kind, 'new');
});

test('open proposals of a source cannot fill the memory', () => {
  let state = EMPTY;
  const long = (n: number) =>
    draftFor('x', { proposed: `${n}${'y'.repeat(256 * 1024)}`, current: 'z'.repeat(256 * 1024) });
  let accepted = 0;
  for (let n = 0; n < 50; n++) {
    const made = submit(state, long(n), START + n * 60_000, LIMITS);
    if (made.kind !== 'new') break;
    state = after(state, made.event, START + n * 60_000);
    accepted++;
  }
  assert.equal(accepted, 15);
});

test('silence means no: what has expired is no longer decided, and its end is an event', () => {
  const { state, entry } = proposed(EMPTY, draftFor('a'), START);
  const proposals = [entry.proposal];
  assert.deepEqual(expiredBy(proposals, START + 24 * HOUR - 1), []);
  assert.deepEqual(expiredBy(proposals, START + 24 * HOUR), [{ type: 'expired', id: entry.proposal.id }]);
  const request = { verdict: 'approved', shown: entry.proposal.shown, by: 'ada' } as const;
  assert.partialDeepStrictEqual(decide(entry.proposal, request, START + 24 * HOUR), { ok: false, status: 409 });
  const ended = after(state, { type: 'expired', id: entry.proposal.id }, START + 24 * HOUR);
  assert.equal(submit(ended, draftFor('a'), START + 24 * HOUR, LIMITS).kind, 'new');
});

test('a decision is about exactly what was shown, once, and of a verdict that fits', () => {
  const { entry } = proposed(EMPTY, draftFor('a'), START);
  const shown = entry.proposal.shown;
  const status = (proposal: Entry['proposal'], request: Parameters<typeof decide>[1]): number => {
    const made = decide(proposal, request, START);
    return made.ok ? 200 : made.status;
  };
  const by = 'ada';
  assert.equal(status(entry.proposal, { verdict: 'approved', shown: '0'.repeat(64), by }), 409);
  assert.equal(status({ ...entry.proposal, status: 'rejected' }, { verdict: 'approved', shown, by }), 409);
  assert.equal(status(entry.proposal, { verdict: 'acknowledged', shown, by }), 422);
  assert.equal(status(entry.proposal, { verdict: 'modified', shown, by }), 422);
  assert.equal(status(entry.proposal, { verdict: 'approved', shown, by, final: 'x' }), 422);
  assert.equal(status(entry.proposal, { verdict: 'modified', shown, by, final: 'x' }), 200);
  const report = proposed(EMPTY, reportOf({ fingerprint: 'f' }, { kind: 'gitleaks-allow' }), START).entry.proposal;
  assert.equal(status(report, { verdict: 'approved', shown: report.shown, by }), 422);
  assert.equal(status(report, { verdict: 'approved', shown: report.shown, by, reason: 'a fixture' }), 200);
  assert.equal(status(report, { verdict: 'modified', shown: report.shown, by, reason: 'x', final: 'y' }), 422);
  const incident = proposed(EMPTY, reportOf({ daemon: 'egress' }, { kind: 'incident' }), START).entry.proposal;
  assert.equal(status(incident, { verdict: 'approved', shown: incident.shown, by }), 422);
  assert.equal(status(incident, { verdict: 'acknowledged', shown: incident.shown, by }), 200);
});

test('what is shown is bound in every part', () => {
  const base = draftFor('a', { facts: { a: '1', b: '2' } });
  const hashes = [
    base,
    { ...base, kind: 'capability-block' as const },
    { ...base, target: 'Dockerfile' },
    { ...base, current: 'x' },
    { ...base, proposed: 'x' },
    { ...base, facts: { a: '1', b: '3' } },
    { ...base, facts: { a: '1' } },
  ].map(shownHash);
  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(shownHash({ ...base, facts: { b: '2', a: '1' } }), hashes[0]);
});

test('a failed application can be tried again, and an applied one cannot', () => {
  const made = proposed(EMPTY, draftFor('a'), START);
  let state = decided(made.state, made.entry, 'approved', START);
  const { id } = made.entry.proposal;
  for (const result of ['failed', 'failed', 'applied'] as const) {
    const { proposal } = state.entries.get(id) ?? made.entry;
    const outcome = applied(proposal, { result, detail: 'd', diff: '' });
    assert.ok(outcome.ok, proposal.status);
    state = after(state, outcome.event, START);
  }
  const { proposal } = state.entries.get(id) ?? made.entry;
  assert.partialDeepStrictEqual(applied(proposal, { result: 'failed', detail: '', diff: '' }), {
    ok: false,
    status: 409,
  });
});

test('a report is taken in once, whatever the daemon leaves lying', () => {
  const draft = reportOf({ tool: 'rm' }, { report: 'mcp-bridge/1.json:abc' });
  const { state } = proposed(EMPTY, draft, START);
  assert.equal(submit(state, draft, START, LIMITS).kind, 'taken');
  assert.equal(submit(state, { ...draft, report: 'mcp-bridge/2.json:abc' }, START, LIMITS).kind, 'same');
});

test('incidents of one daemon and cause are one entry until someone has looked', () => {
  const crash = (lines: string) => reportOf({ daemon: 'egress', cause: 'crash', lines }, { kind: 'incident' });
  const { state } = proposed(EMPTY, crash('one'), START);
  assert.equal(submit(state, crash('two'), START, LIMITS).kind, 'same');
});

test('what a new file of the log begins with rebuilds the state, and what ended long ago is let go', () => {
  let state = EMPTY;
  for (let n = 0; n < 300; n++) {
    const at = START + n * 60_000;
    const made = proposed(state, draftFor(`h${n}`, { report: `r${n}` }), at);
    state = n % 10 === 9 && n > 250 ? made.state : decided(made.state, made.entry, 'rejected', at);
  }
  assert.equal([...state.entries.values()].filter(({ ended }) => ended !== null).length, 200);
  assert.equal(state.created, 300);
  let again = EMPTY;
  const before = { file: 'journal-000000000001.jsonl', head: { seq: 1, hash: '0' } };
  for (const event of carryOver(state, before)) again = after(again, event, START);
  assert.deepEqual(again, state);
});

test('what the log says and cannot have happened is refused', () => {
  const { state, entry } = proposed(EMPTY, draftFor('a'), START);
  const { id, shown } = entry.proposal;
  const rejected = decided(state, entry, 'rejected', START);
  const by = { by: 'ada', reason: '', final: null };
  assert.match(String(reduce(rejected, { type: 'decided', id, shown, verdict: 'approved', ...by }, '')), /decides/);
  assert.match(String(reduce(state, { type: 'decided', id, shown: 'x', verdict: 'approved', ...by }, '')), /shown/);
  assert.match(String(reduce(state, { type: 'outcome', id, result: 'applied', detail: '', diff: '' }, '')), /applies/);
  assert.equal(parseEvent({ type: 'approved-by-magic', id }), undefined);
  assert.equal(parseEvent({ type: 'expired', id, more: true }), undefined);
});

test('ids are short, and no two of the first two million are the same', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 2_000_000; n++) seen.add(idOf(n));
  assert.equal(seen.size, 2_000_000);
  assert.match(idOf(0), /^p-[0-9a-z]{4}$/);
});
