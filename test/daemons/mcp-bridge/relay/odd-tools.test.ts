import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { policyOf, policyOfAll, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, modern, post, textOf } from '../fixtures/http-client.ts';
import { whileNeighboursWork } from '../fixtures/neighbours.ts';
import { until } from '../tools/fixture.ts';

const call = (name: string, args: object = {}) => ({ name, arguments: { ...args } });

test('a tool that misbehaves is answered for, and other sessions do not notice', { timeout: 120_000 }, async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({
      odd: ['odd.ts', 'life: session', 'limits: { message_size: 1MiB }'],
      hasty: ['odd.ts', 'life: session', 'limits: { call_timeout: 1s }'],
      good: ['odd.ts', 'life: stateless'],
      dies: ['odd.ts', 'args: [dies]'],
      chatty: ['odd.ts', 'args: [chatty]', 'life: stateless'],
    }),
  );
  const url = `${bridge.url}/mcp/odd`;
  const neighbours = [url, `${bridge.url}/mcp/good`];

  await t.test('one that answers with nesting without end is an error that says so', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      const answer = await client.call('tools/call', call('deep', { levels: 100_000 }));
      assert.match(errorOf(answer).message, /answered with more than 256 levels of nesting/);
      const { result } = (await client.call('tools/call', call('deep', { levels: 200 }))).last;
      assert.match(JSON.stringify(result), /\[{100}/);
    }),
  );

  await t.test('one that prints noise is understood all the same', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      assert.equal(textOf(await client.call('tools/call', call('noise'))), 'noisy');
      assert.match(textOf(await modern(`${bridge.url}/mcp/chatty`, 'tools/call', call('echo', { a: 1 }))), /"a":1/);
      const noise = bridge.logged.filter(({ event }) => event === 'tool-noise').map(({ message }) => String(message));
      assert.ok(noise.length > 0 && noise.every((line) => !/\p{Cc}/u.test(line)));
    }),
  );

  await t.test('one that dies in the handshake is an error that says so', () =>
    whileNeighboursWork(neighbours, async () => {
      const answer = await modern(`${bridge.url}/mcp/dies`, 'tools/list');
      assert.equal(errorOf(answer).code, -32603);
      assert.match(errorOf(answer).message, /"dies" cannot be used: .*exited with code 7/);
    }),
  );

  await t.test('one that never answers is an error after call_timeout, and hears that it may stop', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(`${bridge.url}/mcp/hasty`);
      const answer = await client.call('tools/call', call('never'));
      assert.equal(errorOf(answer).code, -32603);
      assert.match(errorOf(answer).message, /"hasty" did not answer within 1 s/);
      assert.equal(textOf(await client.call('tools/call', call('cancelled'))), '1');
    }),
  );

  await t.test('one that answers with more than may be passed on is an error, and serves the next call', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      const answer = await client.call('tools/call', call('big', { bytes: 3_000_000 }));
      assert.match(errorOf(answer).message, /answered with 30\d{5} bytes, more than may be passed on/);
      assert.match(textOf(await client.call('tools/call', call('echo', { b: 2 }))), /"b":2/);
    }),
  );

  await t.test('one that closes its stdout is ended, and another one started', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      const answer = await client.call('tools/call', call('half'));
      assert.match(errorOf(answer).message, /was ended by SIGKILL before it answered/);
      assert.match(textOf(await client.call('tools/call', call('echo', { c: 3 }))), /"c":3/);
    }),
  );

  await t.test('one that floods stdout brings its client all of it, and costs the bridge no more memory', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      const before = residentBytes(bridge.pid);
      const answer = await client.call('tools/call', call('flood', { count: 4000, bytes: 10_000 }));
      assert.equal(textOf(answer), 'flooded');
      assert.ok(residentBytes(bridge.pid) < before + 200_000_000);
    }),
  );

  await t.test('one that floods stderr does not flood the log', () =>
    whileNeighboursWork(neighbours, async () => {
      const client = await connect(url);
      assert.equal(textOf(await client.call('tools/call', call('complain', { count: 20_000 }))), 'complained');
      const lines = () => bridge.logged.filter(({ event }) => event === 'tool-stderr');
      await until(() => lines().length >= 200);
      assert.ok(lines().length < 1000, `${lines().length} lines`);
    }),
  );
});

