import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Answer } from '../../../daemons/supervise/mcp/tools.ts';
import {
  connect,
  fakeToken,
  makeWorld,
  post,
  proposeHost,
  ROUTES,
  type Running,
  routesWith,
  theProposal,
  until,
} from './world.ts';

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

/** A tool's result as the client gives it. */
interface Called {
  readonly structuredContent?: unknown;
  readonly content?: unknown;
  readonly isError?: unknown;
}

function answerOf(called: Called): Partial<Answer> {
  assert.notEqual(called.isError, true, JSON.stringify(called.content));
  return Object(called.structuredContent);
}

function saidBy({ content }: Called): string {
  return JSON.stringify(content);
}

for (const mode of ['auto', 'legacy'] as const) {
  const era = mode === 'auto' ? '2026-07-28' : '2025-11-25';

  test(`${era}: a call that nobody decides in time answers pending with its id, and the same call finds it again`, async (t) => {
    const world = makeWorld(t);
    const client = await connect(t, await world.start({ SUPERVISE_WAIT: '100ms' }), mode);
    assert.equal(client.getNegotiatedProtocolVersion(), era);
    const first = answerOf(await client.callTool(proposeHost('b.example')));
    assert.equal(first.status, 'pending');
    const called = await client.callTool(proposeHost('b.example', 'said in other words'));
    assert.equal(answerOf(called).id, first.id);
    assert.match(saidBy(called), /check-proposal/);
    const { times, shown, current, proposed, target, source } = await theProposal(world);
    assert.deepEqual(
      { times, current, proposed, target, source },
      { times: 2, current: ROUTES, proposed: routesWith('b.example'), target: 'routes.yaml', source: 'agent' },
    );
    assert.match(shown, /^[0-9a-f]{64}$/);
  });

  test(`${era}: a decision wakes the call that waits, once it is in force, with the operator's words`, async (t) => {
    const world = makeWorld(t);
    const client = await connect(t, await world.start({ SUPERVISE_WAIT: '30s' }), mode);
    const call = client.callTool(proposeHost('b.example'));
    const proposal = await until('it is proposed', async () => (await world.proposals())[0]);
    assert.equal((await world.decide(proposal, 'approved', { reason: 'fine, for today' })).status, 200);
    const checked = answerOf(await client.callTool({ name: 'check-proposal', arguments: { id: proposal.id } }));
    assert.deepEqual([checked.status, checked.in_force], ['approved', false]);
    const outcome = { result: 'applied', detail: 'reloaded', diff: '+ b.example' };
    assert.equal((await world.operator('POST', `/v1/proposals/${proposal.id}/outcome`, outcome)).status, 200);
    const answer = answerOf(await call);
    assert.deepEqual([answer.status, answer.in_force, answer.notes], ['approved', true, 'fine, for today']);
  });

  test(`${era}: a call that its client cancels ends, and the proposal stays`, async (t) => {
    const world = makeWorld(t);
    const running = await world.start({ SUPERVISE_WAIT: '5m' });
    const client = await connect(t, running, mode);
    const cancelling = new AbortController();
    const call = client.callTool(proposeHost('b.example'), { signal: cancelling.signal });
    await until('it is proposed', async () => (await world.proposals())[0]);
    cancelling.abort();
    await assert.rejects(call);
    assert.equal((await theProposal(world)).status, 'pending');
    // A call that still waited would hold up the end until its time is over.
    running.kill('SIGTERM');
    assert.equal(await running.ended, 0);
  });
}

