import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startOperator } from '../reports/operator.ts';
import { askThrough } from './agent.ts';
import { startEgress, startFakePipelock, until } from './egress-process.ts';

/** `outbound_on_match: supervise`: the operator is asked about a credential on its way out. */

const ROUTES = `
routes:
  - { host: a.example.com, schemes: [http], websocket: true, dlp: { outbound_on_match: supervise } }
  - { host: b.example.com, schemes: [http], dlp: { outbound_on_match: block } }
`;

async function start(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const operator = startOperator('egress', (remove) => t.after(remove));
  const [token, canary] = [
    `made-up-${randomBytes(18).toString('base64url')}`,
    `canary-${randomBytes(18).toString('base64url')}`,
  ];
  const pipelock = await startFakePipelock();
  const egress = await startEgress({
    routes: ROUTES,
    credentials: { EGRESS_TOKEN_0: token, CANARY: canary },
    upstream: pipelock.url,
    env: { EGRESS_REPORTS: operator.spool, EGRESS_DECISIONS: operator.decisions, ...env },
  });
  t.after(async () => {
    await egress[Symbol.asyncDispose]();
    await pipelock[Symbol.asyncDispose]();
  });
  const ask = (path: string, more = {}) => askThrough(egress.port, `http://a.example.com${path}`, more);
  return { operator, token, canary, pipelock, egress, ask };
}

test('a head is held until a yes, which counts for the same credential in the same place of the same request only', async (t) => {
  const { operator, token, pipelock, ask, egress } = await start(t);
  const held = ask(`/x?key=${token}`);
  const report = await operator.asked();
  assert.equal(pipelock.arrived.length, 0);
  assert.partialDeepStrictEqual(report, {
    kind: 'egress-token-allow',
    facts: {
      credential: 'EGRESS_TOKEN_0',
      where: 'query',
      origin: 'http://a.example.com:80',
      method: 'GET',
      path: '/x',
    },
  });
  operator.say(report, 'approved');
  assert.equal((await held).status, 200);
  assert.equal((await ask(`/x?again=1&key=${token}`)).status, 200);
  assert.equal(pipelock.arrived.length, 2);
  for (const other of [
    () => ask(`/y?key=${token}`),
    () => ask('/x', { headers: { 'x-key': token } }),
    () => ask(`/x?key=${token}`, { method: 'POST', body: '' }),
  ]) {
    const answer = other();
    operator.say(await operator.asked(), 'rejected', { reason: 'not that' });
    const { status, body } = await answer;
    assert.equal(status, 403);
    assert.match(body, /^egress: the .* holds a secret, .* the operator said no \(p-7kq2\): not that\n$/);
  }
  assert.equal(pipelock.arrived.length, 2);
  assert.equal(operator.reports().length, 0);
  assert.ok(!egress.output().includes(token));
});

test('nothing of the secret is told, however it is written', async (t) => {
  const { operator, token, ask } = await start(t);
  const encoded = [...Buffer.from(token)].map((byte) => `%25${byte.toString(16)}`).join('');
  for (const path of [`/p/${token}/q`, `/p?k=${encoded}`, `/?k=${Buffer.from(token).toString('base64url')}`]) {
    const answer = ask(path);
    const report = await operator.asked();
    const text = JSON.stringify(report);
    for (const secret of [token, encoded, Buffer.from(token).toString('base64url')]) assert.ok(!text.includes(secret));
    operator.say(report, 'rejected');
    await answer;
  }
});

test('a body is read first and held as a whole, with a length, in chunks, and after Expect: 100-continue', async (t) => {
  const { operator, token, pipelock, ask } = await start(t);
  const body = `{"key":"${token}","rest":"${'x'.repeat(100_000)}"}`;
  const held = ask('/login', { method: 'POST', body });
  const report = await operator.asked();
  assert.equal(report.facts.where, 'body');
  assert.equal(pipelock.arrived.length, 0);
  operator.say(report, 'approved');
  assert.equal((await held).status, 200);
  assert.equal(
    (await ask('/login', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })).status,
    200,
  );
  assert.equal((await ask('/login', { method: 'POST', body, headers: { expect: '100-continue' } })).status, 200);
  assert.equal((await ask('/login', { method: 'POST', body: 'nothing in it' })).status, 200);
  assert.deepEqual(
    pipelock.arrived.map((one) => one.body),
    [body, body, body, 'nothing in it'],
  );
});

test('a body that is too long to be kept streams, is cut off, and passes once it is allowed', async (t) => {
  const { operator, token, pipelock, ask } = await start(t);
  const body = `${'x'.repeat(3 * 1024 * 1024)}${token}`;
  const send = () => ask('/upload', { method: 'PUT', body });
  const clean = 'y'.repeat(3 * 1024 * 1024);
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    assert.equal((await ask('/upload', { method: 'PUT', body: clean, headers })).status, 200);
    assert.ok(pipelock.arrived.at(-1)?.body === clean);
  }
  assert.equal((await send()).status, 403);
  const report = await operator.asked();
  assert.equal(report.facts.where, 'body');
  operator.say(report, 'approved');
  assert.match((await send()).body, /has allowed it meanwhile; send it again/);
  assert.equal((await send()).status, 200);
  assert.equal(pipelock.arrived.at(-1)?.body, body);
});

