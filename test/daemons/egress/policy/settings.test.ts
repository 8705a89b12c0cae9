import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSettings, scrubEnvironment } from '../../../../daemons/egress/settings.ts';

const needed = { EGRESS_ROUTES: '/etc/bottled/routes.yaml', EGRESS_DATA: '/var/lib/bottled/egress' };

function problemsOf(environment: Record<string, string>): readonly string[] {
  const read = readSettings({ ...needed, ...environment });
  return read.ok ? [] : read.problems;
}

describe('egress settings', () => {
  it('have defaults for all but the two paths', () => {
    const read = readSettings(needed);
    assert.ok(read.ok);
    const { upstream, given, ...rest } = read.settings;
    assert.deepEqual(rest, {
      listen: '::',
      port: 9099,
      routesFile: '/etc/bottled/routes.yaml',
      dataDirectory: '/var/lib/bottled/egress',
      metricsPort: 9098,
      knownSecretsFile: undefined,
      pipelockSecretsFile: undefined,
      credentialsDirectory: undefined,
      certificateDirectory: undefined,
      reports: undefined,
      hold_ms: 300_000,
    });
    assert.equal(upstream.href, 'http://127.0.0.1:8888/');
    assert.equal(given.size, 0);
  });

  it('say how long a request waits for the operator, and where it is asked: both places or none', () => {
    const read = readSettings({ ...needed, EGRESS_HOLD: '1m', EGRESS_REPORTS: '/r', EGRESS_DECISIONS: '/d' });
    assert.ok(read.ok);
    assert.deepEqual([read.settings.hold_ms, read.settings.reports], [60_000, { spool: '/r', decisions: '/d' }]);
    for (const wrong of [{ EGRESS_HOLD: '16m' }, { EGRESS_HOLD: 'soon' }, { EGRESS_REPORTS: '/r' }]) {
      const refused = readSettings({ ...needed, ...wrong });
      assert.equal(refused.ok ? 0 : refused.problems.length, 1);
    }
  });

  it('are refused with every problem at once, not only the first', () => {
    const read = readSettings({
      EGRESS_PORT: 'x',
      EGRESS_LISTEN: 'everywhere',
      EGRESS_UPSTREAM_PROXY: 'http://10.0.0.1:8888',
    });
    assert.ok(!read.ok);
    const names = ['EGRESS_LISTEN', 'EGRESS_PORT', 'EGRESS_ROUTES', 'EGRESS_DATA', 'EGRESS_UPSTREAM_PROXY'];
    assert.deepEqual(
      read.problems.map((line) => line.split(':', 1)[0]),
      names,
    );
  });

  for (const upstream of [
    'http://10.0.0.1:8888',
    'https://127.0.0.1:8888',
    'http://pipelock:8888',
    'http://user:word@127.0.0.1:8888',
    'http://127.0.0.1:8888/path',
    'socks5://127.0.0.1:8888',
    'http://127.0.0.1.example.com:8888',
    'http://[::ffff:10.0.0.1]:8888',
    'pipelock',
  ]) {
    it(`refuse ${upstream} as the way out: only plain http on loopback is one`, () => {
      assert.equal(problemsOf({ EGRESS_UPSTREAM_PROXY: upstream }).length, 1);
    });
  }

  for (const upstream of [
    'http://127.0.0.1:8888',
    'http://[::1]:1',
    'http://localhost:8888',
    'http://127.9.9.9:8888',
  ]) {
    it(`take ${upstream} as the way out`, () => {
      assert.deepEqual(problemsOf({ EGRESS_UPSTREAM_PROXY: upstream }), []);
    });
  }

  for (const port of ['-1', '65536', '1e3', '9099 ', '0x10']) {
    it(`refuse ${JSON.stringify(port)} as a port`, () => {
      assert.equal(problemsOf({ EGRESS_METRICS_PORT: port }).length, 1);
    });
  }

  it('refuse one port for both the agent and the metrics', () => {
    assert.match(
      problemsOf({ EGRESS_METRICS_PORT: '9099' })[0] ?? '',
      /^EGRESS_METRICS_PORT: 9099 is the port of the proxy too/,
    );
  });

  it('never quote the value of a credential that is refused', () => {
    const value = `made-up\n${'x'.repeat(20)}`;
    const problems = problemsOf({ EGRESS_TOKEN_0: value, EGRESS_CANARY: value, EGRESS_TOKEN_lower: value });
    assert.equal(problems.length, 3);
    assert.ok(problems.every((problem) => !problem.includes('made-up') && !problem.includes('xxxx')));
  });

  it('refuse a password in EGRESS_UPSTREAM_PROXY without repeating it', () => {
    assert.ok(!problemsOf({ EGRESS_UPSTREAM_PROXY: 'http://a:hush@127.0.0.1:1' }).join().includes('hush'));
  });

  it('leave the environment once they are read', () => {
    const environment = { ...needed, EGRESS_TOKEN_0: 'x'.repeat(20), EGRESS_CANARY: 'y'.repeat(20), PATH: '/bin' };
    scrubEnvironment(environment);
    assert.deepEqual(environment, { PATH: '/bin' });
  });
});