test('list, edit, propose: what list-egress-routes gives can be edited and proposed', async (t) => {
  const world = makeWorld(t);
  const egress = createServer((request, response) => {
    response.end(request.url === 'http://egress.internal/routes' ? ROUTES : 'no');
  }).listen(0, '127.0.0.1');
  t.after(() => egress.close());
  await once(egress, 'listening');
  const address = egress.address();
  assert.ok(typeof address === 'object' && address !== null);
  const running = await world.start({ SUPERVISE_EGRESS: `http://127.0.0.1:${address.port}` });
  const client = await connect(t, running);
  const listed = await client.callTool({ name: 'list-egress-routes', arguments: {} });
  const { routes_yaml } = Object(listed.structuredContent);
  assert.equal(routes_yaml, ROUTES);
  const edited = `${routes_yaml}  - { host: b.example, matches: [{ methods: [GET] }] }\n`;
  const called = await client.callTool({
    name: 'egress-block',
    arguments: { routes_yaml: edited, justification: 'x' },
  });
  assert.equal(answerOf(called).status, 'pending');
});

test('the description of egress-block names every key that routes.yaml takes', async (t) => {
  const client = await connect(t, await makeWorld(t).start());
  const { tools } = await client.listTools();
  const told = tools.find(({ name }) => name === 'egress-block')?.description ?? '';
  const keys =
    'routes host schemes ports matches paths methods headers token_env auth_scheme auth_header websocket dlp';
  for (const key of [...keys.split(' '), 'allow_encoded_slash', 'max_body', 'outbound_on_match', 'log']) {
    assert.ok(told.includes(key), key);
  }
});

test('egress that does not answer is told as an error that the agent can read', async (t) => {
  const client = await connect(t, await makeWorld(t).start({ SUPERVISE_EGRESS: 'http://127.0.0.1:1' }));
  const called = await client.callTool({ name: 'list-egress-routes', arguments: {} });
  assert.equal(called.isError, true);
  assert.match(saidBy(called), /egress cannot be asked/);
});

test('what is wrong with a proposal is told at once, with its place, and nothing is proposed', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  const token = fakeToken();
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['egress-block', 'routes:\n  - hosts: b.example\n', /routes.yaml:2:5: .*did you mean/],
    ['egress-block', `routes: []\n# ${token}\n`, /secret.*line 2/],
    ['egress-block', 'routes: []\n# \u202e\n', /line 2, column 3.*u\{202e\}/],
    ['egress-block', `routes: []\n${'# y\n'.repeat(70_000)}`, /bytes|expected/],
    ['pipelock-block', 'b.example\nhttp://c.example\n', /line 2: .*is not a host/],
    ['pipelock-block', '# nothing\n', /no host/],
    ['capability-block', 'RUN true\n', /FROM/],
  ];
  const names = { 'egress-block': 'routes_yaml', 'pipelock-block': 'hosts', 'capability-block': 'dockerfile' };
  for (const [name, text, expected] of wrong) {
    const argument = Object.entries(names).find(([tool]) => tool === name)?.[1] ?? '';
    const called = await client.callTool({ name, arguments: { [argument]: text, justification: 'x' } });
    assert.equal(called.isError, true, name);
    assert.match(saidBy(called), expected);
    assert.ok(!saidBy(called).includes(token));
  }
  for (const given of [
    {},
    { routes_yaml: ROUTES },
    { routes_yaml: 1, justification: 'x' },
    { ...proposeHost('b').arguments, more: 1 },
  ]) {
    assert.equal((await client.callTool({ name: 'egress-block', arguments: given })).isError, true);
  }
  assert.deepEqual(await world.proposals(), []);
});

test('a justification is written down without secrets and without what a terminal would obey', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  await client.callTool(proposeHost('b.example', `first line\nmy key is ${fakeToken()}\n\u001b[2Jgone\u202e`));
  const { justification } = await theProposal(world);
  assert.equal(justification, 'first line\n********\n\\x1b[2Jgone\\u{202e}');
});

test('a letter that may only look like another is pointed out to the operator', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  await client.callTool(proposeHost('g\u0456thub.com'));
  const { facts } = await theProposal(world);
  assert.equal(facts.warnings, 'line 3 holds letters that may only look like others: \u0456 (U+0456)');
});

test('letters beyond ASCII in lines that stay as they are are not pointed out', async (t) => {
  const world = makeWorld(t);
  const comment = '# für später …';
  writeFileSync(join(world.config, 'routes.yaml'), `${comment}\nroutes: []\n`);
  const client = await connect(t, await world.start());
  const call = proposeHost('new.example');
  await client.callTool({
    ...call,
    arguments: { ...call.arguments, routes_yaml: `${comment}\nroutes:\n  - host: new.example\n` },
  });
  assert.deepEqual((await theProposal(world)).facts, {});
});

