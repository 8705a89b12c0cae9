import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { askThrough, authorityOf } from './agent.ts';
import { type EgressProcess, startEgress, startFakePipelock, until } from './egress-process.ts';

const routes = `
log: 2
routes:
  - { host: api.example.com, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }
  - { host: basic.example.com, auth_scheme: Basic, token_env: EGRESS_TOKEN_1 }
  - { host: unset.example.com, auth_scheme: Bearer, token_env: EGRESS_TOKEN_9 }
  - { host: plain.example.com, schemes: [http, https] }
  - { host: redact.example.com, schemes: [http], dlp: { outbound_on_match: redact } }
`;

function madeUp(): string {
  return `made-up-${randomBytes(18).toString('base64url')}`;
}

async function readMetrics(egress: EgressProcess): Promise<string> {
  return (await fetch(`http://127.0.0.1:${egress.metricsPort}/metrics`)).text();
}

describe('egress, a request that is allowed', () => {
  it('reaches pipelock as an absolute https URI, in plain text, with the credential in the place of what the agent sent', async () => {
    const token = madeUp();
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({
      routes,
      credentials: { EGRESS_TOKEN_0: `${token}\n` },
      upstream: pipelock.url,
    });
    const ca = await authorityOf(egress.port);
    const headers = { authorization: 'Bearer mine', 'content-type': 'application/json' };
    const ask = { method: 'POST', headers, body: '{"a":1}', ca };
    const got = await askThrough(egress.port, 'https://api.example.com/v1/x?y=z', ask);
    assert.deepEqual([got.status, got.body], [200, 'hello\n']);
    const [arrived] = pipelock.arrived;
    assert.deepEqual([arrived?.method, arrived?.url], ['POST', 'https://api.example.com/v1/x?y=z']);
    assert.equal(arrived?.body, '{"a":1}');
    assert.equal(arrived?.headers.authorization, `Bearer ${token}`);
  });

  it('A.9-5: a credential reaches pipelock in the header of its own route and in nothing else', async () => {
    const [token, pair] = [madeUp(), `user:${madeUp()}`];
    await using pipelock = await startFakePipelock();
    const credentials = { EGRESS_TOKEN_0: token, EGRESS_TOKEN_1: pair };
    await using egress = await startEgress({ routes, credentials, upstream: pipelock.url });
    const ca = await authorityOf(egress.port);
    const encoded = Buffer.from(pair).toString('base64');
    for (const host of ['api', 'basic', 'plain']) {
      const headers = { authorization: 'Basic bWluZQ==', 'proxy-authorization': 'Basic bWluZQ==' };
      await askThrough(egress.port, `https://${host}.example.com/`, { ca, headers });
    }
    const [api, basic, plain] = pipelock.arrived.map(({ headers }) => headers);
    assert.equal(api?.authorization, `Bearer ${token}`);
    assert.equal(basic?.authorization, `Basic ${encoded}`);
    assert.equal(plain?.authorization, undefined);
    const rest = JSON.stringify(
      pipelock.arrived.map(({ headers, rawHeaders, ...other }) => [other, { ...headers, authorization: '' }]),
    );
    for (const secret of [token, pair, encoded, 'bWluZQ==']) assert.ok(!rest.includes(secret));
  });

  it('gets stars where upstream sends a credential back in a header', async () => {
    const token = madeUp();
    await using pipelock = await startFakePipelock((request, response) => {
      response.setHeader('location', `https://elsewhere.example/?token=${token}`);
      response.setHeader('x-echo', request.headers.authorization ?? '');
      response.writeHead(302).end();
    });
    await using egress = await startEgress({ routes, credentials: { EGRESS_TOKEN_0: token }, upstream: pipelock.url });
    const got = await askThrough(egress.port, 'https://api.example.com/', { ca: await authorityOf(egress.port) });
    assert.equal(got.status, 302);
    assert.equal(got.headers.location, `https://elsewhere.example/?token=${'*'.repeat(token.length)}`);
    assert.equal(got.headers['x-echo'], `Bearer ${'*'.repeat(token.length)}`);
  });
});

