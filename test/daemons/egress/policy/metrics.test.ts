import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMetrics } from '../../../../daemons/egress/metrics.ts';
import type { Exchange, Verdict } from '../../../../daemons/egress/verdict.ts';
import { createCounter, createHistogram } from '../../../../daemons/metrics/exposition.ts';

const gauges = { routes: () => 2, connections: () => 3, tunnels: () => 1, lastReload_ms: () => 1_700_000_000_400 };

function exchangeOf(verdict: Verdict, change: Partial<Exchange> = {}): Exchange {
  const authority = { host: 'api.example.com', port: 443, isAddress: false };
  return {
    question: { scheme: 'https', authority, method: 'GET', target: '/', headers: [], kind: 'request' },
    verdict,
    status: 200,
    sentBytes: 10,
    receivedBytes: 20,
    duration_ms: 30,
    fault: undefined,
    responseHeaders: undefined,
    ...change,
  };
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('metrics of egress', () => {
  it('count an exchange by route and status', () => {
    const metrics = createMetrics(gauges);
    metrics.countExchange(
      exchangeOf({
        kind: 'allowed',
        route: 'api.example.com',
        target: '/',
        headers: [],
        watch: undefined,
        trailers: (trailers) => trailers,
        answerHeaders: (headers) => headers,
      }),
    );
    const lines = linesOf(metrics.render());
    assert.ok(lines.includes('egress_requests_total{route="api.example.com",code="200"} 1'));
    assert.ok(lines.includes('egress_sent_bytes_total{route="api.example.com"} 10'));
    assert.ok(lines.includes('egress_received_bytes_total{route="api.example.com"} 20'));
    assert.ok(lines.includes('egress_request_duration_seconds_bucket{route="api.example.com",le="0.025"} 0'));
    assert.ok(lines.includes('egress_request_duration_seconds_bucket{route="api.example.com",le="0.1"} 1'));
    assert.ok(lines.includes('egress_request_duration_seconds_bucket{route="api.example.com",le="+Inf"} 1'));
  });

  it('count a refusal by its code, without the host that the agent named', () => {
    const metrics = createMetrics(gauges);
    metrics.countExchange(
      exchangeOf({ kind: 'refused', status: 403, code: 'host-not-allowed', reason: 'x' }, { status: 403 }),
    );
    const text = metrics.render();
    assert.ok(linesOf(text).includes('egress_refused_total{code="host-not-allowed"} 1'));
    assert.ok(linesOf(text).includes('egress_requests_total{route="none",code="403"} 1'));
    assert.ok(!text.includes('api.example.com'));
  });

  it('tell routes, connections, tunnels, reloads and secrets', () => {
    const metrics = createMetrics(gauges);
    metrics.countReload('taken');
    metrics.countSecret('canary', 'blocked');
    const lines = linesOf(metrics.render());
    for (const line of [
      'egress_routes 2',
      'egress_open_connections 3',
      'egress_open_tunnels 1',
      'egress_last_reload_success_timestamp_seconds 1700000000',
      'egress_reloads_total{outcome="taken"} 1',
      'egress_secret_findings_total{kind="canary",action="blocked"} 1',
    ]) {
      assert.ok(lines.includes(line), line);
    }
  });

  it('have HELP and TYPE for every family, also for an empty one', () => {
    const text = createMetrics(gauges).render();
    assert.equal(text.match(/^# HELP /gm)?.length, text.match(/^# TYPE /gm)?.length);
    assert.match(text, /^# TYPE egress_reloads_total counter$/m);
    assert.ok(text.endsWith('\n'));
  });

  it('escape what would end a label', () => {
    const counter = createCounter('a_total', 'A.', 10);
    counter.add({ code: 'x"} 1\nforged \\' });
    assert.deepEqual(linesOf(counter.render()), ['a_total{code="x\\"} 1\\nforged \\\\"} 1']);
  });

  it('stop growing: beyond the bound a new series is counted as "other"', () => {
    const counter = createCounter('a_total', 'A.', 3);
    const histogram = createHistogram('b', 'B.', [1], 3);
    for (let at = 0; at < 100; at += 1) {
      counter.add({ code: String(at) });
      histogram.observe({ route: String(at) }, 1);
    }
    assert.ok(linesOf(counter.render()).includes('a_total{code="other"} 97'));
    assert.equal(linesOf(counter.render()).length, 4);
    assert.ok(linesOf(histogram.render()).includes('b_count{route="other"} 97'));
  });
});
