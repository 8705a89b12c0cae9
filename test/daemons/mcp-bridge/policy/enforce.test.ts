import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LogFields } from '../../../../daemons/log/log.ts';
import { type Ask, createEnforcer } from '../../../../daemons/mcp-bridge/policy/enforce.ts';
import type { JsonValue } from '../../../../daemons/mcp-bridge/policy/json.ts';
import { createRedactor, type Redactor } from '../../../../daemons/mcp-bridge/policy/redact.ts';
import type { Scanner } from '../../../../daemons/scanner/finding.ts';
import { createScanner } from '../../../../daemons/scanner/scanner.ts';
import { call, resultOf, rulesOf } from './rules.ts';

const secret = `s3cr3t${'/value-of'}-the-tool`;
const known = createRedactor({ secrets: [{ name: 'API_KEY', value: secret }] });
const none = createRedactor({ secrets: [] });

interface Line extends LogFields {
  readonly level: string;
  readonly message: string;
}

async function enforcerOf(rules: string, more: { governance?: string; redactor?: Redactor; ask?: Ask } = {}) {
  const lines: Line[] = [];
  const enforcer = createEnforcer({
    rules: await rulesOf(rules, more.governance),
    redactor: more.redactor ?? none,
    ask: more.ask,
    log: (level, message, fields) => void lines.push({ ...fields, level, message }),
  });
  return { ...enforcer, lines };
}

const ALLOW = '- { name: all, action: allow }';
const ALLOW_RESULTS = '- { name: all, action: allow, when: { direction: result } }';

describe('blocking mode', () => {
  test('what is blocked says by which rule and why, to the caller and to the log', async () => {
    const { check, lines } = await enforcerOf(
      '- { name: no-rm, action: block, when: { names: [rm] }, reason: files stay }',
    );
    const verdict = await check(call('rm'));
    assert.ok(!verdict.pass);
    assert.equal(verdict.message, 'tools/call of "rm" on files is blocked by rule "no-rm": files stay');
    const [line] = lines;
    assert.equal(line?.event, 'policy-decision');
    assert.deepEqual(
      [line?.action, line?.rule, line?.tool, line?.agent, line?.session, line?.direction, line?.enforced],
      ['block', 'no-rm', 'files', 'claude', 's1', 'request', true],
    );
  });

  test('what passes is what came, at once and without a line in the log', async () => {
    const { check, lines } = await enforcerOf(ALLOW);
    const exchange = call('read', { a: 1 });
    const verdict = check(exchange);
    assert.ok(!(verdict instanceof Promise) && verdict.pass && !verdict.isChanged);
    assert.equal(verdict.params, exchange.params);
    assert.deepEqual(lines, []);
  });

  test('what cannot be judged is blocked', async () => {
    const { check, lines } = await enforcerOf(
      `- { name: x, action: block, when: { arguments: [{ path: $..x, exists: true }] } }\n${ALLOW}`,
    );
    let deep: JsonValue = [];
    for (let i = 0; i < 300_000; i++) deep = [deep];
    const verdict = await check(call('read', { deep }));
    assert.ok(!verdict.pass);
    assert.match(verdict.message, /the policy could not be applied/);
    assert.equal(lines[0]?.event, 'policy-error');
  });

  test('a change that does not fit blocks the call', async () => {
    const { check } = await enforcerOf('- { name: x, action: modify, set: [{ path: $.a.b, value: 1 }] }');
    assert.equal((await check(call('x', { a: 'text' }))).pass, false);
    const verdict = await check(call('x', {}));
    assert.ok(verdict.pass && verdict.isChanged);
    assert.deepEqual(verdict.params, { name: 'x', arguments: { a: { b: 1 } } });
  });

  test('redact hides places and patterns', async () => {
    const { check } = await enforcerOf(
      `- { name: pii, action: redact, when: { direction: result }, paths: ["$..email"], patterns: ['\\b\\d{3}-\\d{4}\\b'] }`,
    );
    const result = {
      content: [{ type: 'text', text: 'call 555-1234 or 555-9999' }],
      structuredContent: { user: { email: 'a@b' } },
    };
    const verdict = await check(resultOf('', { result }));
    assert.ok(verdict.pass);
    assert.deepEqual(verdict.result, {
      content: [{ type: 'text', text: 'call [redacted] or [redacted]' }],
      structuredContent: { user: { email: '[redacted]' } },
    });
  });
});

describe('asking', () => {
  const rules = '- { name: careful, action: ask, reason: it writes, timeout: 50ms }';

  test('a yes lets the call pass; a no, a failure and silence do not', async () => {
    const answers: readonly (readonly [Ask | undefined, boolean, RegExp])[] = [
      [async () => ({ allowed: true }), true, /./],
      [async () => ({ allowed: false, why: 'the operator said no' }), false, /the operator said no/],
      [() => Promise.reject(new Error('supervise is away')), false, /could not be applied: supervise is away/],
      [() => new Promise(() => {}), false, /nobody answered in time/],
      [undefined, false, /nobody can be asked here/],
    ];
    for (const [ask, expected, why] of answers) {
      const { check } = await enforcerOf(rules, ask === undefined ? {} : { ask });
      const verdict = await check(call('write'));
      assert.equal(verdict.pass, expected);
      if (!verdict.pass) assert.match(verdict.message, why);
    }
  });

  test('who is asked sees what it is about, and is told when the caller has gone', async () => {
    const gone = new AbortController();
    const { promise: seen, resolve } = Promise.withResolvers<string>();
    const { check } = await enforcerOf('- { name: careful, action: ask, reason: it writes }', {
      ask: ({ exchange, rule, reason, signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', () => resolve(`${rule} ${reason} ${exchange.params.name}`));
          queueMicrotask(() => gone.abort());
        }),
    });
    assert.equal((await check(call('write'), gone.signal)).pass, false);
    assert.equal(await seen, 'careful it writes write');
  });
});

