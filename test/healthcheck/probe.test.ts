import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { build } from 'esbuild';
import * as z from 'zod';
import type { Check } from '../../healthcheck/probe/check.ts';
import { probe } from '../../healthcheck/probe/probe.ts';
import { bundleSchema, type Healthcheck } from '../../init/bundle/schema.ts';
import { httpCheck, httpTarget, rawTarget } from './targets.ts';

const execute = () => assert.fail('ran');

test('a healthcheck of bundle.yaml is what a probe takes', async (t) => {
  const { port, url } = await httpTarget(t, (_, response) => response.end());
  const bundle = z.decode(bundleSchema, {
    daemons: { web: { command: ['web'], healthcheck: { http: { port, path: '/health' } } } },
  });
  const healthcheck: Healthcheck | undefined = bundle.daemons.web?.healthcheck;
  assert.ok(healthcheck);
  const check: Check = healthcheck;
  assert.equal((await probe(check, { execute })).detail, `GET ${url}/health: 200`);
});

test('a disabled check passes without looking; one without a probe fails', async () => {
  assert.equal((await probe({ disable: true, timeout: 1 }, { execute })).passed, true);
  assert.equal((await probe({ timeout: 1 }, { execute })).passed, false);
});

test('a probe that is given up ends at once and closes its connection', async (t) => {
  const givenUp = new AbortController();
  const { port, url } = await rawTarget(t, (socket) => {
    socket.resume();
    givenUp.abort();
  });
  const { passed, detail } = await probe(httpCheck({ port }), { execute, signal: givenUp.signal });
  assert.deepEqual({ passed, detail }, { passed: false, detail: `GET ${url}/: given up` });
  const late = await probe(httpCheck({ port }), { execute, signal: givenUp.signal });
  assert.equal(late.detail, `GET ${url}/: given up`);
});

test('what the target says is rid of secrets before it is cut to length', async (t) => {
  const secret = 'correct-horse-battery';
  const hide = (text: string): string => text.replaceAll(secret, '***');
  const body = JSON.stringify({ reason: `${'x'.repeat(140)}${secret}`, warning: `${'x'.repeat(185)}${secret}` });
  const { port } = await httpTarget(t, ({ url }, response) =>
    response.writeHead(url === '/bad' ? 500 : 200, { 'content-type': 'application/json' }).end(body),
  );
  const bad = await probe(httpCheck({ port, path: '/bad' }), { execute, hide });
  assert.match(bad.detail, /x\*\*\*$/);
  const good = await probe(httpCheck({ port }), { execute, hide });
  assert.match(good.remark ?? '', /x\*\*\*$/);
  const said = async () => ({ code: 1, signal: null, output: `${'x'.repeat(190)}${secret}` });
  const test = await probe({ test: ['CMD', 'check'], timeout: 1_000 }, { execute: said, hide });
  assert.doesNotMatch(test.detail, /correct/);
});

test('a timeout of 0 means the default, and one of a year does not end at once', async (t) => {
  const { port } = await httpTarget(t, (_, response) => response.end());
  for (const timeout of [0, 365 * 86_400_000]) {
    assert.equal((await probe(httpCheck({ port }, timeout), { execute })).passed, true);
  }
});

test('the time that a probe took is told in ms', async (t) => {
  const { port } = await rawTarget(t, (socket) => socket.resume());
  const { duration_ms } = await probe(httpCheck({ port }, 50), { execute });
  assert.ok(duration_ms >= 49, `${duration_ms} ms`);
});

test('no timer and no socket is left behind', async (t) => {
  const answers = await httpTarget(t, (_, response) => response.end());
  const silent = await rawTarget(t, (socket) => socket.resume());
  const left = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = left();
  await Promise.all([
    ...Array.from({ length: 20 }, () => probe(httpCheck({ port: answers.port }), { execute })),
    ...Array.from({ length: 20 }, () => probe(httpCheck({ port: silent.port }, 50), { execute })),
    ...Array.from({ length: 20 }, () => probe({ ...httpCheck({ port: silent.port }), disable: true }, { execute })),
  ]);
  assert.ok(left() <= before, process.getActiveResourcesInfo().join(' '));
});

test('it works in PID 1, which is one script without import()', async (t) => {
  const { port, url } = await httpTarget(t, (_, response) => response.end());
  const entry = fileURLToPath(new URL('../../healthcheck/probe/probe.ts', import.meta.url));
  const built = await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'cjs', write: false });
  const source = `(function (require, module, check) { ${built.outputFiles[0]?.text}; return module.exports.probe(check, {}); })`;
  const run = new Script(source).runInThisContext();
  const details = [];
  for (const check of [httpCheck({ port }), { tcp: { host: '127.0.0.1', port }, timeout: 20_000 }]) {
    details.push((await run(createRequire(import.meta.url), { exports: {} }, check)).detail);
  }
  assert.deepEqual(details, [`GET ${url}/: 200`, `tcp 127.0.0.1:${port}: connection accepted`]);
});
