import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOf, policyOfAll, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, modern, post, textOf } from '../fixtures/http-client.ts';

const call = (name: string, args: object = {}, more: object = {}) => ({ name, arguments: { ...args }, ...more });
const elicitation = { elicitation: {} };

test('one shared tool keeps its callers apart', async (t) => {
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: stateless']));
  const url = `${bridge.url}/mcp/fixture`;

  await t.test('callers with the same id and the same progress token hear only what is theirs', async () => {
    const progress = (n: number) =>
      modern(url, 'tools/call', call('test_tool_with_progress'), {
        id: 7,
        meta: { progressToken: n % 2 === 0 ? 'same' : n },
      });
    const answers = await Promise.all([0, 1, 2, 3].map(progress));
    for (const [n, { messages }] of answers.entries()) {
      assert.equal(messages.length, 4);
      for (const told of messages.slice(0, 3))
        assert.equal((told.params as { progressToken: unknown }).progressToken, n % 2 === 0 ? 'same' : n);
      assert.equal(messages[3]?.id, 7);
    }
  });

  await t.test('the trace of the request reaches the tool', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const answer = await modern(url, 'tools/call', call('test_meta'), { headers: { traceparent } });
    assert.match(textOf(answer), new RegExp(traceparent));
  });

  await t.test('a tool that prints noise is understood all the same', async () => {
    assert.equal(textOf(await modern(url, 'tools/call', call('test_noise'))), 'noisy');
    await bridge.event('tool-noise');
  });

  await t.test('when the tool dies, what it worked on fails and the next call works', async () => {
    const waiting = [1, 2].map((id) => modern(url, 'tools/call', call('test_slow'), { id }));
    const crashed = await modern(url, 'tools/call', call('test_crash'), { id: 3 });
    assert.equal(errorOf(crashed).code, -32603);
    assert.match(errorOf(crashed).message, /"fixture" exited with code 3 .* started again for the next call/);
    for (const answer of await Promise.all(waiting)) assert.equal(errorOf(answer).code, -32603);
    assert.match(textOf(await modern(url, 'tools/call', call('test_simple_text'))), /simple text/);
  });
});

test('integers beyond 2^53 pass digit by digit, and a key that was written twice passes once', async (t) => {
  const bridge = await startBridge(t, policyOf('raw.ts', ['life: stateless']));
  const response = await fetch(`${bridge.url}/mcp/fixture`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'last',
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"first","name":"last","arguments":{"big":12345678901234567890},
      "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
  });
  const text = await response.text();
  assert.match(text, /12345678901234567890/);
  assert.match(text, /98765432109876543210/);
  assert.doesNotMatch(text, /first/);
});

test('a tool that only speaks 2025 asks a client of 2026-07-28', async (t) => {
  const bridge = await startBridge(t, policyOf('legacy-only.ts', ['life: stateless']));
  const url = `${bridge.url}/mcp/fixture`;
  const question = call('test_input_required_result_elicitation');
  type Asked = {
    result: { resultType: string; requestState: string; inputRequests: Record<string, { method: string }> };
  };
  const ask = async (agent = 'one'): Promise<Asked['result']> => {
    const first = await modern(url, 'tools/call', question, {
      capabilities: elicitation,
      headers: { 'x-agent-id': agent },
    });
    return (first.last as Asked).result;
  };
  const answered = (requestState: string, agent = 'one', params: object = question) =>
    modern(
      url,
      'tools/call',
      { ...params, requestState, inputResponses: { user_name: { action: 'accept', content: { name: 'Ada' } } } },
      { capabilities: elicitation, id: 2, headers: { 'x-agent-id': agent } },
    );

  await t.test('by the name that the tool gives to its question, and goes on with the answer', async () => {
    const result = await ask();
    assert.equal(result.resultType, 'input_required');
    assert.equal(result.inputRequests.user_name?.method, 'elicitation/create');
    assert.equal(textOf(await answered(result.requestState)), 'Hello, Ada!');
  });

  await t.test('and takes its state only once, unchanged, from the same agent, for the same call', async () => {
    const { requestState } = await ask();
    assert.equal(errorOf(await answered(`${requestState}x`)).code, -32602);
    assert.equal(errorOf(await answered(requestState, 'two')).code, -32602);
    assert.equal(
      errorOf(await answered(requestState, 'one', call('test_input_required_result_elicitation', { a: 1 }))).code,
      -32602,
    );
    assert.equal(textOf(await answered(requestState)), 'Hello, Ada!');
    assert.equal(errorOf(await answered(requestState)).code, -32602);
  });
});

