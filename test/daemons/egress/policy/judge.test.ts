import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createIntrospection } from '../../../../daemons/egress/introspection.ts';
import { createJudge, type SecretFound } from '../../../../daemons/egress/judge.ts';
import { secretsOf } from '../../../../daemons/egress/secrets.ts';
import type {
  Allowed,
  Held,
  Judge,
  Question,
  Refused,
  Verdict,
  WatchStep,
} from '../../../../daemons/egress/verdict.ts';
import { formsOf } from '../../../../daemons/known-secrets/forms.ts';
import { parseRoutes } from '../../../../daemons/routes/load.ts';

const token = `made-up-${randomBytes(15).toString('base64url')}`;
const other = `made-up-${randomBytes(15).toString('base64url')}`;
const password = `word-${randomBytes(12).toString('hex')}`;
const basicPassword = `pass-${randomBytes(12).toString('hex')}`;
const canary = `bird-${randomBytes(12).toString('base64url')}`;

const routesText = `
routes:
  - host: api.example.com
    auth_scheme: Bearer
    token_env: EGRESS_TOKEN_0
  - host: key.example.com
    auth_header: X-Api-Key
    token_env: EGRESS_TOKEN_1
  - host: basic.example.com
    auth_scheme: Basic
    token_env: EGRESS_TOKEN_2
  - host: unset.example.com
    auth_scheme: Bearer
    token_env: EGRESS_TOKEN_9
  - host: redact.example.com
    websocket: true
    dlp: { outbound_on_match: redact }
  - host: open.example.com
    max_body: 100b
    websocket: true
  - host: '*.wild.example.com'
`;

interface Court {
  readonly judge: Judge;
  readonly found: SecretFound[];
}

async function courtOf(text = routesText): Promise<Court> {
  const loaded = await parseRoutes('routes.yaml', text);
  assert.ok(loaded.ok);
  const tokens = new Map([
    ['EGRESS_TOKEN_0', token],
    ['EGRESS_TOKEN_1', other],
    ['EGRESS_TOKEN_2', `user:${password}`],
    ['EGRESS_TOKEN_3', Buffer.from(`user:${basicPassword}`).toString('base64')],
  ]);
  const found: SecretFound[] = [];
  const judge = createJudge({
    routes: loaded.routes,
    tokens,
    secrets: secretsOf({ tokens, canary }),
    introspect: createIntrospection({ routes: loaded.routes, caPem: 'a certificate' }),
    found: (finding) => found.push(finding),
  });
  return { judge, found };
}

function linesOf(text: string, between: string): string {
  return (text.match(/.{1,76}/g) ?? []).join(between);
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, '0');
}

function ask(host: string, target = '/', headers: readonly string[] = [], change: Partial<Question> = {}): Question {
  const authority = { host, port: change.scheme === 'http' ? 80 : 443, isAddress: false };
  return { scheme: 'https', authority, method: 'GET', target, headers, kind: 'request', ...change };
}

function assertAllowed(verdict: Verdict | Held): Allowed {
  assert.equal(verdict.kind, 'allowed', JSON.stringify(verdict));
  if (verdict.kind !== 'allowed') throw new Error('unreachable');
  return verdict;
}

function assertRefused(verdict: Verdict | Held, status: number, code: string): Refused {
  assert.equal(verdict.kind, 'refused', JSON.stringify(verdict));
  if (verdict.kind !== 'refused') throw new Error('unreachable');
  assert.deepEqual([verdict.status, verdict.code], [status, code]);
  for (const secret of [token, other, password, canary]) assert.ok(!JSON.stringify(verdict).includes(secret));
  return verdict;
}