describe('egress, a request that is refused', () => {
  it('is told in one line of text that begins with "egress: ", and nothing of it reaches pipelock', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes, upstream: pipelock.url });
    for (const [path, status, reason] of [
      ['http://elsewhere.example/', 403, 'egress: no route allows the host elsewhere.example\n'],
      ['http://plain.example.com/r.git/info/refs?service=git-upload-pack', 403, /^egress: git fetch .* git-gate/],
    ] as const) {
      const got = await askThrough(egress.port, path);
      assert.equal(got.status, status);
      assert.equal(got.headers['content-type'], 'text/plain; charset=utf-8');
      assert.match(got.body, reason instanceof RegExp ? reason : new RegExp(`^${reason}$`));
    }
    const ca = await authorityOf(egress.port);
    const unset = await askThrough(egress.port, 'https://unset.example.com/', { ca });
    assert.deepEqual([unset.status, unset.body], [502, 'egress: credential EGRESS_TOKEN_9 is not set\n']);
    assert.deepEqual(pipelock.arrived, []);
    const blocked = await egress.line('egress_blocked');
    assert.deepEqual([blocked.code, blocked.host, blocked.status], ['host-not-allowed', 'elsewhere.example', 403]);
  });

  it('A.9-2: without pipelock is a 502 that says so, never a direct connection', async () => {
    await using origin = await startFakePipelock();
    const { port } = new URL(origin.url);
    await using egress = await startEgress({
      routes: `routes: [{ host: 127.0.0.1, schemes: [http], ports: [${port}] }]`,
      upstream: 'http://127.0.0.1:1',
    });
    const got = await askThrough(egress.port, `${origin.url}/`);
    assert.equal(got.status, 502);
    assert.match(got.body, /^egress: pipelock at 127\.0\.0\.1:1 did not answer \(ECONNREFUSED\)/);
    assert.deepEqual(origin.arrived, []);
  });

  it('holds a known secret in its body: refused, logged with its name and what stood around it, counted', async () => {
    const token = madeUp();
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes, credentials: { EGRESS_TOKEN_0: token }, upstream: pipelock.url });
    const body = `{"key":"${Buffer.from(token).toString('base64')}"}`;
    const got = await askThrough(egress.port, 'http://plain.example.com/', { method: 'POST', body });
    assert.deepEqual(
      [got.status, got.body],
      [403, 'egress: the body holds a secret, which must not leave this bottle\n'],
    );
    const found = await egress.line('egress_secret_found');
    assert.deepEqual([found.secret, found.where, found.action], ['EGRESS_TOKEN_0', 'body', 'blocked']);
    assert.match(String(found.evidence), /^\{"key":"\*{8}/);
    assert.match(
      await readMetrics(egress),
      /^egress_secret_findings_total\{kind="known-secret",action="blocked"\} 1$/m,
    );
    assert.deepEqual(pipelock.arrived, []);
  });

  it('holds the canary: refused on a route that redacts, and logged as canary at log level 0', async () => {
    const canary = madeUp();
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({
      routes: routes.replace('log: 2', 'log: 0'),
      env: { EGRESS_CANARY: canary },
      upstream: pipelock.url,
    });
    const got = await askThrough(egress.port, 'http://redact.example.com/', { headers: { cookie: `a=${canary}` } });
    assert.equal(got.status, 403);
    const line = await egress.line('canary');
    assert.deepEqual([line.level, line.where, line.host], ['error', 'header cookie', 'redact.example.com']);
    assert.ok(!egress.output().includes(canary));
    assert.deepEqual(pipelock.arrived, []);
  });

  it('has a body with a Content-Encoding: refused, since it cannot be searched', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes, upstream: pipelock.url });
    const ask = { method: 'POST', headers: { 'content-encoding': 'gzip' }, body: 'x' };
    const got = await askThrough(egress.port, 'http://plain.example.com/', ask);
    assert.equal(got.status, 403);
    assert.match(got.body, /^egress: a body with a Content-Encoding cannot be searched/);
  });
});

describe('egress, a route that redacts', () => {
  it('sends stars of the same length in query, headers and body', async () => {
    const token = madeUp();
    const stars = '*'.repeat(token.length);
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes, credentials: { EGRESS_TOKEN_0: token }, upstream: pipelock.url });
    const ask = { method: 'POST', headers: { 'x-a': `<${token}>` }, body: `[${token}]` };
    const got = await askThrough(egress.port, `http://redact.example.com/p?q=${token}`, ask);
    assert.equal(got.status, 200);
    const [arrived] = pipelock.arrived;
    assert.equal(arrived?.url, `http://redact.example.com/p?q=${stars}`);
    assert.equal(arrived?.headers['x-a'], `<${stars}>`);
    assert.equal(arrived?.body, `[${stars}]`);
  });
});