test('what a client does not read is not kept without end: it is cut off', { timeout: 120_000 }, async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({ odd: ['odd.ts', 'life: session'], good: ['odd.ts', 'life: stateless'] }),
    // Garbage is collected soon, so that what grows is what is held.
    { NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=2' },
  );
  const url = `${bridge.url}/mcp/odd`;
  await whileNeighboursWork([`${bridge.url}/mcp/good`], async () => {
    const client = await connect(url);
    const before = residentBytes(bridge.pid);
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', 'mcp-session-id': client.sessionId },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 'flood',
        method: 'tools/call',
        params: call('flood', { count: 10_000, bytes: 10_000 }),
      }),
    });
    // The first event is there, and no other is ever read until the tool has said all.
    const reader = (response.body ?? new ReadableStream()).getReader();
    await reader.read();
    while (textOf(await client.call('tools/call', call('floods'))) === '0');
    await assert.rejects(async () => {
      while (!(await reader.read()).done);
    });
    const grown = residentBytes(bridge.pid) - before;
    assert.ok(grown < 150_000_000, `${grown} bytes`);
  });
});

test('a shared tool that hangs is found by its health check, ended and started anew', {
  timeout: 60_000,
}, async (t) => {
  const health = 'health: { interval: 200ms, timeout: 100ms, retries: 2 }';
  const limits = 'limits: { call_timeout: 500ms }';
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless', health, limits]));
  const url = `${bridge.url}/mcp/fixture`;
  const before = textOf(await modern(url, 'tools/call', call('pid')));
  const answer = await modern(url, 'tools/call', call('hang'));
  assert.match(errorOf(answer).message, /did not answer within 0.5 s|was ended by/);
  await bridge.event('tool-hung');
  const health503 = async () => (await fetch(`${bridge.url}/health`)).status;
  const pid = async () => textOf(await modern(url, 'tools/call', call('pid')));
  let after = await pid();
  for (let tries = 0; tries < 100 && !/^\d+$/.test(after); tries += 1) after = await pid();
  assert.notEqual(after, before);
  assert.equal(await health503(), 200);
  assert.throws(() => process.kill(Number(before), 0), 'the one that hung is gone');
  const metrics = await (await fetch(bridge.metricsUrl)).text();
  assert.match(metrics, /^# TYPE bridge_process_restarts_total counter$/m);
  assert.match(metrics, /^bridge_process_restarts_total\{tool="fixture"\} [1-9]/m);
});

test('a tool that works for long is not taken for one that hangs', { timeout: 60_000 }, async (t) => {
  const health = 'health: { interval: 100ms, timeout: 2s, retries: 1 }';
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless', health]));
  const url = `${bridge.url}/mcp/fixture`;
  const [pid, busy, after] = [
    await modern(url, 'tools/call', call('pid')),
    await modern(url, 'tools/call', call('busy', { milliseconds: 3000 })),
    await modern(url, 'tools/call', call('pid')),
  ];
  assert.equal(textOf(busy), 'busy');
  assert.equal(textOf(pid), textOf(after));
});

test('/health tells which tool fails, and when it is well again', { timeout: 60_000 }, async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({ dies: ['odd.ts', 'args: [dies]', 'life: stateless'], good: ['odd.ts'] }),
  );
  const health = async (): Promise<{ status: number; tools: Record<string, string> }> => {
    const response = await fetch(`${bridge.url}/health`);
    const { tools } = JSON.parse(await response.text()) as { tools: { name: string; status: string }[] };
    return { status: response.status, tools: Object.fromEntries(tools.map(({ name, status }) => [name, status])) };
  };
  assert.deepEqual(await health(), { status: 200, tools: { dies: 'idle', good: 'idle' } });
  assert.equal(errorOf(await modern(`${bridge.url}/mcp/dies`, 'tools/list')).code, -32603);
  await modern(`${bridge.url}/mcp/good`, 'tools/list');
  assert.deepEqual(await health(), { status: 503, tools: { dies: 'failing', good: 'running' } });
});