describe('a credential', () => {
  it('is put in for the host of its route, in the place of what the agent sent', async () => {
    const { judge } = await courtOf();
    const { headers, route } = assertAllowed(
      judge(ask('api.example.com', '/', ['authorization', 'Bearer mine', 'A', 'b'])),
    );
    assert.deepEqual(headers, ['A', 'b', 'Authorization', `Bearer ${token}`]);
    assert.equal(route, 'api.example.com');
  });

  it('goes out bare in a header of its own where the route says so', async () => {
    const { judge } = await courtOf();
    const { headers } = assertAllowed(judge(ask('key.example.com', '/', ['x-api-key', 'mine', 'X_API_KEY', 'mine'])));
    assert.deepEqual(headers, ['X-Api-Key', other]);
  });

  it('of the form user:password is put in as base64 for Basic', async () => {
    const { judge } = await courtOf();
    const { headers } = assertAllowed(judge(ask('basic.example.com')));
    assert.deepEqual(headers, ['Authorization', `Basic ${Buffer.from(`user:${password}`).toString('base64')}`]);
  });

  it('that is not set is a 502 and nothing is forwarded without it', async () => {
    const { judge } = await courtOf();
    const { reason } = assertRefused(judge(ask('unset.example.com')), 502, 'credential-not-set');
    assert.equal(reason, 'credential EGRESS_TOKEN_9 is not set');
  });

  it('of the client is stripped on every route, in every header that some route puts one in', async () => {
    const { judge } = await courtOf();
    const sent = ['Authorization', 'a', 'proxy-authorization', 'b', 'X-API-Key', 'c', 'x_api_key', 'd', 'Kept', 'e'];
    // A server that makes variables of headers (lighttpd for CGI) may read these as the same.
    sent.push('X.Api!Key', 'f', 'X-Pipelock.Agent', 'g');
    for (const host of ['open.example.com', 'redact.example.com', 'x.wild.example.com']) {
      assert.deepEqual(assertAllowed(judge(ask(host, '/', sent))).headers, ['Kept', 'e']);
    }
  });

  it('goes to no other host: neither to a name below, nor over plain http, nor to another port', async () => {
    const { judge } = await courtOf();
    assertRefused(judge(ask('x.api.example.com')), 403, 'host-not-allowed');
    assertRefused(judge(ask('api.example.com', '/', [], { scheme: 'http' })), 403, 'scheme-not-allowed');
    const elsewhere = { authority: { host: 'api.example.com', port: 8443, isAddress: false } };
    assertRefused(judge(ask('api.example.com', '/', [], elsewhere)), 403, 'port-not-allowed');
  });

  it('that upstream sends back in a header is stars for the agent', async () => {
    const { judge } = await courtOf();
    const { answerHeaders } = assertAllowed(judge(ask('api.example.com')));
    const location = `https://elsewhere.example/?t=${token}&b=${Buffer.from(token).toString('base64')}`;
    const clean = answerHeaders(['Location', location, 'Server', 'x']).join('\n');
    assert.ok(!clean.includes(token) && !clean.includes(Buffer.from(token).toString('base64').slice(4, -4)));
    assert.equal(clean.length, `Location\n${location}\nServer\nx`.length);
    assert.match(clean, /^Location\nhttps:\/\/elsewhere\.example\/\?t=\*+&b=/);
  });

  it('that upstream sends back percent-encoded more than once makes the whole header stars', async () => {
    const { judge } = await courtOf();
    const { answerHeaders } = assertAllowed(judge(ask('api.example.com')));
    const everyByte = Buffer.from(token).toString('hex').replace(/../g, '%$&');
    for (const encoded of [encodeURIComponent(everyByte), encodeURIComponent(encodeURIComponent(everyByte))]) {
      const [, location] = answerHeaders(['Location', `/?next=${encoded}`]);
      assert.equal(location, '*'.repeat(7 + encoded.length));
    }
    const harmless = ['Location', '/?next=%2525', 'Link', '</%61>'];
    assert.deepEqual(answerHeaders(harmless), harmless);
  });
});

describe('a trailer of a request', () => {
  it('is no way around what holds for headers: credentials, what rewrites, what another method would be', async () => {
    const { judge } = await courtOf();
    const { trailers } = assertAllowed(judge(ask('open.example.com')));
    const names = ['x-api-key', 'X_Api_Key', 'Authorization', 'X-Pipelock-Agent', 'X-Original-URL', 'X_HTTP_Method'];
    names.push('Content_Length', 'Transfer.Encoding', 'Destination', 'X-Ms-Copy-Source');
    assert.deepEqual(trailers([...names.flatMap((name) => [name, 'x']), 'X-Sum', '1']), ['X-Sum', '1']);
  });

  it('that holds a secret is refused, also where a header would have been redacted', async () => {
    const { judge, found } = await courtOf();
    for (const host of ['open.example.com', 'redact.example.com']) {
      const { trailers } = assertAllowed(judge(ask(host)));
      for (const trailer of [
        ['X-Sum', token],
        [`X-${token.toLowerCase()}`, '1'],
      ]) {
        const refusal = trailers(trailer);
        assert.ok('kind' in refusal && refusal.code === 'secret-found');
      }
    }
    assert.deepEqual(
      found.map(({ action, where }) => [action, where.slice(0, 7)]),
      Array(4).fill(['blocked', 'trailer']),
    );
  });
});