test('hosts for pipelock are shown as they are and as they will be', async (t) => {
  const world = makeWorld(t);
  writeFileSync(join(world.config, 'pipelock.yaml'), 'extra_hosts: [a.example]\n');
  const client = await connect(t, await world.start());
  const hosts = '# for the build\nB.Example\na.example\n*.c.example # and below\n';
  await client.callTool({ name: 'pipelock-block', arguments: { hosts, justification: 'x' } });
  const { current, proposed, target } = await theProposal(world);
  assert.deepEqual([target, current], ['pipelock.yaml', 'a.example\n']);
  assert.equal(proposed, 'a.example\n# for the build\nb.example\n*.c.example  # and below\n');
  const again = await client.callTool({
    name: 'pipelock-block',
    arguments: { hosts: 'a.example', justification: 'x' },
  });
  assert.equal(answerOf(again).status, 'unchanged');
});

test('the files that can be changed can be read as resources, without secrets, and no others', async (t) => {
  const world = makeWorld(t);
  const token = fakeToken();
  writeFileSync(join(world.config, 'Dockerfile'), `FROM scratch\nENV KEY=${token}\n`);
  const client = await connect(t, await world.start());
  const { resources } = await client.listResources();
  assert.deepEqual(
    resources.map(({ name }) => name),
    ['routes.yaml', 'pipelock.yaml', 'Dockerfile'],
  );
  const { contents } = await client.readResource({ uri: 'bottle:///config/Dockerfile' });
  assert.partialDeepStrictEqual(contents, [{ text: 'FROM scratch\n********\n' }]);
  for (const uri of ['bottle:///config/../data/lock', 'bottle:///config/git-gate.yaml', 'file:///etc/passwd']) {
    await assert.rejects(client.readResource({ uri }));
  }
});

test('an agent sees its own proposals and no reports, incidents or others', async (t) => {
  const world = makeWorld(t);
  const running = await world.start();
  await world.operator('POST', '/v1/incidents', { text: 'it crashed', daemon: 'egress', cause: 'crash', lines: [] });
  const { id } = await theProposal(world);
  const client = await connect(t, running);
  for (const unknown of [id, 'p-zzzz', '../x', '']) {
    assert.equal((await client.callTool({ name: 'check-proposal', arguments: { id: unknown } })).isError, true);
  }
});

test('nothing of the operator is on the agent’s side', async (t) => {
  const { port } = await makeWorld(t).start();
  for (const path of ['/v1/proposals', '/v1/status', '/metrics', '/', '/mcp/../v1/status']) {
    assert.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 404, path);
  }
});

test('a page of another origin, and a foreign host name, get 403', async (t) => {
  const running = await makeWorld(t).start({ SUPERVISE_HOSTS: 'bundle' });
  const status = async (headers: Readonly<Record<string, string>>): Promise<number> => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const socket = connectSocket(running.port, '127.0.0.1');
    const lines = Object.entries({ connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`GET /__health HTTP/1.1\r\n${lines.join('')}\r\n`);
    socket.once('data', (data) => resolve(Number(data.toString('latin1').split(' ')[1])));
    return promise;
  };
  for (const host of ['localhost', `127.0.0.1:${running.port}`, 'supervise:9100', 'bundle', '[::1]']) {
    assert.equal(await status({ host }), 200, host);
  }
  for (const host of ['evil.example', 'supervise.evil.example', '10.0.0.1'])
    assert.equal(await status({ host }), 403, host);
  for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example']) {
    assert.equal(await status({ host: 'localhost', origin }), 403, origin);
  }
});