test('a tool that will not end ends with the bridge', { timeout: 60_000 }, async (t) => {
  const bridge = await startBridge(t, policyOf('odd.ts', ['args: [stubborn]', 'life: stateless']));
  const pid = Number(textOf(await modern(`${bridge.url}/mcp/fixture`, 'tools/call', call('pid'))));
  assert.equal(await bridge.stop(), 0);
  assert.throws(() => process.kill(pid, 0));
});

test('one tool that hangs at its start does not keep the others out of /mcp', { timeout: 60_000 }, async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({ good: ['odd.ts', 'life: stateless'], silent: ['odd.ts', 'args: [silent]', 'life: stateless'] }),
  );
  const url = `${bridge.url}/mcp`;
  type Listed = { result: { tools: { name: string }[] } };
  const names = (listed: Listed) => new Set(listed.result.tools.map(({ name }) => name.split('__')[0]));
  const [client, listed] = await Promise.all([connect(url), modern(url, 'tools/list')]);
  assert.deepEqual(names(listed.last as Listed), new Set(['good']));
  assert.deepEqual(names((await client.call('tools/list')).last as Listed), new Set(['good']));
  assert.equal(textOf(await client.call('tools/call', call('good__say', { text: 'hello' }))), 'hello');
});

function residentBytes(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

test('a tool that never starts again takes nobody with it, whoever watched its resources', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-bridge-fragile-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const bridge = await startBridge(
    t,
    policyOfAll({
      fragile: ['fragile.ts', `args: [${JSON.stringify(join(folder, 'broken'))}]`, 'life: stateless'],
      good: ['odd.ts', 'life: stateless'],
    }),
  );
  const url = `${bridge.url}/mcp/fragile`;
  const client = await connect(url);
  const watched = await client.call('resources/subscribe', { uri: 'note://one' });
  assert.deepEqual(watched.last.result, {});
  await client.call('tools/call', call('break'));
  assert.equal(errorOf(await client.call('tools/list')).code, -32603);
  assert.equal(errorOf(await client.call('resources/subscribe', { uri: 'note://two' })).code, -32603);
  const headers = { 'mcp-session-id': client.sessionId };
  assert.equal((await fetch(url, { method: 'DELETE', headers })).status, 204);
  // The bridge tells the tool that nobody watches any more, which starts it once more, before this does.
  assert.equal(errorOf(await modern(url, 'tools/list')).code, -32603);
  assert.equal(textOf(await modern(`${bridge.url}/mcp/good`, 'tools/call', call('say', { text: 'here' }))), 'here');
});

test('how a session opens is judged: who may open one, and what the tool says of itself', async (t) => {
  const secret = `note${'-token-'}0123456789`;
  const rules = '    - { name: banned, when: { agents: [mallory], methods: [initialize] }, action: block }\n';
  const environment = [`environment: { NOTE_TOKEN: "\${NOTE_TOKEN}" }`, 'life: session'];
  const policy = policyOf('fragile.ts', environment).replace('  rules:\n', `  rules:\n${rules}`);
  const bridge = await startBridge(t, policy, { NOTE_TOKEN: secret });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const open = (path: string, agent: string) =>
    post(`${bridge.url}${path}`, { jsonrpc: '2.0', id: 1, method: 'initialize', params }, { 'x-agent-id': agent });
  const opened = JSON.stringify((await open('/mcp/fixture', 'ada')).last);
  assert.match(opened, /Notes of \[redacted: NOTE_TOKEN\]/);
  assert.equal(errorOf(await open('/mcp/fixture', 'mallory')).code, 403);
});