describe('a known secret in the head of a request', () => {
  const spellings: readonly (readonly [string, (secret: string) => string])[] = [
    ['as it is', (secret) => secret],
    ['as base64', (secret) => Buffer.from(secret).toString('base64')],
    ['as base64 of something around it', (secret) => Buffer.from(`{"a":"${secret}"}`).toString('base64url')],
    ['as hex', (secret) => Buffer.from(secret).toString('hex')],
    ['with every byte percent-encoded', (secret) => Buffer.from(secret).toString('hex').replace(/../g, '%$&')],
    ['with one byte percent-encoded', (secret) => secret.replace('-', '%2D')],
    ['with one byte encoded twice', (secret) => secret.replace('-', '%252d')],
    ['with one byte as an escape of JSON', (secret) => secret.replace('-', '\\u002d')],
    ['with one byte as an entity of HTML', (secret) => secret.replace('-', '&#45;')],
    ['with one byte as an escape of old JavaScript', (secret) => secret.replace('-', '%u002D')],
    ['with one byte as an escape, percent-encoded', (secret) => secret.replace('-', '%5Cx2d')],
    ['with a character within that does not show', (secret) => secret.replace('-', '-%E2%80%8B')],
  ];
  for (const [how, spelled] of spellings) {
    it(`is refused ${how}, in the query`, async () => {
      const { judge, found } = await courtOf();
      assertRefused(judge(ask('open.example.com', `/a?b=${spelled(token)}&c`)), 403, 'secret-found');
      assert.equal(found.length, 1);
      assert.deepEqual([found[0]?.secret, found[0]?.where, found[0]?.action], ['EGRESS_TOKEN_0', 'query', 'blocked']);
    });
  }

  for (const [how, spelled] of spellings) {
    it(`is refused ${how}, in a header`, async () => {
      const { judge, found } = await courtOf();
      assertRefused(judge(ask('open.example.com', '/', ['X-A', `b=${spelled(token)};`])), 403, 'secret-found');
      assert.deepEqual([found[0]?.secret, found[0]?.where, found.length], ['EGRESS_TOKEN_0', 'header X-A', 1]);
    });
  }

  it('is refused in letters of the other case, where it has only one: who gets it turns it back', async () => {
    const { judge } = await courtOf();
    const other = password.toUpperCase();
    assertRefused(judge(ask('open.example.com', `/?q=${other}`)), 403, 'secret-found');
    assertRefused(judge(ask('open.example.com', '/', ['X-A', other])), 403, 'secret-found');
    const watch = assertAllowed(judge(ask('open.example.com'))).watch?.();
    assert.equal(watch?.push(Buffer.from(`{"a":"${other}"}`)).kind, 'refuse');
  });

  it('does not hide another that is encoded, above all not the canary', async () => {
    const { judge, found } = await courtOf();
    const hidden = canary.replace('-', '%252D');
    for (const host of ['open.example.com', 'redact.example.com']) {
      assertRefused(judge(ask(host, `/?a=${token}&b=${hidden}`)), 403, 'canary');
      assertRefused(judge(ask(host, '/', ['Cookie', `a=${token}; b=${hidden}`])), 403, 'canary');
    }
    assert.equal(found.filter(({ isCanary }) => isCanary).length, 4);
  });

  it('is refused in path, header value, header name, host and method override alike', async () => {
    const { judge, found } = await courtOf();
    assertRefused(judge(ask('open.example.com', `/${token}/x`)), 403, 'secret-found');
    assertRefused(judge(ask('open.example.com', '/', ['X-A', `b${token}c`])), 403, 'secret-found');
    assertRefused(judge(ask('open.example.com', '/', [token, 'x'])), 403, 'secret-found');
    assertRefused(judge(ask(`${password}.wild.example.com`)), 403, 'secret-found');
    assertRefused(judge(ask(`${token.toLowerCase()}.wild.example.com`)), 403, 'secret-found');
    assertRefused(judge(ask('open.example.com', '/', [token.toLowerCase(), 'x'])), 403, 'secret-found');
    assert.deepEqual(
      found.map(({ where }) => where),
      [
        'path',
        'header X-A',
        `header ${'*'.repeat(token.length)}`,
        'host',
        'host',
        `header ${'*'.repeat(token.length)}`,
      ],
    );
    assert.ok(!JSON.stringify(found).toLowerCase().includes(token.toLowerCase()));
  });

  it('is refused also where egress would have stripped the header, and where the host is not allowed', async () => {
    const { judge, found } = await courtOf();
    assertRefused(judge(ask('api.example.com', '/', ['Authorization', `Bearer ${token}`])), 403, 'secret-found');
    assertRefused(judge(ask('elsewhere.example', `/?${token}`)), 403, 'secret-found');
    assert.equal(found[1]?.route, undefined);
  });

  it('is the password of a Basic credential by itself, too', async () => {
    const { judge } = await courtOf();
    assertRefused(judge(ask('open.example.com', `/?p=${password}`)), 403, 'secret-found');
  });

  it('is the password of a Basic credential that is given in base64, too', async () => {
    const { judge } = await courtOf();
    assertAllowed(judge(ask('open.example.com', `/?p=${basicPassword}`.slice(0, -1))));
    assertRefused(judge(ask('open.example.com', `/?p=${basicPassword}`)), 403, 'secret-found');
    const { answerHeaders } = assertAllowed(judge(ask('open.example.com')));
    assert.deepEqual(answerHeaders(['X-Echo', basicPassword]), ['X-Echo', '*'.repeat(basicPassword.length)]);
  });

  it('is told with up to 40 characters on each side and without any secret', async () => {
    const { judge, found } = await courtOf();
    judge(ask('open.example.com', `/?${'a'.repeat(50)}${token}${other}${'b'.repeat(50)}`));
    const lines = JSON.stringify(found);
    assert.ok(!lines.includes(token) && !lines.includes(other));
    assert.equal(
      found[0]?.evidence,
      `${'a'.repeat(40)}********${'*'.repeat(other.length)}${'b'.repeat(40 - other.length)}`,
    );
  });
});