test('tasks: a client that declares them gets one that is durable, is decided, and outlives a restart', async (t) => {
  const world = makeWorld(t);
  let running = await world.start({ SUPERVISE_WAIT: '5m' });
  const options = { capabilities: TASKS };
  const { message } = await post(running, 'tools/call', proposeHost('b.example'), options);
  assert.partialDeepStrictEqual(message.result, { resultType: 'task', status: 'working' });
  const taskId: unknown = message.result?.taskId;
  const get = async () => (await post(running, 'tasks/get', { taskId }, options)).message.result;
  assert.partialDeepStrictEqual(await get(), { resultType: 'complete', taskId, status: 'working' });
  running.kill('SIGKILL');
  await running.ended;
  running = await world.start({ SUPERVISE_WAIT: '5m' });
  assert.partialDeepStrictEqual(await get(), { taskId, status: 'working' });
  await world.decide(await theProposal(world), 'rejected', { reason: 'no' });
  const done = await get();
  assert.partialDeepStrictEqual(done, { taskId, status: 'completed' });
  assert.partialDeepStrictEqual(done?.result, { structuredContent: { status: 'rejected', notes: 'no' } });
  const { message: ack } = await post(running, 'tasks/cancel', { taskId }, options);
  assert.equal(ack.result?.resultType, 'complete');
  const again = await post(running, 'tools/call', proposeHost('b.example'), options);
  assert.partialDeepStrictEqual(again.message.result, {
    resultType: 'complete',
    structuredContent: { status: 'rejected' },
  });
});

test('tasks: one that is cancelled stays so over a restart, its proposal stays, and the next call begins another', async (t) => {
  const world = makeWorld(t);
  let running = await world.start({ SUPERVISE_WAIT: '5m' });
  const options = { capabilities: TASKS };
  const call = async () => (await post(running, 'tools/call', proposeHost('b.example'), options)).message.result;
  const taskId: unknown = (await call())?.taskId;
  const { message } = await post(running, 'tasks/cancel', { taskId }, options);
  assert.equal(message.result?.resultType, 'complete');
  for (const key of ['taskId', 'status', 'result', 'error']) assert.ok(!(key in (message.result ?? {})), key);
  running.kill('SIGKILL');
  await running.ended;
  running = await world.start({ SUPERVISE_WAIT: '5m' });
  const got = (await post(running, 'tasks/get', { taskId }, options)).message.result;
  assert.equal(got?.status, 'cancelled');
  assert.equal((await theProposal(world)).status, 'pending');
  const next = await call();
  assert.notEqual(next?.taskId, taskId);
  assert.equal(next?.status, 'working');
});

test('tasks: who has not declared them gets an ordinary answer, and -32021 for their methods', async (t) => {
  const running = await makeWorld(t).start();
  const { message } = await post(running, 'tools/call', proposeHost('b.example'));
  assert.partialDeepStrictEqual(message.result, { resultType: 'complete', structuredContent: { status: 'pending' } });
  for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update']) {
    const answered = await post(running, method, { taskId: 'p-0000.0', inputResponses: {} });
    assert.equal(answered.message.error?.code, -32021, method);
  }
  for (const taskId of ['p-0000.0', 'nonsense', `${message.result?.structuredContent.id}.7`]) {
    const unknown = await post(running, 'tasks/get', { taskId }, { capabilities: TASKS });
    assert.equal(unknown.message.error?.code, -32602, taskId);
  }
  for (const method of ['tasks/list', 'tasks/result']) {
    const gone = await post(running, method, { taskId: 'p-0000.0' }, { capabilities: TASKS });
    assert.equal(gone.message.error?.code, -32601, method);
  }
  const { message: mismatch, status } = await post(
    running,
    'tasks/get',
    { taskId: 'p-0000.0' },
    { capabilities: TASKS, headers: { 'mcp-name': 'p-1111.0' } },
  );
  assert.deepEqual([status, mismatch.error?.code], [400, -32020]);
});

