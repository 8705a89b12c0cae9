import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Asked, ask, serve } from './serve.ts';

function problemOf(answer: Asked): Record<string, unknown> {
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.ok(typeof answer.json === 'object' && answer.json !== null);
  const problem = { ...answer.json } as Record<string, unknown>;
  assert.equal(problem.status, answer.status);
  assert.match(String(problem.type), /^urn:bottled:problem:/);
  return problem;
}

test('status is the status of the init, word for word', async (t) => {
  const { init, socket } = await serve(t);
  const answer = await ask({ to: { socket }, path: '/v1/status' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.deepEqual(answer.json, init.status());
});

test('one daemon is one entry of the status', async (t) => {
  const { init, socket } = await serve(t);
  const answer = await ask({ to: { socket }, path: '/v1/daemons/git-gate' });
  assert.deepEqual(answer.json, init.status().daemons[1]);
});

test('an unknown daemon is 404 with the known ones and the one that was probably meant', async (t) => {
  const { socket } = await serve(t);
  for (const [method, path] of [
    ['GET', '/v1/daemons/egres'],
    ['POST', '/v1/daemons/egres/stop'],
    ['GET', '/v1/logs?daemon=egres'],
  ] as const) {
    const answer = await ask({ to: { socket }, method, path });
    assert.equal(answer.status, 404, path);
    const problem = problemOf(answer);
    assert.equal(problem.type, 'urn:bottled:problem:unknown-daemon');
    assert.equal(
      problem.detail,
      'there is no daemon "egres"; did you mean "egress"? known: egress, git-gate, pipelock',
    );
    assert.deepEqual(problem.known, ['egress', 'git-gate', 'pipelock']);
  }
});

test('an unknown path is 404, a path that cannot be decoded 400', async (t) => {
  const { socket } = await serve(t);
  assert.equal((await ask({ to: { socket }, path: '/v2/status' })).status, 404);
  assert.equal((await ask({ to: { socket }, path: '/v1/daemons/%zz' })).status, 400);
  assert.equal((await ask({ to: { socket }, path: '/v1/daemons/..%2f..%2fetc' })).status, 404);
});

test('what the policy refuses is 409 with its text', async (t) => {
  const { init, socket } = await serve(t);
  init.behave((daemon) => ({ daemon, accepted: false, text: 'the bundle is ending; start it anew' }));
  for (const path of ['/v1/daemons/egress/start', '/v1/reload']) {
    const answer = await ask({ to: { socket }, method: 'POST', path });
    assert.equal(answer.status, 409);
    assert.equal(problemOf(answer).detail, 'the bundle is ending; start it anew');
  }
});

test('a signal goes by name, short name or number; any other is 400', async (t) => {
  const { init, socket } = await serve(t);
  const send = (body: string): Promise<Asked> =>
    ask({ to: { socket }, method: 'POST', path: '/v1/daemons/egress/signal', body });
  for (const signal of ['SIGHUP', 'hup', '1']) assert.equal((await send(JSON.stringify({ signal }))).status, 200);
  assert.deepEqual(
    init.commands.map(({ command }) => command),
    Array.from({ length: 3 }, () => ({ do: 'signal', signal: 'SIGHUP' })),
  );
  for (const body of ['{"signal":"FOO"}', '{}', '{"signal":1}', '{"signal":"HUP","to":"all"}', 'HUP', '']) {
    const answer = await send(body);
    assert.equal(answer.status, 400, body);
    problemOf(answer);
  }
  assert.equal(init.commands.length, 3);
});

test('an unknown or impossible query is 400 and says which', async (t) => {
  const { socket } = await serve(t);
  for (const [path, words] of [
    ['/v1/logs?lines=many', /lines/],
    ['/v1/logs?tail=3', /"tail"/],
    ['/v1/events?after=-1', /after/],
    ['/v1/status?x=1', /"x"/],
  ] as const) {
    const answer = await ask({ to: { socket }, path });
    assert.equal(answer.status, 400, path);
    assert.match(String(problemOf(answer).detail), words);
  }
});

test('a health probe may add a query', async (t) => {
  const { socket } = await serve(t);
  assert.equal((await ask({ to: { socket }, path: '/healthz?from=probe' })).status, 200);
});

test('a body over 64 KiB is 413, whether its length is told or not', async (t) => {
  const { socket, init } = await serve(t);
  const body = `{"signal":"${'H'.repeat(70_000)}"}`;
  const path = '/v1/daemons/egress/signal';
  const told = await ask({
    to: { socket },
    method: 'POST',
    path,
    body,
    headers: { 'content-length': String(body.length) },
  });
  const chunked = await ask({
    to: { socket },
    method: 'POST',
    path,
    body,
    headers: { 'transfer-encoding': 'chunked' },
  });
  assert.equal(told.status, 413);
  assert.equal(chunked.status, 413);
  assert.deepEqual(init.commands, []);
});

test('readyz is 200 while healthy or degraded, else 503; livez is always 200', async (t) => {
  const { init, socket } = await serve(t);
  for (const [health, status] of [
    ['starting', 503],
    ['healthy', 200],
    ['degraded', 200],
    ['unhealthy', 503],
  ] as const) {
    init.setHealth(health);
    for (const path of ['/readyz', '/healthz']) {
      const answer = await ask({ to: { socket }, path });
      assert.equal(answer.status, status, `${path} while ${health}`);
      assert.equal(answer.headers['content-type'], 'application/health+json');
    }
    assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
  }
});

test('healthz has one entry per daemon', async (t) => {
  const { socket } = await serve(t);
  const { json } = await ask({ to: { socket }, path: '/healthz' });
  assert.deepEqual(Object.keys(Reflect.get(json as object, 'checks')), [
    'egress:ready',
    'git-gate:ready',
    'pipelock:ready',
  ]);
});

test('HEAD answers like GET without a body', async (t) => {
  const { socket } = await serve(t);
  for (const path of ['/healthz', '/v1/logs']) {
    const answer = await ask({ to: { socket }, method: 'HEAD', path });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, '');
  }
});

test('a fault in the init is 500 without its inside, is reported, and the next request is answered', async (t) => {
  const { init, socket, problems } = await serve(t);
  init.behave(() => {
    throw new Error('secret inside');
  });
  const answer = await ask({ to: { socket }, method: 'POST', path: '/v1/daemons/egress/stop' });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.body, /secret inside/);
  assert.deepEqual(problems, ['control API: POST /v1/daemons/egress/stop: secret inside']);
  assert.equal((await ask({ to: { socket }, path: '/v1/status' })).status, 200);
});

test('the capabilities name every route', async (t) => {
  const { socket } = await serve(t);
  const { json } = await ask({ to: { socket }, path: '/v1/capabilities' });
  assert.equal(Reflect.get(json as object, 'api'), 'v1');
  assert.deepEqual(Reflect.get(json as object, 'planes'), ['cli', 'http', 'signal', 'mcp', 'web']);
});