describe('the canary', () => {
  it('is refused on every route, whatever the route does about secrets, and told as what it is', async () => {
    const { judge, found } = await courtOf();
    for (const host of ['open.example.com', 'redact.example.com', 'nowhere.example']) {
      const { reason } = assertRefused(judge(ask(host, `/?q=${canary}`)), 403, 'canary');
      assert.ok(!reason.includes('canary'));
    }
    assert.equal(found.filter(({ isCanary, action }) => isCanary && action === 'blocked').length, 3);
  });

  it('is refused in a body that is redacted otherwise', async () => {
    const { judge, found } = await courtOf();
    const watch = assertAllowed(judge(ask('redact.example.com'))).watch?.();
    assert.equal(watch?.push(Buffer.from(`a ${token} `)).kind, 'pass');
    const step = watch?.push(Buffer.from(`b ${canary}`));
    assert.equal(step?.kind === 'refuse' && step.refusal.code, 'canary');
    assert.deepEqual(
      found.map(({ secret, action }) => [secret, action]),
      [
        ['EGRESS_TOKEN_0', 'redacted'],
        ['CANARY', 'blocked'],
      ],
    );
  });
});

describe('a route that redacts', () => {
  it('puts stars of the same length over secrets in query and headers', async () => {
    const { judge, found } = await courtOf();
    const verdict = judge(ask('redact.example.com', `/p?a=${token}&b=1`, ['X-A', `<${other}>`]));
    const { target, headers } = assertAllowed(verdict);
    assert.equal(target, `/p?a=${'*'.repeat(token.length)}&b=1`);
    assert.deepEqual(headers, ['X-A', `<${'*'.repeat(other.length)}>`]);
    assert.deepEqual(
      found.map(({ action }) => action),
      ['redacted', 'redacted'],
    );
  });

  it('refuses where it cannot: in the path, and in a spelling that only decoding shows', async () => {
    const { judge, found } = await courtOf();
    assertRefused(judge(ask('redact.example.com', `/${token}`)), 403, 'secret-found');
    assertRefused(judge(ask('redact.example.com', `/?a=${token.replace('-', '%2D')}`)), 403, 'secret-found');
    assert.ok(found.every(({ action }) => action === 'blocked'));
  });

  it('is asked again after the stars: a header that the route wants cannot be a secret', async () => {
    const { judge } = await courtOf(`
routes:
  - host: a.example
    matches: [{ headers: [{ name: x-a, type: RegularExpression, value: '[^*]+' }] }]
    dlp: { outbound_on_match: redact }
`);
    assertAllowed(judge(ask('a.example', '/', ['X-A', 'other'])));
    assertRefused(judge(ask('a.example', '/', ['X-A', token])), 403, 'headers-not-allowed');
  });

  it('puts stars over secrets in a body, cut anywhere, and keeps its length', async () => {
    const { judge } = await courtOf();
    const body = Buffer.from(`{"a":"${token}","b":"${Buffer.from(other).toString('hex')}"}`);
    for (const size of [1, 3, 7, 1000]) {
      const watch = assertAllowed(judge(ask('redact.example.com'))).watch?.();
      assert.ok(watch);
      const out: Buffer[] = [];
      for (let at = 0; at < body.length; at += size) {
        const step: WatchStep = watch.push(body.subarray(at, at + size));
        assert.ok(step.kind === 'pass');
        out.push(step.bytes);
      }
      const last = watch.end();
      assert.ok(last.kind === 'pass');
      const sent = Buffer.concat([...out, last.bytes]).toString();
      assert.equal(sent, `{"a":"${'*'.repeat(token.length)}","b":"${'*'.repeat(other.length * 2)}"}`);
    }
  });
});

