import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { policyOf, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, modern, post, textOf } from '../fixtures/http-client.ts';

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {} },
};

test('the port', async (t) => {
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: stateless', 'limits: { message_size: 64KiB }']));
  const url = `${bridge.url}/mcp/fixture`;

  await t.test('refuses names and origins that are not its own', async () => {
    const { hostname, port } = new URL(url);
    const refused = request({
      hostname,
      port,
      path: '/mcp/fixture',
      method: 'POST',
      headers: { host: 'evil.example' },
    });
    refused.end('{}');
    const [response] = await once(refused, 'response');
    assert.equal(response.statusCode, 403);
    response.resume();
    for (const origin of ['http://evil.example', 'null', 'http://localhost.evil.example', 'http://evil@localhost'])
      assert.equal((await post(url, initialize, { origin })).status, 403);
    assert.equal((await post(url, initialize, { origin: 'http://localhost:3000' })).status, 200);
  });

  await t.test('answers what is no message with a JSON-RPC error', async () => {
    assert.equal(errorOf(await post(url, '{"jsonrpc":')).code, -32700);
    assert.equal(errorOf(await post(url, '[]')).code, -32600);
    assert.equal(errorOf(await post(url, '{"jsonrpc":"2.0","id":null,"method":"ping"}')).code, -32600);
    assert.equal(errorOf(await post(url, { jsonrpc: '1.0', id: 1, method: 'ping' })).code, -32600);
    assert.equal((await post(url, initialize, { 'content-type': 'text/plain' })).status, 415);
  });

  await t.test('answers a message that is too large with 413 and a JSON-RPC error', async () => {
    const answer = await modern(url, 'tools/call', { name: 'test_echo', arguments: { text: 'x'.repeat(70_000) } });
    assert.equal(answer.status, 413);
    assert.match(errorOf(answer).message, /larger than 65536 bytes/);
  });

  await t.test('compares headers with the body', async () => {
    const call = { name: 'test_simple_text', arguments: {} };
    const wrong = [{ 'mcp-method': 'tools/list' }, { 'mcp-name': 'other' }, { 'mcp-protocol-version': '2025-11-25' }];
    for (const headers of wrong) {
      const answer = await modern(url, 'tools/call', call, { headers });
      assert.deepEqual([answer.status, errorOf(answer).code], [400, -32020]);
    }
    const encoded = `=?base64?${Buffer.from(call.name).toString('base64')}?=`;
    assert.equal((await modern(url, 'tools/call', call, { headers: { 'mcp-name': encoded } })).status, 200);
  });

  await t.test('answers 404 for methods, tools and sessions that it does not know', async () => {
    assert.equal((await modern(url, 'no/such')).status, 404);
    assert.equal((await modern(`${bridge.url}/mcp/other`, 'tools/list')).status, 404);
    const client = await connect(url);
    const headers = { 'mcp-session-id': client.sessionId };
    const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
    assert.equal((await post(url, ping, headers)).status, 200);
    assert.equal((await post(url, ping, { ...headers, 'x-agent-id': 'another' })).status, 404);
    assert.equal((await fetch(url, { method: 'DELETE', headers })).status, 204);
    assert.equal((await post(url, ping, headers)).status, 404);
  });

  await t.test('tells the state of the tools and counts', async () => {
    assert.match(textOf(await modern(url, 'tools/call', { name: 'test_simple_text', arguments: {} })), /simple/);
    await modern(url, 'made/up');
    const health = JSON.parse(await (await fetch(`${bridge.url}/health`)).text());
    assert.equal(health.status, 'healthy');
    assert.deepEqual(health.tools[0].name, 'fixture');
    const metrics = await (await fetch(bridge.metricsUrl)).text();
    assert.match(metrics, /bridge_messages_total\{direction="inbound",status="ok",method="tools\/call"\} \d/);
    assert.match(metrics, /method="other"/);
    assert.doesNotMatch(metrics, /made\/up/);
    for (const name of [
      'sessions_active',
      'sessions_total',
      'process_status',
      'process_restarts_total',
      'http_requests_total',
    ])
      assert.match(metrics, new RegExp(`^bridge_${name}`, 'm'));
  });
});

