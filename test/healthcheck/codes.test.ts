import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEALTH_STATUSES } from '../../healthcheck/aggregate.ts';
import { exitCode, httpStatus } from '../../healthcheck/codes.ts';

const each = <T>(code: (status: (typeof HEALTH_STATUSES)[number]) => T) =>
  Object.fromEntries(HEALTH_STATUSES.map((status) => [status, code(status)]));

test('/readyz and /healthz answer 200 when healthy or degraded, else 503', () => {
  const expected = { starting: 503, healthy: 200, degraded: 200, unhealthy: 503 };
  assert.deepEqual(
    each((status) => httpStatus('/readyz', status)),
    expected,
  );
  assert.deepEqual(
    each((status) => httpStatus('/healthz', status)),
    expected,
  );
});

test('/livez answers 200 as long as it answers', () => {
  assert.deepEqual(
    each((status) => httpStatus('/livez', status)),
    { starting: 200, healthy: 200, degraded: 200, unhealthy: 200 },
  );
});

test('the exit code is 0 when healthy or degraded, else 1; strict takes degraded for 1', () => {
  assert.deepEqual(
    each((status) => exitCode(status)),
    { starting: 1, healthy: 0, degraded: 0, unhealthy: 1 },
  );
  assert.deepEqual(
    each((status) => exitCode(status, { strict: true })),
    { starting: 1, healthy: 0, degraded: 1, unhealthy: 1 },
  );
});