describe('a body', () => {
  it('that holds a known secret is cut off before any of the secret is out', async () => {
    const { judge, found } = await courtOf();
    const watch = assertAllowed(judge(ask('open.example.com'))).watch?.();
    assert.ok(watch);
    const first = watch.push(Buffer.from(`abc${token.slice(0, 10)}`));
    assert.ok(first.kind === 'pass');
    assert.equal(first.bytes.toString(), 'abc');
    const second = watch.push(Buffer.from(token.slice(10)));
    assert.ok(second.kind === 'refuse');
    assertRefused(second.refusal, 403, 'secret-found');
    assert.equal(watch.push(Buffer.from('more')).kind, 'refuse');
    assert.equal(watch.end().kind, 'refuse');
    assert.deepEqual(
      found.map(({ where, route }) => [where, route]),
      [['body', 'open.example.com']],
    );
    assert.ok(!JSON.stringify(found).includes(token.slice(0, 10)));
  });

  const escapes: readonly (readonly [string, (secret: string) => string])[] = [
    ['one byte percent-encoded', (secret) => secret.replace('-', '%2D')],
    ['one character as an escape of JSON', (secret) => secret.replace('-', '\\u002d')],
    ['every character as an escape of JSON', (secret) => secret.replace(/./g, (c) => `\\u00${hexOf(c)}`)],
    ['one character as an entity of HTML', (secret) => secret.replace('-', '&#45;')],
    ['a zero byte within', (secret) => secret.replace('-', '-\0')],
    ['a character within that does not show', (secret) => secret.replace('-', '-\u200b')],
    ['in lines of base64', (secret) => linesOf(Buffer.from(`${'-'.repeat(40)}${secret}`).toString('base64'), '\n')],
    [
      'in lines of base64 of a mail',
      (secret) => linesOf(Buffer.from(`${'-'.repeat(41)}${secret}`).toString('base64'), '\r\n'),
    ],
    [
      'in lines of base64 in JSON',
      (secret) => linesOf(Buffer.from(`${'-'.repeat(42)}${secret}`).toString('base64'), '\\n'),
    ],
    [
      'a character of its base64 as an escape of JSON',
      (secret) =>
        Buffer.from(secret)
          .toString('base64')
          .replace(/(?<=^.{9})./, (c) => `\\u00${hexOf(c)}`),
    ],
  ];
  for (const [how, escaped] of escapes) {
    it(`that holds a known secret, ${how}, does not get to its end, however it is cut and whatever the route does`, async () => {
      const { judge, found } = await courtOf();
      const body = Buffer.from(`{"a":"b\\n","c":"${escaped(token)}"}`);
      for (const host of ['open.example.com', 'redact.example.com']) {
        for (const size of [1, 7, 10_000]) {
          const watch = assertAllowed(judge(ask(host, '/', [], { kind: 'websocket' }))).watch?.();
          const steps: WatchStep[] = [];
          for (let at = 0; at < body.length; at += size) {
            const step = watch?.push(body.subarray(at, at + size));
            if (step !== undefined) steps.push(step);
          }
          const last = watch?.end();
          if (last !== undefined) steps.push(last);
          const refused = steps.find((step) => step.kind === 'refuse');
          assert.equal(refused?.refusal.code, 'secret-found');
        }
      }
      assert.ok(found.every(({ secret, action }) => secret === 'EGRESS_TOKEN_0' && action === 'blocked'));
      assert.ok(!JSON.stringify(found).includes(token));
    });
  }

  it('with escapes and no secret passes as it came', async () => {
    const { judge } = await courtOf();
    const body = Buffer.from(`{"a":"\\u0041\\n%41","b":"${token.slice(0, -1)}\\n"}`);
    const watch = assertAllowed(judge(ask('open.example.com', '/', [], { kind: 'websocket' }))).watch?.();
    assert.ok(watch);
    const out = [...body].map((byte) => watch.push(Buffer.of(byte)));
    assert.deepEqual(
      Buffer.concat([...out, watch.end()].map((step) => (step.kind === 'pass' ? step.bytes : body))),
      body,
    );
  });

  for (const coding of ['gzip', 'br', 'deflate', 'zstd', 'identity, gzip', 'GZIP', 'x-unknown']) {
    it(`in ${coding} is refused, since it cannot be searched`, async () => {
      const { judge } = await courtOf();
      assertRefused(judge(ask('open.example.com', '/', ['Content-Encoding', coding])), 403, 'encoded-body');
    });
  }

  it('in identity is not encoded', async () => {
    const { judge } = await courtOf();
    assertAllowed(judge(ask('open.example.com', '/', ['content-encoding', 'identity'])));
  });

  it('over the limit of its route is refused, by its length or when it gets there', async () => {
    const { judge } = await courtOf();
    assertRefused(judge(ask('open.example.com', '/', ['Content-Length', '101'])), 413, 'body-too-large');
    const watch = assertAllowed(judge(ask('open.example.com'))).watch?.();
    assert.equal(watch?.push(Buffer.alloc(100)).kind, 'pass');
    const step = watch?.push(Buffer.alloc(1));
    assert.equal(step?.kind === 'refuse' && step.refusal.status, 413);
  });
});

