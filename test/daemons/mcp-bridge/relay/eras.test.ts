import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOf, policyOfAll, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, type Json, modern, textOf } from '../fixtures/http-client.ts';

const call = (name: string, args: object = {}) => ({ name, arguments: { ...args } });
const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } };

test('an argument that its schema repeats in a header must be the same in both', async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({ new: ['dual-era.ts', 'life: stateless'], old: ['legacy-only.ts', 'life: stateless'] }),
  );
  const base64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`;
  const said = async (path: string, name: string, args: object, headers: Record<string, string>) => {
    const answer = await modern(`${bridge.url}${path}`, 'tools/call', call(name, args), { headers });
    return [answer.status, errorOf(answer).code];
  };
  const places = [
    ['/mcp/new', 'test_header_parameter'],
    ['/mcp/old', 'test_header_parameter'],
    ['/mcp', 'new__test_header_parameter'],
  ] as const;
  for (const [path, name] of places) {
    const region = { region: 'eu-west' };
    assert.deepEqual(await said(path, name, region, { 'mcp-param-region': 'eu-west' }), [200, 0]);
    assert.deepEqual(await said(path, name, region, { 'mcp-param-region': base64('eu-west') }), [200, 0]);
    assert.deepEqual(await said(path, name, { count: 42 }, { 'mcp-param-count': '42.0' }), [200, 0]);
    // Nothing is repeated where the body says nothing.
    assert.deepEqual(await said(path, name, { region: null }, {}), [200, 0]);
    assert.deepEqual(await said(path, name, {}, { 'mcp-param-region': 'eu-west' }), [200, 0]);
    const wrong: readonly [object, Record<string, string>][] = [
      [region, {}],
      [region, { 'mcp-param-region': 'us-east' }],
      [region, { 'mcp-param-region': base64('us-east') }],
      [region, { 'mcp-param-region': '=?base64?ZXUtd2VzdA?=' }],
      [{ region: 'Zürich' }, { 'mcp-param-region': 'Zurich' }],
      [{ count: 42 }, { 'mcp-param-count': '43' }],
    ];
    for (const [args, headers] of wrong)
      assert.deepEqual(
        await said(path, name, args, headers),
        [400, -32020],
        `${path} ${JSON.stringify([args, headers])}`,
      );
  }
});

test('the trace of a request goes on to the tool', async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({
      shared: ['odd.ts', 'life: stateless'],
      own: ['odd.ts', 'life: session'],
      new: ['raw.ts', 'life: session'],
    }),
  );
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
  const headers = { traceparent, tracestate: 'vendor=1', baggage: 'user=alice' };
  type Meta = { traceparent?: string; tracestate?: string; baggage?: string };
  const meta = async (more: Record<string, string>, own: Json = {}): Promise<Meta> =>
    JSON.parse(
      textOf(await modern(`${bridge.url}/mcp/shared`, 'tools/call', call('meta'), { headers: more, meta: own })),
    );

  await t.test('in _meta, under the names of the specification', async () => {
    const { traceparent: parent, tracestate, baggage } = await meta(headers);
    assert.deepEqual({ traceparent: parent, tracestate, baggage }, headers);
  });

  await t.test('but what the message brings of its own stays', async () => {
    const other = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`;
    const got = await meta(headers, { traceparent: other });
    assert.deepEqual([got.traceparent, got.tracestate], [other, undefined]);
  });

  await t.test('and what has not the form of a trace is left out', async () => {
    assert.deepEqual((await meta({ traceparent: 'x', tracestate: 'vendor=1' })).tracestate, undefined);
  });

  await t.test('and as variables of a process that is started for one session', async () => {
    const client = await connect(`${bridge.url}/mcp/own`, {}, headers);
    const variables = JSON.parse(textOf(await client.call('tools/call', call('environment'))));
    assert.deepEqual(variables, { TRACEPARENT: traceparent, TRACESTATE: 'vendor=1', BAGGAGE: 'user=alice' });
    const shared = await connect(`${bridge.url}/mcp/shared`, {}, headers);
    assert.deepEqual(JSON.parse(textOf(await shared.call('tools/call', call('environment')))), {});
  });
});

test('a page that has to be visited first', async (t) => {
  const pages = { elicitation: { url: {} } };
  type Asked = { result: { resultType: string; inputRequests: Record<string, { method: string; params: Json }> } };

  await t.test('is a question to a client of 2026-07-28, which calls again when the user has been there', async (t) => {
    const bridge = await startBridge(t, policyOf('odd.ts', ['life: session']));
    const url = `${bridge.url}/mcp/fixture`;
    const { result } = (await modern(url, 'tools/call', call('visit'), { capabilities: pages })).last as Asked;
    assert.equal(result.resultType, 'input_required');
    const [[key, { method, params }] = ['', { method: '', params: {} }]] = Object.entries(result.inputRequests);
    assert.equal(method, 'elicitation/create');
    assert.deepEqual(params, { mode: 'url', url: 'https://example.com/connect', message: 'Connect first' });
    const answered = (action: string) =>
      modern(url, 'tools/call', { ...call('visit'), inputResponses: { [key]: { action } } }, { capabilities: pages });
    assert.match(errorOf(await answered('decline')).message, /the user declined/);
    assert.equal(textOf(await answered('accept')), 'connected');
  });

  await t.test('is an error to a client that cannot open pages, and tells it so', async (t) => {
    const bridge = await startBridge(t, policyOf('odd.ts', ['life: session']));
    const answer = await modern(`${bridge.url}/mcp/fixture`, 'tools/call', call('visit'), {
      capabilities: { elicitation: {} },
    });
    assert.deepEqual([answer.status, errorOf(answer).code], [400, -32021]);
  });

  await t.test('reaches a client of 2025 as the error that it knows', async (t) => {
    const bridge = await startBridge(t, policyOf('odd.ts', ['life: session']));
    const client = await connect(`${bridge.url}/mcp/fixture`, pages);
    assert.equal(errorOf(await client.call('tools/call', call('visit'))).code, -32042);
    assert.equal(textOf(await client.call('tools/call', call('visit'))), 'connected');
  });

  await t.test('and where the policy lets no tool ask, nobody is sent anywhere', async (t) => {
    const policy = policyOf('odd.ts').replace('methods: ["*"] }, action: allow', 'methods: ["*"] }, action: block');
    const bridge = await startBridge(t, policy);
    const answer = await modern(`${bridge.url}/mcp/fixture`, 'tools/call', call('visit'), { capabilities: pages });
    assert.doesNotMatch(JSON.stringify(answer.last), /example\.com/);
    assert.match(textOf(answer), /blocked by rule "tools-may-ask"/);
  });
});

