import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aggregate, type DaemonHealth, type HealthStatus } from '../../healthcheck/aggregate.ts';
import { daemon } from './daemons.ts';

const daemonHealth: fc.Arbitrary<DaemonHealth> = fc.record({
  name: fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/),
  essential: fc.boolean(),
  wanted: fc.boolean(),
  ready: fc.boolean(),
  everReady: fc.boolean(),
  overdue: fc.boolean(),
  text: fc.string({ unit: 'binary', maxLength: 300 }),
});
const bundle = fc.array(daemonHealth, { maxLength: 8 });

const starting: Partial<DaemonHealth> = { ready: false, everReady: false, text: 'no probe has passed yet' };
const crashed: Partial<DaemonHealth> = { ready: false, text: 'backoff: exit code 3' };
const late: Partial<DaemonHealth> = { ready: false, everReady: false, overdue: true, text: 'start period is over' };
const stopped: Partial<DaemonHealth> = { ready: false, wanted: false, text: 'stopped by the operator' };
const optional: Partial<DaemonHealth> = { essential: false };

/** The table of DESIGN 8, row by row, over the daemons that should run. */
const TABLE: Readonly<Record<HealthStatus, (daemons: readonly DaemonHealth[]) => boolean>> = {
  starting: (all) => all.some((one) => one.essential && !one.ready && !one.everReady && !one.overdue),
  healthy: (all) => all.every((one) => one.ready),
  degraded: (all) => all.every((one) => one.ready || !one.essential) && all.some((one) => !one.ready),
  unhealthy: (all) => all.some((one) => one.essential && !one.ready),
};

test('the status is one whose row in the table holds, and says so', () => {
  fc.assert(
    fc.property(bundle, (daemons) => {
      fc.pre(daemons.some((one) => one.essential));
      const { status } = aggregate(daemons);
      assert.ok(TABLE[status](daemons.filter((one) => one.wanted)));
    }),
    { numRuns: 2_000 },
  );
});

test('healthy and degraded hold whenever their rows do', () => {
  fc.assert(
    fc.property(bundle, (daemons) => {
      const wanted = daemons.filter((one) => one.wanted);
      const { status } = aggregate(daemons);
      assert.equal(status === 'healthy', TABLE.healthy(wanted));
      if (daemons.some((one) => one.essential)) assert.equal(status === 'degraded', TABLE.degraded(wanted));
    }),
    { numRuns: 2_000 },
  );
});

test('starting is for patience only: every essential daemon that is not ready is still in its start period', () => {
  fc.assert(
    fc.property(bundle, (daemons) => {
      fc.pre(daemons.some((one) => one.essential));
      const missed = daemons.filter((one) => one.wanted && one.essential && !one.ready);
      const patient = missed.every((one) => !one.everReady && !one.overdue);
      assert.equal(aggregate(daemons).status === 'starting', missed.length > 0 && patient);
    }),
    { numRuns: 2_000 },
  );
});

test('without an essential daemon it is starting while none does its job and one still starts, and unhealthy once none does', () => {
  fc.assert(
    fc.property(bundle, (some) => {
      const daemons = some.map((one) => ({ ...one, essential: false }));
      const wanted = daemons.filter((one) => one.wanted);
      const { status } = aggregate(daemons);
      const none = wanted.length > 0 && wanted.every((one) => !one.ready);
      const patient = wanted.some((one) => !one.everReady && !one.overdue);
      assert.equal(status === 'starting', none && patient);
      assert.equal(status === 'unhealthy', none && !patient);
    }),
    { numRuns: 2_000 },
  );
});

test('a stuck init is unhealthy whatever its daemons do', () => {
  fc.assert(fc.property(bundle, (daemons) => aggregate(daemons, { stuck: 'why' }).status === 'unhealthy'));
  assert.equal(
    aggregate([daemon('a')], { stuck: 'no event for 9 s' }).text,
    'unhealthy: the init is stuck: no event for 9 s',
  );
});

test('a daemon that should not run changes nothing', () => {
  fc.assert(
    fc.property(bundle, daemonHealth, (daemons, other) => {
      const idle = { ...other, wanted: false, essential: daemons.some((one) => one.essential) };
      assert.equal(aggregate([...daemons, idle]).status, aggregate(daemons).status);
    }),
  );
});

test('the order of the daemons changes nothing', () => {
  fc.assert(fc.property(bundle, (daemons) => aggregate(daemons).status === aggregate([...daemons].reverse()).status));
});

test('the text is one printable line of bounded length that begins with the status', () => {
  fc.assert(
    fc.property(bundle, (daemons) => {
      const { status, text } = aggregate(daemons);
      assert.ok(text.startsWith(`${status}: `));
      assert.doesNotMatch(text, /\p{Cc}/u);
      assert.ok([...text].length <= 500);
    }),
  );
});

test('the text names who is to blame and why', () => {
  const cases: [readonly DaemonHealth[], string][] = [
    [[], 'healthy: no daemon is to run'],
    [[daemon('a')], 'healthy: 1 daemon is ready'],
    [[daemon('a'), daemon('b'), daemon('c', stopped)], 'healthy: 2 daemons are ready'],
    [[daemon('a', starting), daemon('b')], 'starting: a is not ready yet (no probe has passed yet)'],
    [[daemon('a', starting), daemon('b', crashed)], 'unhealthy: b is not ready (backoff: exit code 3)'],
    [[daemon('a', late)], 'unhealthy: a is not ready (start period is over)'],
    [[daemon('a'), daemon('b', { ...crashed, ...optional })], 'degraded: b is not ready (backoff: exit code 3)'],
    [[daemon('a'), daemon('b', { ...starting, ...optional, text: '' })], 'degraded: b is not ready'],
    [
      [daemon('a', { ...crashed, ...optional }), daemon('b', { ...late, ...optional })],
      'unhealthy: no daemon does its job: 2 daemons are not ready: a (backoff: exit code 3), b (start period is over)',
    ],
    [
      ['a', 'b', 'c', 'd', 'e'].map((name) => daemon(name, { ...late, text: '' })),
      'unhealthy: 5 daemons are not ready: a, b, c and 2 more',
    ],
  ];
  for (const [daemons, text] of cases) assert.equal(aggregate(daemons).text, text);
});