test('HTTP+SSE of 2024-11-05 serves old clients, and replays what they missed', async (t) => {
  const bridge = await startBridge(t, policyOf('legacy-only.ts', ['life: stateless']));
  const open = async (path: string, headers: Record<string, string> = {}) => {
    const gone = new AbortController();
    const response = await fetch(`${bridge.url}${path}`, { headers, signal: gone.signal });
    const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    let seen = '';
    return {
      close: () => gone.abort(),
      async until(pattern: RegExp): Promise<RegExpExecArray> {
        for (;;) {
          const match = pattern.exec(seen);
          if (match !== null) return match;
          const { value, done } = await reader.read();
          assert.ok(!done, `the stream ended after ${seen}`);
          seen += value;
        }
      },
    };
  };
  const first = await open('/sse/fixture');
  const [, path = ''] = await first.until(/event: endpoint\ndata: (\S+)/);
  const say = (message: object) => post(`${bridge.url}${path}`, { jsonrpc: '2.0', ...message });
  const opening = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'old', version: '1' } };
  assert.equal((await say({ id: 1, method: 'initialize', params: opening })).status, 202);
  const [, id = ''] = await first.until(
    /id: (\S+)\nevent: message\ndata: .*"id":1,"result".*"protocolVersion":"2024-11-05"/,
  );
  await say({ method: 'notifications/initialized' });
  await say({ id: 2, method: 'tools/call', params: { name: 'test_simple_text', arguments: {} } });
  await first.until(/"id":2,"result".*simple text/);
  first.close();
  const again = await open(path.replace('/message', '/sse/fixture'), { 'last-event-id': id });
  await again.until(/"id":2,"result".*simple text/);
  again.close();
});

test('where there is a token, it must be sent', async (t) => {
  const credentials = mkdtempSync(join(tmpdir(), 'mcp-bridge-token-'));
  const token = `token-${'0123456789'.repeat(3)}`;
  writeFileSync(join(credentials, 'MCP_BRIDGE_TOKEN'), `${token}\n`);
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: stateless']), {
    CREDENTIALS_DIRECTORY: credentials,
  });
  const url = `${bridge.url}/mcp/fixture`;
  assert.equal((await post(url, initialize)).status, 401);
  assert.equal((await post(url, initialize, { authorization: 'Bearer wrong' })).status, 401);
  assert.equal((await post(url, initialize, { authorization: `Bearer ${token}` })).status, 200);
});

test('a bridge that was started again answers 404 to sessions of before, and SIGTERM ends it well', async (t) => {
  const policy = policyOf('dual-era.ts', ['life: stateless']);
  const before = await startBridge(t, policy);
  const { sessionId } = await connect(`${before.url}/mcp/fixture`);
  assert.equal(await before.stop(), 0);
  const after = await startBridge(t, policy);
  const answer = await post(
    `${after.url}/mcp/fixture`,
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { 'mcp-session-id': sessionId },
  );
  assert.equal(answer.status, 404);
  assert.match(errorOf(answer).message, /begin again with initialize/);
});

test('a policy that is wrong is told whole, and ends with 2', async (t) => {
  await assert.rejects(startBridge(t, 'apiVersion: polis.io/v2\nkind: Policy\n'), /bad-configuration/);
});

test('a stream of HTTP+SSE that nobody uses keeps nobody out', async (t) => {
  const bridge = await startBridge(t, policyOf('legacy-only.ts', ['life: stateless']));
  const gone = new AbortController();
  t.after(() => gone.abort());
  const open = () => fetch(`${bridge.url}/sse/fixture`, { signal: gone.signal });
  const first = await open();
  const others: Response[] = [];
  while (others.length < 256) others.push(await open());
  assert.ok(others.every(({ status }) => status === 200));
  assert.match(await first.text(), /event: endpoint/);
});

test('a client that reads gets a message on its stream, however large the policy lets it be', async (t) => {
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless', 'limits: { message_size: 64MiB }']));
  const url = `${bridge.url}/mcp/fixture`;
  const client = await connect(url, { sampling: {} });
  const flood = { name: 'flood', arguments: { count: 1, bytes: 40_000_000 } };
  const answer = await client.call('tools/call', flood);
  assert.equal(textOf(answer), 'flooded');
  assert.equal(answer.messages.length, 2);
});

test('what is no HTTP gets an answer with words: an empty one is a yes to the Docker MCP gateway', async (t) => {
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: stateless']));
  const { hostname, port } = new URL(bridge.url);
  const socket = connectTcp(Number(port), hostname);
  socket.end('POST /before HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n');
  const said = await socket.setEncoding('utf8').toArray();
  assert.match(said.join(''), /^HTTP\/1\.1 400 .*\r\n\r\nmcp-bridge: /s);
  const foreign = request(`${bridge.url}/before`, { method: 'POST', headers: { host: 'attacker.example' } });
  foreign.end('{}');
  const [response] = await once(foreign, 'response');
  const result = JSON.parse((await response.setEncoding('utf8').toArray()).join(''));
  assert.deepEqual([response.statusCode, result.isError], [403, true]);
  assert.match(result.content[0].text, /^The call is blocked: This host name is not served here/);
});

test('without an address the bridge listens on loopback only', async (t) => {
  const bridge = await startBridge(t, policyOf('dual-era.ts', ['life: stateless']), { MCP_BRIDGE_LISTEN: '' });
  const { message } = await bridge.event('listening');
  assert.match(String(message), /at http:\/\/127\.0\.0\.1:\d+\/mcp$/);
});