describe('egress, what it says', () => {
  it('never holds a credential: no log line, error, metric or answer to the agent, raw or in base64', async () => {
    const [token, pair, canary] = [madeUp(), `user:${madeUp()}`, madeUp()];
    await using pipelock = await startFakePipelock((request, response) => {
      response.setHeader('x-echo', request.headers.authorization ?? '');
      response.end();
    });
    const credentials = { EGRESS_TOKEN_0: token, EGRESS_TOKEN_1: pair, CANARY: canary };
    await using egress = await startEgress({ routes, credentials, upstream: pipelock.url });
    const ca = await authorityOf(egress.port);
    const secrets = [token, pair, pair.slice(5), canary];
    const said: string[] = [];
    for (const host of ['api', 'basic', 'plain', 'nowhere']) {
      for (const secret of ['none', ...secrets.flatMap((one) => [one, Buffer.from(one).toString('base64')])]) {
        const headers = { 'x-a': secret, authorization: `Bearer ${secret}` };
        const url = `https://${host}.example.com/?q=${encodeURIComponent(secret)}`;
        said.push(JSON.stringify(await askThrough(egress.port, url, { method: 'POST', headers, body: secret, ca })));
      }
    }
    for (const path of ['/', '/routes', '/allowlist', '/ca.pem']) {
      said.push(JSON.stringify(await askThrough(egress.port, `http://egress.internal${path}`)));
    }
    said.push(await readMetrics(egress), await (await fetch(`http://127.0.0.1:${egress.port}/__health`)).text());
    await until('all lines', () =>
      egress.lines().filter(({ event }) => event === 'egress_response').length >= 7 ? true : undefined,
    );
    const all = egress.output() + said.join('\n');
    for (const secret of secrets) {
      assert.ok(!all.includes(secret));
      assert.ok(!all.includes(Buffer.from(secret).toString('base64')));
      assert.ok(!all.includes(Buffer.from(secret).toString('hex')));
    }
    assert.ok(all.includes('EGRESS_TOKEN_0'));
  });

  it('holds no credential that was sent with escapes: path, header and what came back are stars as a whole', async () => {
    const token = madeUp();
    const bytes = [...Buffer.from(token)].map((byte) => byte.toString(16).padStart(2, '0'));
    const escaped = [
      `%${bytes[0]}${token.slice(1)}`,
      `%25${bytes[0]}${token.slice(1)}`,
      `${token.slice(0, 4)}%5Cu00${bytes[4]}${token.slice(5)}`,
    ];
    await using pipelock = await startFakePipelock((request, response) => {
      const which = Number(new URL(request.url).searchParams.get('which'));
      response.setHeader('x-echo', escaped[which]?.replace('%5C', '\\') ?? '').end();
    });
    await using egress = await startEgress({ routes, credentials: { EGRESS_TOKEN_0: token }, upstream: pipelock.url });
    for (const [which, text] of escaped.entries()) {
      const got = await askThrough(egress.port, `http://plain.example.com/${text}/x`);
      assert.equal(got.status, 403);
      const echoed = await askThrough(egress.port, `http://plain.example.com/?which=${which}`);
      assert.match(String(echoed.headers['x-echo']), /^\*+$/);
    }
    await until('all lines', () =>
      egress.lines().filter(({ event }) => event === 'egress_response').length === 3 &&
      egress.lines().filter(({ event }) => event === 'egress_blocked').length === 3
        ? true
        : undefined,
    );
    assert.ok(!egress.output().includes(token.slice(5)));
  });

  it('is at log level 2 each request and answer, with the injected header as stars', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({
      routes,
      credentials: { EGRESS_TOKEN_0: madeUp() },
      upstream: pipelock.url,
    });
    await askThrough(egress.port, 'https://api.example.com/p', { ca: await authorityOf(egress.port) });
    const ofApi = (event: string) => () =>
      egress.lines().find((line) => line.event === event && line.route === 'api.example.com');
    const request = await until('the request', ofApi('egress_request'));
    const response = await until('the response', ofApi('egress_response'));
    assert.match(JSON.stringify(request.headers), /"authorization":"\*{8}"/);
    assert.deepEqual([response.status, response.received_bytes], [200, 6]);
  });

  it('is metrics on loopback: requests, refusals, bytes, routes', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes, upstream: pipelock.url });
    await askThrough(egress.port, 'http://plain.example.com/', { method: 'POST', body: 'four' });
    await askThrough(egress.port, 'http://elsewhere.example/');
    const text = await until('both to be counted', async () => {
      const read = await readMetrics(egress);
      return read.includes('route="none"') && read.includes('route="plain.example.com"') ? read : undefined;
    });
    for (const line of [
      'egress_requests_total{route="plain.example.com",code="200"} 1',
      'egress_requests_total{route="none",code="403"} 1',
      'egress_refused_total{code="host-not-allowed"} 1',
      'egress_sent_bytes_total{route="plain.example.com"} 4',
      'egress_received_bytes_total{route="plain.example.com"} 6',
      'egress_routes 5',
      'egress_reloads_total{outcome="taken"} 1',
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
    }
    assert.equal((await fetch(`http://127.0.0.1:${egress.metricsPort}/`)).status, 404);
  });
});