test('tasks of 2026-07-28 pass, and what they ask and hold is judged', async (t) => {
  const rules =
    '    - { name: no-questions, when: { direction: tool-request, methods: ["elicitation/*"] }, action: block }\n';
  const policy = policyOf('tasks.ts', ['life: stateless']);
  const [free, strict] = [
    await startBridge(t, policy),
    await startBridge(t, policy.replace('  rules:\n', `  rules:\n${rules}`)),
  ];
  type Task = { result: { resultType: string; taskId: string; status: string; inputRequests?: Json } };
  const parked = async (url: string): Promise<[string, Awaited<ReturnType<typeof modern>>]> => {
    const begun = await modern(url, 'tools/call', call('confirm_delete', { filename: 'a' }), { capabilities: tasks });
    const { taskId } = (begun.last as Task).result;
    const headers = { 'mcp-name': taskId };
    return [taskId, await modern(url, 'tasks/get', { taskId }, { capabilities: tasks, headers })];
  };
  const [taskId, asked] = await parked(`${free.url}/mcp/fixture`);
  assert.equal((asked.last as Task).result.status, 'input_required');
  assert.deepEqual(Object.keys((asked.last as Task).result.inputRequests ?? {}), ['confirm']);
  const headers = { 'mcp-name': taskId };
  const update = { taskId, inputResponses: { confirm: { action: 'accept', content: { confirm: true } } } };
  await modern(`${free.url}/mcp/fixture`, 'tasks/update', update, { capabilities: tasks, headers });
  const done = await modern(`${free.url}/mcp/fixture`, 'tasks/get', { taskId }, { capabilities: tasks, headers });
  assert.match(JSON.stringify(done.last), /"status":"completed".*deleted a/);
  const all = `${free.url}/mcp`;
  const begun = await modern(all, 'tools/call', call('fixture__greet_later'), { capabilities: tasks });
  assert.equal(errorOf(begun).code, -32602);
  const slow = await modern(all, 'tools/call', call('fixture__slow_compute', { seconds: 0 }), { capabilities: tasks });
  const joined = (slow.last as Task).result.taskId;
  assert.match(joined, /^fixture__/);
  const own = { capabilities: tasks, headers: { 'mcp-name': joined } };
  const got = await modern(all, 'tasks/get', { taskId: joined }, own);
  assert.equal((got.last as Task).result.taskId, joined);
  const [, refused] = await parked(`${strict.url}/mcp/fixture`);
  assert.match(errorOf(refused).message, /blocked by rule "no-questions"/);
});

test('what comes out of a task is judged as the result of the call that began it, and is nobody else’s', async (t) => {
  const rules = `    - { name: no-names, when: { direction: result, methods: [tools/call], names: [confirm_delete] }, action: redact, patterns: [secret-\\w+] }
    - { name: no-computing, when: { direction: result, names: [slow_compute], result: [{ path: $..text, matches: computed }] }, action: block }
`;
  const policy = policyOf('tasks.ts', ['life: stateless']).replace('  rules:\n', `  rules:\n${rules}`);
  const url = `${(await startBridge(t, policy)).url}/mcp/fixture`;
  const begin = async (name: string, args: object): Promise<string> => {
    const begun = await modern(url, 'tools/call', call(name, args), { capabilities: tasks });
    return (begun.last as { result: { taskId: string } }).result.taskId;
  };
  const ask = (method: string, taskId: string, more: Json = {}, headers: Record<string, string> = {}) =>
    modern(url, method, { taskId, ...more }, { capabilities: tasks, headers: { 'mcp-name': taskId, ...headers } });
  const ended = async (taskId: string): Promise<string> => {
    for (;;) {
      const text = JSON.stringify((await ask('tasks/get', taskId)).last);
      if (!/"status":"working"/.test(text)) return text;
    }
  };

  const one = await begin('confirm_delete', { filename: 'secret-plan' });
  const confirm = { inputResponses: { confirm: { action: 'accept', content: { confirm: true } } } };
  const foreign = { 'x-agent-id': 'somebody-else' };
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
    assert.match(errorOf(await ask(method, one, confirm, foreign)).message, /no task of this caller/, method);
  await ask('tasks/update', one, confirm);
  assert.match(await ended(one), /"status":"completed".*deleted \[redacted\]/);
  const two = await begin('slow_compute', { seconds: 0 });
  const text = await ended(two);
  assert.match(text, /blocked by rule \\"no-computing\\"/);
  assert.doesNotMatch(text, /computed for/);
});