test('a tool that remembers has a process for each session', async (t) => {
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: session', 'max_sessions: 2']));
  const url = `${bridge.url}/mcp/fixture`;
  const [one, two] = [await connect(url), await connect(url)];
  const count = async (client: typeof one): Promise<string[]> =>
    textOf(await client.call('tools/call', call('test_count'))).split(':');

  await t.test('which counts for itself', async () => {
    const [first, again, other] = [await count(one), await count(one), await count(two)];
    assert.equal(first[0], again[0]);
    assert.notEqual(first[0], other[0]);
    assert.deepEqual([first[1], again[1], other[1]], ['1', '2', '1']);
  });

  await t.test('and no more than it may have', async () => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'third', version: '1' } };
    const refused = await post(url, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
    assert.match(errorOf(refused).message, /2 sessions, as many as it may/);
  });

  await t.test('a session whose process died goes on with a new one', async () => {
    const [pid] = await count(one);
    assert.equal(errorOf(await one.call('tools/call', call('test_crash'))).code, -32603);
    const [fresh, number] = await count(one);
    assert.notEqual(fresh, pid);
    assert.equal(number, '1');
  });
});

test('all tools together', async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({ old: ['legacy-only.ts', 'life: stateless'], new: ['modern-only.ts', 'life: stateless'] }),
  );
  const url = `${bridge.url}/mcp`;
  type Listed = { result: { tools: { name: string }[]; resources: { uri: string }[] } };

  await t.test('list under names that tell whose they are', async () => {
    const client = await connect(url);
    for (const answer of [await modern(url, 'tools/list'), await client.call('tools/list')]) {
      const names = (answer.last as Listed).result.tools.map(({ name }) => name);
      assert.ok(names.includes('old__test_simple_text'));
      assert.ok(names.includes('new__test_simple_text'));
      assert.equal(new Set(names).size, names.length);
    }
  });

  await t.test('are called by these names, in both eras', async () => {
    const client = await connect(url);
    for (const tool of ['old', 'new']) {
      const params = call(`${tool}__test_simple_text`);
      assert.match(textOf(await modern(url, 'tools/call', params)), /simple text/);
      assert.match(textOf(await client.call('tools/call', params)), /simple text/);
    }
    assert.equal(errorOf(await modern(url, 'tools/call', call('test_simple_text'))).code, -32602);
  });

  await t.test('and their resources read by the URIs that are listed', async () => {
    const listed = (await modern(url, 'resources/list')).last as Listed;
    const uri = listed.result.resources[0]?.uri ?? '';
    const read = await modern(url, 'resources/read', { uri });
    assert.match(JSON.stringify(read.last), /static text resource/);
    assert.ok(JSON.stringify(read.last).includes(JSON.stringify(uri)));
  });
});

test('the policy judges what clients ask and what tools ask', async (t) => {
  const rules = [
    '    - { name: no-echo, when: { names: [test_echo] }, action: block, reason: not here }',
    '    - { name: no-questions, when: { direction: tool-request, methods: ["*"] }, action: block, reason: nobody is there }',
  ];
  const policy = policyOf('dual-era.ts', ['life: stateless']).replace('  rules:', ['  rules:', ...rules].join('\n'));
  const bridge = await startBridge(t, policy);
  const url = `${bridge.url}/mcp/fixture`;
  const client = await connect(url, elicitation);
  for (const answer of [
    await modern(url, 'tools/call', call('test_echo')),
    await client.call('tools/call', call('test_echo')),
  ])
    assert.match(textOf(answer), /blocked by rule "no-echo": not here/);
  const question = call('test_elicitation', { message: 'Who?' });
  const asked = await modern(url, 'tools/call', question, { capabilities: elicitation });
  assert.match(textOf(asked), /blocked by rule "no-questions"/);
  assert.match(textOf(await client.call('tools/call', question)), /no-questions/);
});
