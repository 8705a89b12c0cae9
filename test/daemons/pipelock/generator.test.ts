import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { readEnvironment } from '../../../daemons/pipelock/environment.ts';
import { generate, toYaml } from '../../../daemons/pipelock/generator.ts';
import { pipelockConfigSchema } from '../../../daemons/pipelock/pipelock-config.ts';
import { DEFAULT_SETTINGS, settingsSchema } from '../../../daemons/pipelock/settings.ts';

const listeners = { proxy: { host: '127.0.0.1', port: 8888 }, metrics: { host: '127.0.0.1', port: 9190 } };

describe('the generated configuration of pipelock', () => {
  it('is this one, word for word, for these routes', () => {
    const policy = {
      hosts: ['registry.npmjs.org', '*.githubusercontent.com', 'api.anthropic.com'],
      injectedHeaders: ['authorization', 'x-api-key'],
    };
    const settings = z.parse(settingsSchema, { internal_hosts: ['vllm-sidecar'], ip_allowlist: ['172.18.0.0/16'] });
    assert.equal(toYaml(generate(policy, settings, listeners)), GOLDEN);
  });

  it('does not depend on the order of hosts and headers', () => {
    const names = fc.uniqueArray(fc.domain(), { maxLength: 8 });
    fc.assert(
      fc.property(names, names, (hosts, injectedHeaders) => {
        const one = generate({ hosts, injectedHeaders }, DEFAULT_SETTINGS, listeners);
        const reversed = { hosts: hosts.toReversed(), injectedHeaders: injectedHeaders.toReversed() };
        assert.equal(toYaml(generate(reversed, DEFAULT_SETTINGS, listeners)), toYaml(one));
      }),
    );
  });

  it('holds known keys only, and all of them, whatever the settings', () => {
    const config = generate({ hosts: [], injectedHeaders: [] }, DEFAULT_SETTINGS, listeners);
    const read: unknown = parse(toYaml(config));
    assert.deepEqual(z.parse(pipelockConfigSchema, read), config);
    assert.equal(z.safeParse(pipelockConfigSchema, { ...Object(read), enforced: true }).success, false);
  });

  it('says of every section whether it is on, and of headers that they are scanned', () => {
    const config = generate({ hosts: [], injectedHeaders: [] }, DEFAULT_SETTINGS, listeners);
    const switchable = Object.entries(config).filter(([, value]) => typeof value === 'object' && 'enabled' in value);
    assert.deepEqual(switchable.map(([name]) => name).sort(), [
      'browser_shield',
      'forward_proxy',
      'kill_switch',
      'media_policy',
      'request_body_scanning',
      'response_scanning',
      'seed_phrase_detection',
      'tls_interception',
      'websocket_proxy',
    ]);
    assert.equal(config.request_body_scanning.scan_headers, true);
    assert.equal(config.kill_switch.enabled, false);
  });

  it('lets nothing out where there is no host: the one entry never resolves', () => {
    const config = generate({ hosts: [], injectedHeaders: [] }, DEFAULT_SETTINGS, listeners);
    assert.deepEqual(config.api_allowlist, ['none.invalid']);
  });

  it('scans every header that an agent can write freely', () => {
    const config = generate({ hosts: [], injectedHeaders: ['authorization'] }, DEFAULT_SETTINGS, listeners);
    for (const name of ['User-Agent', 'Accept', 'Cookie', 'Content-Type', 'X-Api-Key']) {
      assert.ok(!config.request_body_scanning.ignore_headers.includes(name), name);
    }
    assert.ok(config.request_body_scanning.ignore_headers.includes('Authorization'));
  });

  it('bounds answers only where they are scanned', () => {
    const off = generate({ hosts: [], injectedHeaders: [] }, DEFAULT_SETTINGS, listeners);
    assert.equal(off.fetch_proxy.max_response_mb, 1024 * 1024);
    const settings = z.parse(settingsSchema, { response_scanning: 'block' });
    const on = generate({ hosts: [], injectedHeaders: [] }, settings, listeners);
    assert.equal(on.fetch_proxy.max_response_mb, 64);
    assert.deepEqual(on.response_scanning.sse_streaming, { enabled: true, action: 'block', max_event_bytes: 65536 });
  });
});