test('the canary, another secret beside an allowed one, and routes that block are not asked about', async (t) => {
  const { operator, token, canary, pipelock, ask, egress } = await start(t);
  assert.equal((await ask(`/x?c=${canary}&k=${token}`)).status, 403);
  assert.equal((await ask('/x', { method: 'POST', body: `${canary} ${token}` })).status, 403);
  assert.equal((await askThrough(egress.port, `http://b.example.com/?k=${token}`)).status, 403);
  assert.deepEqual(operator.reports(), []);
  const held = ask(`/x?k=${token}`);
  operator.say(await operator.asked(), 'approved');
  assert.equal((await held).status, 200);
  assert.equal((await ask(`/x?k=${token}&c=${canary}`)).status, 403);
  const hidden = canary.replace('-', '%2D');
  assert.equal((await ask(`/x?k=${token}&c=${hidden}`)).status, 403);
  assert.equal(pipelock.arrived.length, 1);
});

test('no answer in time is a 403 that says how to go on', async (t) => {
  const { operator, token, ask } = await start(t, { EGRESS_HOLD: '400ms' });
  const answer = ask(`/x?k=${token}`);
  operator.say(await operator.asked(), 'pending');
  const { status, body } = await answer;
  assert.equal(status, 403);
  assert.match(body, /the operator was asked \(p-7kq2\) and has not answered yet; send it again once it is allowed/);
});

test('an agent that leaves ends the hold, before and after its body has arrived', async (t) => {
  const { operator, token, egress } = await start(t);
  const leaving = (head: string) => {
    const socket = connect(egress.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(head);
    return socket;
  };
  const waiting = leaving(`GET http://a.example.com/?k=${token} HTTP/1.1\r\nHost: a.example.com\r\n\r\n`);
  await operator.asked();
  waiting.destroy();
  await until('the report is taken back', () => (operator.reports().length === 0 ? true : undefined));
  const posting = leaving(
    `POST http://a.example.com/ HTTP/1.1\r\nHost: a.example.com\r\nContent-Length: ${token.length}\r\n\r\n${token}`,
  );
  await operator.asked();
  posting.destroy();
  await until('the report is taken back', () => (operator.reports().length === 0 ? true : undefined));
});

test('the agent cannot keep more requests waiting than so many', async (t) => {
  const { operator, token, egress, ask } = await start(t);
  const sockets = Array.from({ length: 32 }, (_, at) => {
    const socket = connect(egress.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET http://a.example.com/${at}?k=${token} HTTP/1.1\r\nHost: a.example.com\r\n\r\n`);
    return socket;
  });
  await until('all of them wait', () => (operator.reports().length === 32 ? true : undefined));
  const { status, body } = await ask(`/more?k=${token}`);
  assert.deepEqual([status, body.includes('32 requests wait for the operator already')], [403, true]);
  for (const socket of sockets) socket.destroy();
  await until('all reports are taken back', () => (operator.reports().length === 0 ? true : undefined));
});

test('a WebSocket handshake is held as well', async (t) => {
  const { operator, token, egress } = await start(t);
  const asked = request({
    host: '127.0.0.1',
    port: egress.port,
    path: `http://a.example.com/ws?k=${token}`,
    headers: {
      host: 'a.example.com',
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    },
  });
  asked.end();
  operator.say(await operator.asked(), 'rejected');
  const [response] = await once(asked, 'response');
  assert.equal(response.statusCode, 403);
  response.resume();
});

test('pipelock looks no longer for a credential that may pass somewhere, and the other daemons do', async (t) => {
  const directory = startOperator('egress', (remove) => t.after(remove)).decisions;
  const [all, some] = [join(directory, 'all.json'), join(directory, 'some.json')];
  const { operator, token, ask } = await start(t, { EGRESS_KNOWN_SECRETS: all, EGRESS_PIPELOCK_SECRETS: some });
  const sizes = () => [all, some].map((file) => readFileSync(file).length);
  const [before = 0, beforeForPipelock] = sizes();
  assert.equal(before, beforeForPipelock);
  const held = ask(`/x?key=${token}`);
  operator.say(await operator.asked(), 'approved');
  await held;
  const [after, afterForPipelock = 0] = sizes();
  assert.equal(after, before);
  assert.ok(afterForPipelock < before);
});

test('where nobody can be asked, such a request is refused, and says so', async (t) => {
  const none = await start(t, { EGRESS_REPORTS: '', EGRESS_DECISIONS: '' });
  assert.match((await none.ask(`/?k=${none.token}`)).body, /must not leave this bottle\n$/);
  const away = await start(t, { EGRESS_DECISIONS: '/nonexistent/decisions' });
  const { status, body } = await away.ask(`/?k=${away.token}`);
  assert.equal(status, 403);
  assert.match(body, /the operator could not be asked: supervise is not here/);
});
