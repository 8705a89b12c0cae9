import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTrafficLog, type TrafficLevel } from '../../../../daemons/egress/traffic-log.ts';
import type { Allowed, Exchange, Refused } from '../../../../daemons/egress/verdict.ts';
import type { LogFields } from '../../../../daemons/log/log.ts';

const secret = 'made-up-secret-0123456789';

const refused: Refused = { kind: 'refused', status: 403, code: 'host-not-allowed', reason: 'no route allows it' };

function allowed(headers: readonly string[]): Allowed {
  return {
    kind: 'allowed',
    route: 'a.example',
    target: '/out?q=1',
    headers,
    watch: undefined,
    trailers: (all) => all,
    answerHeaders: (all) => all,
  };
}

function exchangeOf(change: Partial<Exchange> & { target?: string }): Exchange {
  const authority = { host: 'a.example', port: 443, isAddress: false };
  return {
    question: {
      scheme: 'https',
      authority,
      method: 'GET',
      target: change.target ?? '/p?q=1',
      headers: [],
      kind: 'request',
    },
    verdict: refused,
    status: 200,
    sentBytes: 1,
    receivedBytes: 2,
    duration_ms: 3.4,
    fault: undefined,
    responseHeaders: undefined,
    ...change,
  };
}

function logged(level: TrafficLevel, exchange: Exchange): readonly (LogFields & { message: string })[] {
  const lines: (LogFields & { message: string })[] = [];
  const report = createTrafficLog({
    log: (_, message, fields) => lines.push({ message, ...fields }),
    level: () => level,
    mask: (text) => text.replaceAll(secret, '*'.repeat(secret.length)),
    secretHeaders: () => new Set(['x-api-key']),
  });
  report(exchange);
  return lines;
}

describe('the traffic log', () => {
  it('says nothing at level 0', () => {
    assert.deepEqual(logged(0, exchangeOf({})), []);
    assert.deepEqual(logged(0, exchangeOf({ verdict: allowed([]) })), []);
  });

  it('tells refusals at level 1, with code, reason, host, method and path, and no query', () => {
    assert.deepEqual(logged(1, exchangeOf({ status: 403 })), [
      {
        message: 'egress: refused GET a.example/p: no route allows it',
        event: 'egress_blocked',
        code: 'host-not-allowed',
        reason: 'no route allows it',
        scheme: 'https',
        host: 'a.example',
        port: 443,
        method: 'GET',
        path: '/p',
        route: undefined,
        status: 403,
      },
    ]);
    assert.deepEqual(logged(1, exchangeOf({ verdict: allowed([]) })), []);
  });

  it('tells at level 2 what went out and what came back, with the headers of both', () => {
    const verdict = allowed(['Accept', '*/*', 'X-A', '1', 'x-a', '2']);
    const lines = logged(2, exchangeOf({ verdict, responseHeaders: ['Server', 'x'] }));
    assert.deepEqual(
      lines.map(({ event, path, headers }) => ({ event, path, headers })),
      [
        { event: 'egress_request', path: '/out?q=1', headers: { accept: '*/*', 'x-a': ['1', '2'] } },
        { event: 'egress_response', path: '/out?q=1', headers: { server: 'x' } },
      ],
    );
    assert.equal(lines[1]?.duration_ms, 3);
  });

  it('hides what was injected, cookies and credentials of the client, whatever they are', () => {
    const verdict = allowed(['Authorization', 'Bearer a', 'X-Api-Key', 'b', 'Cookie', 'c']);
    const [request, response] = logged(2, exchangeOf({ verdict, responseHeaders: ['Set-Cookie', 'd'] }));
    assert.deepEqual(request?.headers, { authorization: '********', 'x-api-key': '********', cookie: '********' });
    assert.deepEqual(response?.headers, { 'set-cookie': '********' });
  });

  it('masks a known secret wherever it stands: path, query, header, reason', () => {
    const verdict = { ...allowed(['X-Odd', `a${secret}b`, secret, 'name']), target: `/x/${secret}?a=${secret}` };
    const lines = [
      ...logged(2, exchangeOf({ verdict, responseHeaders: ['Location', `https://a/${secret}`] })),
      ...logged(1, exchangeOf({ target: `/${secret}`, verdict: { ...refused, reason: `no ${secret}` } })),
    ];
    assert.equal(lines.length, 3);
    assert.ok(!JSON.stringify(lines).includes(secret));
  });

  it('is bounded: a long value is cut, after it is masked, and a flood of headers is left out', () => {
    const long = `${'x'.repeat(500)}${secret}${'y'.repeat(100_000)}`;
    const verdict = { ...allowed(Array.from({ length: 2000 }, (_, at) => `h${at}`)), target: `/${long}` };
    const line = JSON.stringify(logged(2, exchangeOf({ verdict }))[0]);
    assert.ok(line.length < 10_000, String(line.length));
    assert.ok(!line.includes('made-up'));
  });

  it('cannot be made to show a line of its own by control characters', () => {
    const [line] = logged(1, exchangeOf({ target: '/a\n{"event":"forged"}\u001b[2J\u202e' }));
    assert.equal(line?.message, 'egress: refused GET a.example/a?{"event":"forged"}?[2J?: no route allows it');
  });
});
