import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAMILIES, metricsText } from '../../init/control/metrics.ts';
import { openapi } from '../../init/control/openapi.ts';
import { ROUTES } from '../../init/control/routes.ts';
import { VERSION } from '../../init/version.ts';
import { fakeInit } from './fake-init.ts';
import { ask, serve } from './serve.ts';

test('metrics have one HELP and one TYPE a family, and every sample belongs to the family above it', () => {
  const init = fakeInit();
  init.change('git-gate', { pid: null, cpu: null, memory_bytes: null, exit_code: 3 });
  const headers: string[] = [];
  let family = '';
  for (const line of metricsText(init).trimEnd().split('\n')) {
    const header = /^# (HELP|TYPE) (\S+) \S/.exec(line);
    if (header !== null) {
      family = header[2] ?? '';
      headers.push(`${header[1]} ${family}`);
      continue;
    }
    assert.match(line, /^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? -?\d+(\.\d+)?(e[+-]?\d+)?$/);
    assert.ok(line.startsWith(`${family}{`) || line.startsWith(`${family} `), line);
  }
  assert.deepEqual(
    headers,
    FAMILIES.flatMap(({ name }) => [`HELP ${name}`, `TYPE ${name}`]),
  );
});

test('a counter ends in _total and nothing else does', () => {
  for (const { name, type } of FAMILIES) assert.equal(name.endsWith('_total'), type === 'counter', name);
});

test('metrics say what the status says', () => {
  const init = fakeInit(['a', 'b']);
  init.setHealth('degraded');
  init.change('b', {
    state: 'backoff',
    ready: false,
    pid: null,
    exit_code: 3,
    restarts: 4,
    cpu: null,
    memory_bytes: null,
    remark: null,
  });
  const text = metricsText(init);
  for (const line of [
    'bottled_health{status="degraded"} 1',
    'bottled_health{status="healthy"} 0',
    'bottled_daemon_up{daemon="a"} 1',
    'bottled_daemon_up{daemon="b"} 0',
    'bottled_daemon_ready{daemon="b"} 0',
    'bottled_daemon_state{daemon="b",state="backoff"} 1',
    'bottled_daemon_restarts_total{daemon="b"} 4',
    'bottled_daemon_exit_code{daemon="b"} 3',
    'bottled_daemon_memory_bytes{daemon="a"} 10485760',
    'bottled_daemon_log_dropped_total{daemon="a"} 3',
    'bottled_commands_total{plane="cli"} 0',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  assert.doesNotMatch(text, /bottled_daemon_exit_code\{daemon="a"/);
  assert.doesNotMatch(text, /bottled_daemon_cpu_ratio\{daemon="b"/);
});

test('the OpenAPI document has every route, and every reference in it leads somewhere', async (t) => {
  const { socket } = await serve(t);
  const { json, body } = await ask({ to: { socket }, path: '/v1/openapi.json' });
  assert.deepEqual(json, JSON.parse(JSON.stringify(openapi(ROUTES, VERSION))));
  const document = json as { openapi: string; paths: Record<string, object>; components: { schemas: object } };
  assert.equal(document.openapi, '3.1.0');
  for (const { path, method } of ROUTES) assert.ok(method.toLowerCase() in (document.paths[path] ?? {}), path);
  for (const [, name] of body.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok((name ?? '') in document.components.schemas, String(name));
  }
  assert.equal([...body.matchAll(/"\$ref"/g)].length, [...body.matchAll(/"\$ref":"#\/components/g)].length);
});

test('operation ids are unique', () => {
  const paths = openapi(ROUTES, '0').paths as Record<string, Record<string, { operationId: string }>>;
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  assert.equal(new Set(ids).size, ROUTES.length);
});