test('malformed JSON-RPC is answered with its error, and the next request as if nothing was', async (t) => {
  const running = await makeWorld(t).start();
  const send = async (body: string, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body,
    });
    return { status: response.status, text: await response.text() };
  };
  assert.match((await send('{')).text, /-32700/);
  for (const body of ['[]', '"x"', '{"jsonrpc":"1.0"}', 'null', '{"jsonrpc":"2.0","id":1}']) {
    const { status, text } = await send(body);
    assert.ok(status >= 400 && status < 500, `${body}: ${status} ${text}`);
    assert.match(text, /-32[067]0\d/, body);
  }
  assert.equal((await send('x'.repeat(3_000_000))).status, 413);
  assert.equal((await send('{}', { 'content-type': 'text/plain' })).status, 415);
  const list = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}';
  assert.equal((await send(list, { 'mcp-session-id': 'never-begun' })).status, 404);
  assert.equal((await send(list)).status, 400);
  const { status, message } = await post(running, 'tools/nothing', {});
  assert.deepEqual([status, message.error?.code], [404, -32601]);
  assert.equal((await post(running, 'tools/call', { name: 'no-such-tool' })).message.error?.code, -32602);
  assert.equal((await post(running, 'tools/list', {})).status, 200);
});

test('a flood of proposals is refused beyond its limits, with words that say so, and is counted', async (t) => {
  const world = makeWorld(t);
  const running = await world.start({ SUPERVISE_MOST_PENDING: '5', SUPERVISE_MOST_PER_MINUTE: '1000' });
  const client = await connect(t, running);
  const calls = await Promise.all(Array.from({ length: 40 }, (_, n) => client.callTool(proposeHost(`h${n}.example`))));
  const refused = calls.filter(({ isError }) => isError === true);
  assert.equal(refused.length, 35);
  assert.match(saidBy(refused[0] ?? {}), /5 proposals wait for the operator already/);
  assert.equal((await world.proposals()).length, 5);
  const { body } = await world.operator('GET', '/v1/status');
  assert.partialDeepStrictEqual(body, { counts: { pending: 5 }, refused: 35 });
  const metrics = await (await fetch(`http://127.0.0.1:${running.metricsPort}/metrics`)).text();
  assert.match(metrics, /^supervise_refused_total 35$/m);
  assert.match(metrics, /^supervise_proposals\{status="pending",kind="egress-block"\} 5$/m);
});

test('a hundred calls of the same proposal at once are one entry', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  const calls = await Promise.all(Array.from({ length: 100 }, () => client.callTool(proposeHost('b.example'))));
  assert.equal(new Set(calls.map((call) => answerOf(call).id)).size, 1);
  assert.equal((await theProposal(world)).times, 100);
});

test('a client that asks for progress hears of it while it waits', { timeout: 60_000 }, async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start({ SUPERVISE_WAIT: '12s' }));
  const heard: number[] = [];
  const called = await client.callTool(proposeHost('b.example'), {
    onprogress: ({ progress }) => heard.push(progress),
  });
  assert.equal(answerOf(called).status, 'pending');
  assert.deepEqual(heard, [10]);
});

test('sessions of the older era end by DELETE, and with more than enough of them the oldest ends', async (t) => {
  const running: Running = await makeWorld(t).start();
  const begin = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
      }),
    });
    await response.text();
    return response.headers.get('mcp-session-id') ?? '';
  };
  const use = async (session: string, method = 'POST'): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': session,
        'mcp-protocol-version': '2025-11-25',
      },
      ...(method === 'POST' ? { body: '{"jsonrpc":"2.0","id":2,"method":"tools/list"}' } : {}),
    });
    await response.text();
    return response.status;
  };
  const first = await begin();
  assert.equal(await use(first), 200);
  assert.equal(await use(first, 'DELETE'), 200);
  assert.equal(await use(first), 404);
  const sessions: string[] = [];
  for (let n = 0; n < 70; n++) sessions.push(await begin());
  assert.equal(await use(sessions[0] ?? ''), 404);
  assert.equal(await use(sessions.at(-1) ?? ''), 200);
  const metrics = await (await fetch(`http://127.0.0.1:${running.metricsPort}/metrics`)).text();
  assert.match(metrics, /^supervise_sessions 64$/m);
});