describe('secrets in what tools send', () => {
  test('a known secret is hidden in texts, in names and in every usual encoding', async () => {
    const { check } = await enforcerOf(ALLOW_RESULTS, { redactor: known });
    const base64 = Buffer.from(`prefix ${secret} suffix`).toString('base64');
    const result = {
      content: [{ text: `a ${secret} b ${secret}` }],
      [secret]: 1,
      data: base64,
      url: encodeURIComponent(secret),
    };
    const verdict = await check(resultOf('', { result }));
    assert.ok(verdict.pass && verdict.isChanged);
    const text = JSON.stringify(verdict.result);
    assert.ok(!text.includes(secret));
    assert.match(text, /a \[redacted: API_KEY\] b \[redacted: API_KEY\]/);
    assert.ok(!Buffer.from(base64, 'base64').toString().includes('[') && !text.includes(base64));
    assert.match(text, /"url":"\[redacted: API_KEY\]"/);
  });

  test('a result without secrets is passed on as it came', async () => {
    const { check } = await enforcerOf(ALLOW_RESULTS, { redactor: known });
    const exchange = resultOf('nothing here: äöü 😀');
    const verdict = check(exchange);
    assert.ok(!(verdict instanceof Promise) && verdict.pass && !verdict.isChanged);
    assert.equal(verdict.result, exchange.result);
  });

  test('what a tool asks of a client is cleaned too; what clients send is not', async () => {
    const { check } = await enforcerOf('- { name: all, action: allow, when: { direction: [request, tool-request] } }', {
      redactor: known,
    });
    const asked = await check(
      call('', {}, { direction: 'tool-request', method: 'elicitation/create', params: { message: secret } }),
    );
    assert.ok(asked.pass);
    assert.deepEqual(asked.params, { message: '[redacted: API_KEY]' });
    const sent = await check(call('x', { text: secret }));
    assert.ok(sent.pass && !sent.isChanged);
  });

  test('no secret reaches the log by way of a name', async () => {
    const { check, lines } = await enforcerOf('- { name: none, action: block }', { redactor: known });
    await check(call(secret));
    assert.ok(!JSON.stringify(lines).includes(secret));
  });

  test('where the operator does not want it, values pass as they are, and logs are masked all the same', async () => {
    const redactor = createRedactor({ secrets: [{ name: 'API_KEY', value: secret }], hidesKnown: false });
    const { check } = await enforcerOf(ALLOW_RESULTS, { redactor });
    const verdict = await check(resultOf(secret));
    assert.ok(verdict.pass && !verdict.isChanged);
    assert.equal(redactor.mask(secret), '[redacted: API_KEY]');
  });

  test('what the scanner finds is withheld, text by text', async (t) => {
    const scanner = createScanner();
    t.after(() => scanner.close());
    const { check } = await enforcerOf(ALLOW_RESULTS, { redactor: createRedactor({ secrets: [], scanner }) });
    const token = `ghp_${'Zt4mQ9xVb2Lr7KpW1cYs8NfH3jUd6eGa5oTi'}`;
    const result = {
      content: [
        { type: 'text', text: 'fine' },
        { type: 'text', text: `x\ny = ${token}` },
      ],
    };
    const verdict = await check(resultOf('', { result }));
    assert.ok(verdict.pass, verdict.pass ? '' : verdict.message);
    const text = JSON.stringify(verdict.result);
    assert.ok(!text.includes(token));
    assert.match(text, /"fine"/);
    assert.match(text, /\[withheld by policy: GitHub/);
    const clean = await check(resultOf('clean'));
    assert.ok(clean.pass && !clean.isChanged);
  });

  test('a result that could not be scanned is blocked', async () => {
    const broken: Scanner = { scan: async () => ({ ok: false, reason: 'it took too long' }), close: async () => {} };
    const { check } = await enforcerOf(ALLOW_RESULTS, { redactor: createRedactor({ secrets: [], scanner: broken }) });
    const verdict = await check(resultOf('x'));
    assert.ok(!verdict.pass);
    assert.match(verdict.message, /could not be scanned: it took too long/);
  });
});

describe('audit mode', () => {
  test('everything passes as it came, and the log tells what would have been done', async () => {
    const { check, lines } = await enforcerOf(
      `- { name: no-rm, action: block, when: { names: [rm] } }
- { name: change, action: modify, set: [{ path: $.a, value: 1 }], when: { names: [change] } }`,
      { governance: 'mode: audit', redactor: known },
    );
    for (const name of ['rm', 'change', 'other']) {
      const verdict = await check(call(name, { a: 2 }));
      assert.ok(verdict.pass && !verdict.isChanged);
    }
    const result = await check(resultOf(secret));
    assert.ok(result.pass && !result.isChanged);
    assert.deepEqual(
      lines.map(({ rule, action, enforced }) => [rule, action, enforced]),
      [
        ['no-rm', 'block', false],
        ['change', 'modify', false],
      ],
    );
    assert.match(lines[0]?.message ?? '', /would be blocked \(audit mode: it passes\)/);
  });

  test('what cannot be judged passes, and the log says so', async () => {
    const { check, lines } = await enforcerOf(
      '- { name: x, action: block, when: { arguments: [{ path: $..x, exists: true }] } }',
      {
        governance: 'mode: audit',
      },
    );
    const verdict = await check(call('read', { list: Array(300_000).fill([]) }));
    assert.ok(verdict.pass);
    assert.equal(lines[0]?.event, 'policy-error');
  });
});
