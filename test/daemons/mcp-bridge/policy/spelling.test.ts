import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createEnforcer } from '../../../../daemons/mcp-bridge/policy/enforce.ts';
import type { Exchange } from '../../../../daemons/mcp-bridge/policy/judge.ts';
import { createRedactor } from '../../../../daemons/mcp-bridge/policy/redact.ts';
import { call, resultOf, rulesOf } from './rules.ts';

const RULES = `
- { name: no-env, action: block, when: { names: [read], arguments: [{ path: $..path, matches: '\\.env$' }] } }
- { name: no-merge, action: block, when: { names: [merge] } }
- { name: small, action: modify, when: { names: [query] }, set: [{ path: $.limit, value: 10 }] }
- { name: blind, action: redact, when: { names: [login] }, paths: [$.password] }
- { name: rest, action: allow }`;

async function verdictOf(exchange: Exchange, rules = RULES) {
  const redactor = createRedactor({ secrets: [] });
  return await createEnforcer({ rules: await rulesOf(rules), redactor, log: () => undefined }).check(exchange);
}

async function refusalOf(exchange: Exchange, rules?: string): Promise<string> {
  const verdict = await verdictOf(exchange, rules);
  return verdict.pass ? 'it passes' : verdict.message;
}

const params = (given: Exchange['params']) => call('', {}, { params: given });
const read = (uri: string) => call('', {}, { method: 'resources/read', params: { uri } });

describe('a request that a tool could read in another way than the rules do is refused:', () => {
  test('a name in other letters than "name", which tools that do not mind case take', async () => {
    for (const key of ['Name', 'NAME', 'nAmE'])
      assert.match(await refusalOf(params({ name: 'harmless', [key]: 'merge' })), /which a tool may take for "name"/);
    assert.match(await refusalOf(params({ Name: 'merge' })), /may take for "name"/);
    assert.match(await refusalOf(params({ name: 'x', Arguments: {} })), /may take for "arguments"/);
    assert.match(await refusalOf(params({ name: 'x', 'argument\u017f': {} })), /may take for "arguments"/);
  });

  test('a name that is no text, arguments that are no map', async () => {
    assert.match(await refusalOf(params({ name: ['merge'], arguments: {} })), /its name is no text/);
    assert.match(await refusalOf(params({ name: 'read', arguments: [{ path: '.env' }] })), /its arguments is no map/);
    assert.match(
      await refusalOf(call('', {}, { method: 'resources/read', params: { uri: {} } })),
      /its uri is no text/,
    );
  });

  test('an argument in other letters than those that a rule looks at', async () => {
    assert.match(
      await refusalOf(call('read', { path: 'a', Path: '/x/.env' })),
      /"Path", which a tool may take for "path"/,
    );
    assert.match(await refusalOf(call('read', { PATH: '/x/.env' })), /may take for "path"/);
    assert.match(await refusalOf(call('read', { edits: [{ pAth: '/x/.env' }] })), /may take for "path"/);
    assert.match(await refusalOf(call('query', { Limit: 9999 })), /may take for "limit"/);
    assert.match(await refusalOf(call('login', { Password: 'x' })), /may take for "password"/);
    assert.equal(await refusalOf(call('other', { Path: 'nobody looks at it' })), 'it passes');
  });

  test('a list in the place of a text is looked through where a rule blocks', async () => {
    assert.match(await refusalOf(call('read', { path: ['/x/.env'] })), /no-env/);
    assert.match(await refusalOf(call('read', { path: [['a', '/x/.env']] })), /no-env/);
    const allow = '- { name: ok, action: allow, when: { arguments: [{ path: $.path, within: /project }] } }';
    assert.match(await refusalOf(call('read', { path: ['/project/a'] }), allow), /no rule allows/);
  });

  test('a URI of a resource that is not in normal form', async () => {
    const rules =
      '- { name: ok, action: allow, when: { methods: [resources/read], names: ["file:///project/*", "note://*"] } }';
    for (const uri of ['file:///project/a.txt', 'note://a/b?c=..%2Fd', 'file:///project/..a', 'file:///project/%C3%A4'])
      assert.equal(await refusalOf(read(uri), rules), 'it passes', uri);
    for (const uri of [
      'file:///project/../etc/shadow',
      'file:///project/%2e%2E/etc/shadow',
      'file:///project/..%2fetc%2fshadow',
      'file:///project/..\\..\\etc',
      'file:///project/./a',
      'file:///%70roject/a',
      'FILE:///project/a',
      'file://localhost/project/a',
      'file:/project/a',
      'note://a/..',
    ])
      assert.match(await refusalOf(read(uri), rules), /not in normal form/, uri);
  });
});

test('redact and modify count from the arguments of a call', async () => {
  const verdict = await verdictOf(call('login', { user: 'ada', password: 'x' }));
  assert.ok(verdict.pass && verdict.isChanged);
  assert.deepEqual(verdict.params, { name: 'login', arguments: { user: 'ada', password: '[redacted]' } });
});

test('a known secret that is all digits is hidden where it stands as a number', async () => {
  const redactor = createRedactor({ secrets: [{ name: 'PIN', value: '4711081512' }] });
  const { check } = createEnforcer({ rules: await rulesOf(RULES), redactor, log: () => undefined });
  const result = { structuredContent: { pin: 4711081512, port: 8090, list: [-1, 4711081512.5] } };
  const verdict = await check(resultOf('', { result }));
  assert.ok(verdict.pass);
  assert.deepEqual(verdict.result, {
    structuredContent: { pin: '[redacted: PIN]', port: 8090, list: [-1, 4711081512.5] },
  });
});