describe('the environment of the launcher', () => {
  const enough = { PIPELOCK_ROUTES: '/etc/egress/routes.yaml', PIPELOCK_DATA: '/var/lib/pipelock' };

  it('has defaults for all but two paths', () => {
    const read = readEnvironment(enough);
    assert.ok(read.ok);
    assert.deepEqual(read.settings.listen, { host: '127.0.0.1', port: 8888 });
    assert.deepEqual(read.settings.metrics, { host: '127.0.0.1', port: 9190 });
    assert.equal(read.settings.healthPort, 8889);
    assert.equal(read.settings.engine, 'auto');
  });

  it('takes no address that can be reached from outside, unless that is allowed by name', () => {
    for (const PIPELOCK_LISTEN of ['0.0.0.0:8888', '192.168.1.5:8888', '[::]:8888']) {
      const read = readEnvironment({ ...enough, PIPELOCK_LISTEN });
      assert.ok(!read.ok);
      assert.match(read.problems.join(), /PIPELOCK_ALLOW_REMOTE=1/);
      assert.ok(readEnvironment({ ...enough, PIPELOCK_LISTEN, PIPELOCK_ALLOW_REMOTE: '1' }).ok);
    }
    assert.ok(!readEnvironment({ ...enough, PIPELOCK_METRICS_LISTEN: '0.0.0.0:1', PIPELOCK_ALLOW_REMOTE: '1' }).ok);
  });

  it('is told with all its problems at once', () => {
    const read = readEnvironment({
      PIPELOCK_DATA: 'relative',
      PIPELOCK_ENGINE: 'both',
      PIPELOCK_HEALTH_PORT: '99999',
      PIPELOCK_ROUTE: '/x',
    });
    assert.ok(!read.ok);
    assert.equal(read.problems.length, 5);
  });
});

const GOLDEN = `# Made by bottled from the routes of egress; a change here is lost with the next reload.
version: 1
mode: strict
enforce: true
explain_blocks: false
api_allowlist:
  - "*.githubusercontent.com"
  - api.anthropic.com
  - registry.npmjs.org
  - vllm-sidecar
trusted_domains:
  - vllm-sidecar
ssrf:
  ip_allowlist:
    - 172.18.0.0/16
fetch_proxy:
  listen: 127.0.0.1:8888
  timeout_seconds: 3600
  max_response_mb: 1048576
  monitoring:
    max_url_length: 16384
    entropy_threshold: 5.6
    max_requests_per_minute: 6000
forward_proxy:
  enabled: true
  max_tunnel_seconds: 3600
  idle_timeout_seconds: 600
  sni_verification: true
websocket_proxy:
  enabled: true
  max_message_bytes: 1048576
  max_concurrent_connections: 128
  scan_text_frames: true
  allow_binary_frames: false
  forward_cookies: false
  strip_compression: true
  max_connection_seconds: 3600
  idle_timeout_seconds: 600
  origin_policy: rewrite
dlp:
  scan_env: true
  include_defaults: true
request_body_scanning:
  enabled: true
  action: block
  max_body_bytes: 33554432
  scan_headers: true
  header_mode: all
  ignore_headers:
    - Authorization
    - Connection
    - Content-Length
    - Host
    - Keep-Alive
    - Proxy-Authenticate
    - Te
    - Trailer
    - Transfer-Encoding
    - Upgrade
    - X-Api-Key
response_scanning:
  enabled: false
  action: warn
  sse_streaming:
    enabled: false
    action: warn
    max_event_bytes: 65536
seed_phrase_detection:
  enabled: true
  min_words: 12
  verify_checksum: true
tls_interception:
  enabled: false
browser_shield:
  enabled: false
media_policy:
  enabled: false
metrics_listen: 127.0.0.1:9190
kill_switch:
  enabled: false
logging:
  format: json
  output: stdout
  include_allowed: true
  include_blocked: true
`;
