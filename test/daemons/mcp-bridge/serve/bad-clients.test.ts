import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { policyOfAll, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, modern, post, textOf } from '../fixtures/http-client.ts';
import { whileNeighboursWork } from '../fixtures/neighbours.ts';

const call = (name: string, args: object = {}) => ({ name, arguments: { ...args } });
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
const HEADERS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };

test('a client that misbehaves gets a JSON-RPC error, and other sessions do not notice', {
  timeout: 120_000,
}, async (t) => {
  const bridge = await startBridge(
    t,
    policyOfAll({
      odd: ['odd.ts', 'life: stateless', 'limits: { message_size: 256KiB }'],
      few: ['odd.ts', 'life: stateless', 'limits: { concurrent: 2 }'],
      slow: ['odd.ts', 'life: stateless', 'limits: { rate: 3/1h }'],
    }),
  );
  const url = `${bridge.url}/mcp/odd`;
  const during = (body: () => Promise<void>) => () => whileNeighboursWork([url], body);

  await t.test(
    'for what is no message',
    during(async () => {
      const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: META } };
      const bodies: readonly (readonly [string, number])[] = [
        ['', -32700],
        ['{', -32700],
        ['nonsense', -32700],
        ['\u0000', -32700],
        ['null', -32600],
        ['[]', -32600],
        [JSON.stringify([list, list]), -32600],
        [JSON.stringify({ ...list, jsonrpc: '1.0' }), -32600],
        [JSON.stringify({ ...list, id: null }), -32600],
        [JSON.stringify({ ...list, id: 1.5 }), -32600],
        [JSON.stringify({ ...list, id: {} }), -32600],
        [JSON.stringify({ ...list, params: [] }), -32600],
        [JSON.stringify({ ...list, method: 7 }), -32600],
        [JSON.stringify({ jsonrpc: '2.0' }), -32600],
      ];
      for (const [body, code] of bodies) {
        const answer = await post(url, body, HEADERS);
        assert.deepEqual([answer.status, errorOf(answer).code], [400, code], body);
      }
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        const deep = `${open.repeat(40_000)}1${close.repeat(40_000)}`;
        const body = JSON.stringify({ ...list, method: 'tools/call' }).replace(
          '"_meta"',
          `"arguments":{"x":${deep}},"_meta"`,
        );
        const answer = await post(url, body, HEADERS);
        assert.equal(answer.status, 400);
        assert.match(errorOf(answer).message, /nested more than 256 levels deep/);
      }
      const latin1 = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...HEADERS },
        body: Buffer.from([0x7b, 0xff, 0x7d]),
      });
      assert.equal(latin1.status, 400);
    }),
  );

  await t.test(
    'for headers that disagree with the body, and for versions that nobody speaks',
    during(async () => {
      const codes = async (headers: Record<string, string>, meta = {}) => {
        const answer = await modern(url, 'tools/list', {}, { headers, meta });
        return [answer.status, errorOf(answer).code];
      };
      const future = { 'io.modelcontextprotocol/protocolVersion': '2031-01-01' };
      assert.deepEqual(await codes({ 'mcp-method': 'tools/call' }), [400, -32020]);
      assert.deepEqual(await codes({ 'mcp-protocol-version': '2025-11-25' }), [400, -32020]);
      assert.deepEqual(await codes({ 'mcp-protocol-version': '2031-01-01' }, future), [400, -32022]);
      assert.deepEqual(await codes({}, { 'io.modelcontextprotocol/clientCapabilities': 'all' }), [400, -32602]);
      const client = await connect(url);
      const old = { 'mcp-session-id': client.sessionId, 'mcp-protocol-version': '1999-01-01' };
      assert.equal((await post(url, { jsonrpc: '2.0', id: 1, method: 'ping' }, old)).status, 400);
      const odd = { protocolVersion: '1999-01-01', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
      const opened = await post(url, { jsonrpc: '2.0', id: 1, method: 'initialize', params: odd });
      assert.equal((opened.last as { result: { protocolVersion: string } }).result.protocolVersion, '2025-11-25');
    }),
  );

  await t.test(
    'for a message that is too large, told or not',
    during(async () => {
      const text = 'x'.repeat(300_000);
      assert.equal((await modern(url, 'tools/call', call('say', { text }))).status, 413);
      const unsized = new ReadableStream({
        start(controller) {
          for (let n = 0; n < 10; n += 1) controller.enqueue(new TextEncoder().encode('y'.repeat(100_000)));
          controller.close();
        },
      });
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: unsized, duplex: 'half' };
      const status = await fetch(url, init as RequestInit).then(
        (answer) => answer.status,
        () => 413,
      );
      assert.equal(status, 413);
    }),
  );

  await t.test(
    'and one that stops in the middle of its message, or closes one half, leaves nothing behind',
    during(async () => {
      const { hostname, port } = new URL(url);
      const head = `POST /mcp/odd HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"jsonrpc"`;
      for (let n = 0; n < 20; n += 1) {
        const socket = connectTcp(Number(port), hostname);
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        await new Promise((resolve) => socket.write(head, resolve));
        if (n % 2 === 0) socket.destroy();
        else {
          socket.end();
          socket.resume();
          await once(socket, 'close');
        }
      }
      const garbage = connectTcp(Number(port), hostname);
      garbage.end('\u0016\u0003\u0001 this is not HTTP\r\n\r\n');
      const [answer] = await once(garbage, 'data');
      assert.match(String(answer), /^HTTP\/1\.1 400 /);
    }),
  );

  await t.test(
    'closing the stream of a call of 2026-07-28 cancels it at the tool',
    during(async () => {
      const count = async () => Number(textOf(await modern(url, 'tools/call', call('cancelled'))));
      const before = await count();
      const gone = new AbortController();
      const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...call('never'), _meta: META } };
      const waiting = fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...HEADERS, 'mcp-method': 'tools/call', 'mcp-name': 'never' },
        body: JSON.stringify(body),
        signal: gone.signal,
      });
      // The call is at the tool once another one, sent after it, has been answered.
      assert.equal(await count(), before);
      gone.abort();
      await assert.rejects(waiting);
      while ((await count()) === before);
      assert.equal(await count(), before + 1);
    }),
  );

  await t.test(
    'and notifications/cancelled cancels a call of 2025-11-25',
    during(async () => {
      const client = await connect(url);
      const count = async () => Number(textOf(await modern(url, 'tools/call', call('cancelled'))));
      const before = await count();
      const waiting = client.call('tools/call', call('never'), 77);
      await count();
      const headers = { 'mcp-session-id': client.sessionId };
      const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 77 } };
      while ((await count()) === before) await post(url, cancel, headers);
      assert.equal(errorOf(await waiting).code, -32603);
    }),
  );

  await t.test(
    'beyond as many calls at once as a tool takes, 429 as JSON-RPC, until one is over',
    during(async () => {
      const few = `${bridge.url}/mcp/few`;
      const gone = new AbortController();
      const waiting = [1, 2].map((id) =>
        fetch(few, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...HEADERS, 'mcp-method': 'tools/call', 'mcp-name': 'never' },
          body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { ...call('never'), _meta: META } }),
          signal: gone.signal,
        }),
      );
      let third = await modern(few, 'tools/call', call('pid'));
      while (errorOf(third).code === 0) third = await modern(few, 'tools/call', call('pid'));
      assert.equal(errorOf(third).code, 429);
      assert.match(errorOf(third).message, /"few" works on 2 calls already/);
      gone.abort();
      await Promise.allSettled(waiting);
      while (errorOf(third).code === 429) third = await modern(few, 'tools/call', call('pid'));
      assert.match(textOf(third), /^\d+$/);
    }),
  );

  await t.test(
    'and more often than its rate allows, 429 for that agent and for no other',
    during(async () => {
      const slow = `${bridge.url}/mcp/slow`;
      const as = (agent: string) => modern(slow, 'tools/call', call('pid'), { headers: { 'x-agent-id': agent } });
      for (let n = 0; n < 3; n += 1) assert.match(textOf(await as('one')), /^\d+$/);
      assert.match(errorOf(await as('one')).message, /More than 3\/1h calls .*try again in \d+ s/);
      assert.match(textOf(await as('two')), /^\d+$/);
    }),
  );
});
