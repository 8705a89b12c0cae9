import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aggregate, type DaemonHealth } from '../../healthcheck/aggregate.ts';
import { httpStatus } from '../../healthcheck/codes.ts';
import { HEALTH_JSON, healthJson } from '../../healthcheck/health-json.ts';
import { daemon } from './daemons.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const options = { version: '1.2.3', now };
const ready = daemon('egress');

test('the media type is that of the draft', () => assert.equal(HEALTH_JSON, 'application/health+json'));

test('each daemon has one entry; only what does not pass says why', () => {
  const daemons: DaemonHealth[] = [
    ready,
    { ...ready, name: 'git-gate', essential: false, ready: false, text: 'backoff: exit code 3' },
    { ...ready, name: 'migrate', ready: false, wanted: false, text: 'completed' },
  ];
  const entry = { componentType: 'component', time: '2026-01-02T03:04:05.678Z' };
  assert.deepEqual(healthJson(aggregate(daemons), options), {
    status: 'warn',
    version: '1.2.3',
    description: 'Health of the bundle and of each of its daemons',
    output: 'degraded: git-gate is not ready (backoff: exit code 3)',
    checks: {
      'egress:ready': [{ ...entry, componentId: 'egress', status: 'pass' }],
      'git-gate:ready': [{ ...entry, componentId: 'git-gate', status: 'warn', output: 'backoff: exit code 3' }],
      'migrate:ready': [{ ...entry, componentId: 'migrate', status: 'pass' }],
    },
  });
  assert.equal('output' in healthJson(aggregate([ready]), options), false);
});

test('as the draft asks, pass and warn go with 200 and fail with 503', () => {
  const daemons = fc.array(
    fc.record({
      name: fc.string({ unit: 'grapheme' }),
      essential: fc.boolean(),
      wanted: fc.boolean(),
      ready: fc.boolean(),
      everReady: fc.boolean(),
      overdue: fc.boolean(),
      text: fc.string(),
    }),
  );
  fc.assert(
    fc.property(daemons, (all) => {
      const report = aggregate(all);
      const { status } = healthJson(report, options);
      assert.equal(httpStatus('/healthz', report.status), status === 'fail' ? 503 : 200);
      assert.equal(status === 'pass', report.status === 'healthy');
    }),
  );
});