describe('a WebSocket', () => {
  it('is allowed where its route says so, without compression, which would hide its messages', async () => {
    const { judge } = await courtOf();
    const sent = ['Sec-WebSocket-Key', 'x', 'Sec-WebSocket-Extensions', 'permessage-deflate'];
    const verdict = assertAllowed(judge(ask('redact.example.com', '/', sent, { kind: 'websocket' })));
    assert.deepEqual(verdict.headers, ['Sec-WebSocket-Key', 'x']);
    assert.ok(verdict.watch);
    assertRefused(judge(ask('api.example.com', '/', sent, { kind: 'websocket' })), 403, 'websocket-not-allowed');
  });

  it('has no limit of a body', async () => {
    const { judge } = await courtOf();
    const watch = assertAllowed(judge(ask('open.example.com', '/', [], { kind: 'websocket' }))).watch?.();
    assert.equal(watch?.push(Buffer.alloc(1000)).kind, 'pass');
  });
});

describe('whatever the agent sends', () => {
  it('a secret in any form, anywhere in the head, never leaves on a route that blocks', async () => {
    const { judge } = await courtOf();
    const forms = formsOf(token).map(({ bytes }) => bytes.toString('latin1'));
    const form = fc.constantFrom(...forms.filter((text) => /^[!-~]+$/.test(text)));
    const around = fc.stringMatching(/^[a-z0-9&=]{0,20}$/);
    fc.assert(
      fc.property(form, around, around, fc.constantFrom('path', 'query', 'header'), (secret, before, after, where) => {
        const text = `${before}${secret}${after}`;
        const target = where === 'path' ? `/${text}` : where === 'query' ? `/?${text}` : '/';
        const verdict = judge(ask('open.example.com', target, where === 'header' ? ['X-A', text] : []));
        assert.equal(verdict.kind, 'refused');
      }),
    );
  });

  it('it gets a verdict: the judge never throws, and an allowed head holds no credential but the one of its route', async () => {
    const { judge } = await courtOf();
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(token, other, '%', '%2', '/', '?', '..', '\0', '%00', 'x-api-key'),
    );
    const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const host = fc.constantFrom('api.example.com', 'redact.example.com', 'x.wild.example.com', 'egress.internal');
    fc.assert(
      fc.property(host, text, fc.array(fc.tuple(text, text), { maxLength: 4 }), (name, target, headers) => {
        const verdict = judge(ask(name, `/${target}`, headers.flat()));
        if (verdict.kind !== 'allowed') return;
        const sent = JSON.stringify([verdict.target, verdict.headers]);
        assert.equal(sent.split(token).length - 1, name === 'api.example.com' ? 1 : 0);
        assert.ok(!sent.includes(other));
      }),
      { numRuns: 500 },
    );
  });
});

