import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { createInterceptor, type InterceptorOptions } from '../../../../daemons/mcp-bridge/interceptor/handler.ts';
import { createEnforcer } from '../../../../daemons/mcp-bridge/policy/enforce.ts';
import { createRedactor } from '../../../../daemons/mcp-bridge/policy/redact.ts';
import { rulesOf } from '../policy/rules.ts';

const secret = `tool${'-token-'}0123456789`;

const RULES = `
- { name: no-env, action: block, when: { names: [read_file], arguments: [{ path: $.path, matches: '\\.env$' }] }, reason: secrets stay here }
- { name: shorter, action: modify, when: { names: [search] }, set: [{ path: $.limit, value: 10 }] }
- { name: nights, action: block, when: { agents: ["night-*"] } }
- { name: no-listing, action: block, when: { direction: result, names: [list_keys] } }
- { name: rest, action: allow }`;

async function serve(t: TestContext, rules = RULES, more: Partial<InterceptorOptions> = {}) {
  const enforcer = createEnforcer({
    rules: await rulesOf(rules),
    redactor: createRedactor({ secrets: [{ name: 'TOKEN', value: secret }] }),
    log: () => {},
  });
  const interceptor = createInterceptor({
    enforcer: () => enforcer,
    hasTool: (name) => name === 'files',
    log: () => {},
    maxBody: 100_000,
    ...more,
  });
  const server = createServer((incoming, response) => void interceptor.handle(incoming, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const post = (path: string, body: string | object, method = 'POST'): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('error', reject);
      sent.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  return { post, port };
}

function refusalIn({ status, text }: { status: number; text: string }): string {
  assert.equal(status, 200);
  const result = JSON.parse(text);
  assert.equal(result.isError, true);
  assert.equal(result.content[0].type, 'text');
  return result.content[0].text;
}

const params = (name: string, args: object = {}) => ({ name, arguments: args });

describe('the Docker MCP gateway', () => {
  test('an empty 200 lets a call go on, in each shape that gateways send', async (t) => {
    const { post } = await serve(t);
    const asked = params('read_file', { path: 'README.md' });
    for (const body of [
      { params: asked },
      { Params: asked },
      { method: 'tools/call', params: asked },
      { Session: {}, Params: { ...asked, _meta: {} }, Extra: null },
      { params: { name: 'no_arguments' } },
    ]) {
      assert.deepEqual(await post('/before', body), { status: 200, text: '' });
    }
  });

  test('a blocked call is answered with a CallToolResult that says why, in each shape', async (t) => {
    const { post } = await serve(t);
    const asked = params('read_file', { path: '/app/.env' });
    for (const body of [{ params: asked }, { Params: asked }, { method: 'tools/call', params: asked }]) {
      assert.match(refusalIn(await post('/before', body)), /blocked by rule "no-env": secrets stay here/);
    }
  });

  test('the operator says in the URL whose calls these are', async (t) => {
    const { post } = await serve(t);
    const body = { params: params('list') };
    assert.equal((await post('/before?tool=github&agent=day-1', body)).text, '');
    assert.match(refusalIn(await post('/before?agent=night-1', body)), /by rule "nights"/);
  });

  test('a rule that would change arguments blocks, since this gateway changes none', async (t) => {
    const { post } = await serve(t);
    assert.match(
      refusalIn(await post('/before', { params: params('search', { limit: 99 }) })),
      /changes its arguments/,
    );
  });

  test('a result goes on as it is, or without its secrets', async (t) => {
    const { post } = await serve(t);
    const clean = { content: [{ type: 'text', text: 'hello' }] };
    assert.deepEqual(await post('/after', clean), { status: 200, text: '' });
    const leaking = { content: [{ type: 'text', text: `it is ${secret}` }], isError: false };
    assert.deepEqual(JSON.parse((await post('/after', leaking)).text), {
      content: [{ type: 'text', text: 'it is [redacted: TOKEN]' }],
      isError: false,
    });
  });

  test('whatever is wrong, the answer is a 200 with words in it: an empty error would let the call pass', async (t) => {
    const { post } = await serve(t, RULES, { maxBody: 1000 });
    const asked = params('read_file', { path: 'x' });
    const bad: readonly (readonly [path: string, body: string | object, why: RegExp])[] = [
      ['/before', '', /no JSON object/],
      ['/before', '{', /no JSON object/],
      ['/before', '[]', /no JSON object/],
      ['/before', 'null', /no JSON object/],
      ['/before', {}, /no params/],
      ['/before', { params: 'x' }, /no params/],
      ['/before', { params: {} }, /no name/],
      ['/before', { params: { name: 7 } }, /no name/],
      ['/before', { params: { name: 'x', arguments: 'y' } }, /arguments/],
      ['/before', { params: asked, Params: params('read_file', { path: '.env' }) }, /twice/],
      ['/before', { params: asked, method: 7 }, /method/],
      ['/before', { params: params('x', { text: 'y'.repeat(2000) }) }, /larger than 1000 bytes/],
      ['/after', '', /no CallToolResult/],
      ['/after', '"text"', /no CallToolResult/],
    ];
    for (const [path, body, why] of bad) assert.match(refusalIn(await post(path, body)), why, JSON.stringify(body));
    assert.match(refusalIn(await post('/before', '', 'GET')), /asked with POST/);
  });

  test('an interceptor that fails inside blocks the call', async (t) => {
    const { post } = await serve(t, RULES, {
      enforcer: () => {
        throw new Error('broken');
      },
    });
    assert.match(refusalIn(await post('/before', { params: params('x') })), /the interceptor failed/);
    assert.equal(JSON.parse((await post('/intercept/before', before('1'))).text).action, 'block');
  });

  test('a body that is cut off is no call that passed', async (t) => {
    const { post, port } = await serve(t);
    const socket = connect(port, '127.0.0.1');
    socket.write('POST /before HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"params"');
    socket.end();
    let said = '';
    for await (const chunk of socket.setEncoding('utf8')) said += chunk;
    assert.ok(said === '' || said.startsWith('HTTP/1.1 400') || said.includes('"isError":true'), said);
    assert.equal((await post('/before', { params: params('list') })).text, '');
  });
});

function before(id: string, more: object = {}) {
  return {
    version: '1.0',
    type: 'before',
    request_id: id,
    timestamp: '2026-01-01T00:00:00Z',
    method: 'tools/call',
    params: params('read_file', { path: 'a' }),
    tool_id: 'files',
    agent_id: 'day-1',
    session_id: 's1',
    ...more,
  };
}

function afterwards(id: string, more: object = {}) {
  const { method: _method, params: _params, ...rest } = before(id);
  return { ...rest, type: 'after', result: { content: [] }, ...more };
}

describe('the contract of Polis', () => {
  test('a call passes, and so does its result', async (t) => {
    let now = 1000;
    const { post } = await serve(t, RULES, { clock: () => now });
    assert.deepEqual(JSON.parse((await post('/intercept/before', before('1'))).text), {
      action: 'pass',
      metadata: { rule: 'rest', enforced: true },
    });
    now = 1500;
    assert.deepEqual(JSON.parse((await post('/intercept/after', afterwards('1'))).text), {
      action: 'pass',
      metadata: { duration_ms: 500, rule: null, enforced: true },
    });
  });

  test('block and modify come with reason and data', async (t) => {
    const { post } = await serve(t);
    const blocked = JSON.parse(
      (await post('/intercept/before', before('1', { params: params('read_file', { path: '.env' }) }))).text,
    );
    assert.equal(blocked.action, 'block');
    assert.match(blocked.reason, /secrets stay here/);
    const changed = JSON.parse(
      (await post('/intercept/before', before('2', { params: params('search', { limit: 99 }) }))).text,
    );
    assert.equal(changed.action, 'modify');
    assert.deepEqual(changed.modified_data, params('search', { limit: 10 }));
    const redacted = JSON.parse((await post('/intercept/after', afterwards('2', { result: { text: secret } }))).text);
    assert.deepEqual([redacted.action, redacted.modified_data], ['modify', { text: '[redacted: TOKEN]' }]);
  });

  test('a result is judged by what was asked for', async (t) => {
    const { post } = await serve(t);
    await post('/intercept/before', before('1', { params: params('list_keys') }));
    assert.match((await post('/intercept/after', afterwards('1'))).text, /"block".*by rule \\"no-listing\\"/);
  });

  test('a result without a request that passed is blocked', async (t) => {
    let now = 0;
    const { post } = await serve(t, RULES, { clock: () => now, contextTtl: 1000, mostContexts: 2 });
    const actionOf = async (id: string, more: object = {}) =>
      JSON.parse((await post('/intercept/after', afterwards(id, more))).text).action;
    assert.equal(await actionOf('unknown'), 'block');
    await post('/intercept/before', before('blocked', { params: params('read_file', { path: '.env' }) }));
    assert.equal(await actionOf('blocked'), 'block');
    await post('/intercept/before', before('mine'));
    assert.equal(await actionOf('mine'), 'pass');
    assert.equal(await actionOf('mine', { agent_id: 'day-2' }), 'block');
    assert.equal(await actionOf('mine', { session_id: 's2' }), 'block');
    now = 1000;
    assert.equal(await actionOf('mine'), 'block');
    for (const id of ['a', 'b', 'c']) await post('/intercept/before', before(id));
    assert.deepEqual([await actionOf('a'), await actionOf('b'), await actionOf('c')], ['block', 'pass', 'pass']);
  });

  test('one agent cannot take over the request of another', async (t) => {
    const { post } = await serve(t);
    await post('/intercept/before', before('1'));
    const theft = JSON.parse((await post('/intercept/before', before('1', { agent_id: 'day-2' }))).text);
    assert.equal(theft.action, 'block');
    assert.equal(JSON.parse((await post('/intercept/after', afterwards('1'))).text).action, 'pass');
  });

  test('bad requests are 400, unknown tools 404, too much 413, other methods 405, and each says block', async (t) => {
    const { post } = await serve(t);
    const cases: readonly (readonly [status: number, body: string | object])[] = [
      [400, ''],
      [400, '[]'],
      [400, before('')],
      [400, before('1', { version: '2.0' })],
      [400, before('1', { type: 'after' })],
      [400, before('1', { method: undefined })],
      [400, before('1', { params: 'x' })],
      [400, before('1', { tool_id: 7 })],
      [400, before('1', { agent_id: 7 })],
      [400, before('x'.repeat(300))],
      [404, before('1', { tool_id: 'other' })],
      [413, before('1', { params: { text: 'x'.repeat(200_000) } })],
    ];
    for (const [status, body] of cases) {
      const answer = await post('/intercept/before', body);
      assert.equal(answer.status, status, answer.text);
      assert.equal(JSON.parse(answer.text).action, 'block');
    }
    assert.equal((await post('/intercept/after', afterwards('1', { result: undefined }))).status, 400);
    assert.equal((await post('/intercept/before', '', 'GET')).status, 405);
    assert.equal((await post('/constructor', '{}')).status, 404);
  });
});