describe('git over HTTPS through the proxy', () => {
  for (const target of [
    '/r.git/info/refs?service=git-upload-pack',
    '/r.git/git-receive-pack',
    '/r%2egit/git-upload-pack',
  ]) {
    it(`is refused with a pointer to git-gate: ${target}`, async () => {
      const { judge } = await courtOf();
      const { reason } = assertRefused(judge(ask('open.example.com', target)), 403, 'git-over-https');
      assert.match(reason, /git-gate/);
      assertRefused(judge(ask('elsewhere.example', target)), 403, 'git-over-https');
    });
  }
});

describe('introspection', () => {
  const magic = 'egress.internal';

  it('tells the routes in the keys of routes.yaml, with names of credentials and without any value', async () => {
    const { judge } = await courtOf();
    for (const path of ['/routes', '/allowlist', '/routes?x']) {
      const verdict = judge(ask(magic, path, [], { scheme: 'http' }));
      assert.ok(verdict.kind === 'answered');
      assert.equal(verdict.status, 200);
      assert.match(verdict.contentType, /^application\/yaml/);
      assert.ok(verdict.body.includes('EGRESS_TOKEN_0') && !verdict.body.includes(token));
      assert.ok((await parseRoutes('told', verdict.body)).ok);
    }
  });

  it('tells them as JSON to who prefers it', async () => {
    const { judge } = await courtOf();
    const verdict = judge(ask(magic, '/routes', ['Accept', 'application/json, */*']));
    assert.ok(verdict.kind === 'answered');
    const told: unknown = JSON.parse(verdict.body);
    assert.ok(typeof told === 'object' && told !== null && 'routes' in told && Array.isArray(told.routes));
    assert.equal(told.routes.length, 7);
  });

  it('gives the certificate to trust, and says what it is', async () => {
    const { judge } = await courtOf('routes: []');
    for (const [path, status, body] of [
      ['/ca.pem', 200, /^a certificate$/],
      ['/', 200, /This is egress/],
      ['/routes', 200, /^routes: \[\]$/m],
      ['/other', 404, /^egress: /],
    ] as const) {
      const verdict = judge(ask(magic, path));
      assert.ok(verdict.kind === 'answered');
      assert.equal(verdict.status, status);
      assert.match(verdict.body, body);
    }
  });

  it('can only be read', async () => {
    const { judge } = await courtOf();
    const verdict = judge(ask(magic, '/routes', [], { method: 'PUT' }));
    assert.equal(verdict.kind === 'answered' && verdict.status, 405);
  });

  it('is not to be had by a route of that name', async () => {
    const { judge } = await courtOf(`routes: [{ host: ${magic} }]`);
    assert.equal(judge(ask(magic, '/')).kind, 'answered');
  });
});
