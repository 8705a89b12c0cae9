import assert from 'node:assert/strict';
import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyLog } from '../../../daemons/supervise/journal/verify.ts';
import { connect, fakeToken, makeWorld, proposeHost, ROUTES, routesWith, theProposal, until } from './world.ts';

test('the operator’s socket is private, and listens to nobody else’s words', async (t) => {
  const world = makeWorld(t);
  await world.start();
  assert.equal(statSync(join(world.data, 'operator.sock')).mode & 0o777, 0o600);
  for (const name of readdirSync(world.data).filter((name) => name.endsWith('.jsonl'))) {
    assert.equal(statSync(join(world.data, name)).mode & 0o777, 0o600);
  }
});

test('list, show, edit and apply: what was decided and what came of it is in the entry, and in the log', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  await client.callTool(proposeHost('b.example'));
  const proposal = await theProposal(world, '?status=pending&kind=egress-block');
  assert.deepEqual(await world.proposals('?status=applied'), []);
  const final = routesWith('narrow.b.example');
  const wrong = await world.decide(proposal, 'modified', { final: 'routes: 1\n' });
  assert.equal(wrong.status, 422);
  assert.match(JSON.stringify(wrong.body), /routes.yaml:1:9/);
  assert.equal((await world.decide(proposal, 'modified', { final: `${final}# ${fakeToken()}\n` })).status, 422);
  const decided = await world.decide(proposal, 'modified', { final, reason: 'narrower' });
  assert.partialDeepStrictEqual(decided, { status: 200, body: { status: 'modified', decision: { by: 'ada', final } } });
  assert.equal((await world.decide(proposal, 'approved')).status, 409);
  const path = `/v1/proposals/${proposal.id}/outcome`;
  const failed = { result: 'failed', detail: 'egress did not take it', diff: '' };
  assert.partialDeepStrictEqual(await world.operator('POST', path, failed), {
    status: 200,
    body: { status: 'failed' },
  });
  const applied = { result: 'applied', detail: 'in force', diff: '+  - host: narrow.b.example\n' };
  assert.partialDeepStrictEqual(await world.operator('POST', path, applied), {
    status: 200,
    body: { status: 'applied' },
  });
  assert.equal((await world.operator('POST', path, applied)).status, 409);
  const shown = await world.operator('GET', `/v1/proposals/${proposal.id}`);
  assert.partialDeepStrictEqual(shown.body, { status: 'applied', outcome: applied, decision: { reason: 'narrower' } });
  const kinds: unknown[] = [];
  const verified = verifyLog(world.data, ({ event }) => kinds.push(Object(event).type));
  assert.ok(verified.ok);
  assert.deepEqual(kinds, ['proposed', 'decided', 'outcome', 'outcome']);
  const { body } = await world.operator('GET', '/v1/status');
  assert.partialDeepStrictEqual(body, { log: { records: 4, hash: verified.last.hash }, readOnly: null });
});

test('a decision about a file that has changed is refused as stale, and the agent is told to propose anew', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  await client.callTool(proposeHost('b.example'));
  const proposal = await theProposal(world);
  writeFileSync(join(world.config, 'routes.yaml'), routesWith('other.example'));
  const refused = await world.decide(proposal, 'approved');
  assert.equal(refused.status, 409);
  const checked = await client.callTool({ name: 'check-proposal', arguments: { id: proposal.id } });
  assert.match(JSON.stringify(checked.content), /is stale: routes.yaml changed/);
});

test('a proposal goes stale by itself when its file changes, and others stay', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  await client.callTool(proposeHost('b.example'));
  const dockerfile = { dockerfile: 'FROM debian\n', justification: 'x' };
  await client.callTool({ name: 'capability-block', arguments: dockerfile });
  writeFileSync(join(world.config, 'routes.yaml'), `${ROUTES}# touched\n`);
  await until('it is stale', async () => (await world.proposals('?status=stale')).length === 1);
  assert.deepEqual(
    (await world.proposals('?status=pending')).map(({ kind }) => kind),
    ['capability-block'],
  );
});

test('silence means no: after its time a proposal has expired, and its caller hears so', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start({ SUPERVISE_EXPIRY: '1s', SUPERVISE_WAIT: '5m' }));
  const called = await client.callTool(proposeHost('b.example'));
  assert.match(JSON.stringify(called.content), /expired: nobody decided in time, which means no/);
  assert.equal((await theProposal(world)).status, 'expired');
});

test('events tell of each change', async (t) => {
  const world = makeWorld(t);
  const client = await connect(t, await world.start());
  const stream = request({ socketPath: join(world.data, 'operator.sock'), path: '/v1/events' });
  let text = '';
  stream.on('response', (response) => {
    response.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  });
  stream.end();
  await until('the stream is open', async () => text.includes(':\n\n'));
  await client.callTool(proposeHost('b.example'));
  await world.decide(await theProposal(world), 'rejected');
  await until('both are told', async () => text.split('event: proposal\n').length === 3);
  assert.match(text, /"status":"pending".*\n\n.*\n.*"status":"rejected"/);
  stream.destroy();
});

test('incidents of the same daemon and cause are one entry with masked lines, which is acknowledged', async (t) => {
  const world = makeWorld(t);
  await world.start();
  const token = fakeToken();
  const incident = { text: 'egress crashed', daemon: 'egress', cause: 'crash', lines: ['ok', `key ${token}`] };
  assert.equal((await world.operator('POST', '/v1/incidents', incident)).status, 201);
  assert.equal((await world.operator('POST', '/v1/incidents', { ...incident, lines: ['other'] })).status, 200);
  const proposal = await theProposal(world, '?kind=incident');
  assert.deepEqual([proposal.times, proposal.facts.lines, proposal.source], [2, 'ok\n********', 'init']);
  assert.equal((await world.decide(proposal, 'approved')).status, 422);
  assert.partialDeepStrictEqual(await world.decide(proposal, 'acknowledged'), { body: { status: 'acknowledged' } });
  assert.ok(
    !readdirSync(world.data).some(
      (name) => name.endsWith('.jsonl') && readFileSync(join(world.data, name), 'utf8').includes(token),
    ),
  );
});

test('what the operator’s side gets wrong is answered with what is wrong', async (t) => {
  const world = makeWorld(t);
  await world.start();
  const cases: readonly (readonly [string, string, unknown, number])[] = [
    ['GET', '/v1/proposals/p-0000', undefined, 404],
    ['POST', '/v1/proposals/p-0000/decision', { verdict: 'approved', shown: '0'.repeat(64), by: 'ada' }, 404],
    ['POST', '/v1/proposals/p-0000/decision', { verdict: 'maybe' }, 422],
    ['POST', '/v1/proposals/p-0000/outcome', {}, 422],
    ['DELETE', '/v1/proposals', undefined, 405],
    ['GET', '/v2/proposals', undefined, 404],
    ['POST', '/v1/incidents', { text: 'x' }, 422],
    ['POST', '/v1/incidents', 'x'.repeat(5_000_000), 422],
  ];
  for (const [method, path, body, status] of cases) {
    const answered = await world.operator(method, path, body);
    assert.equal(answered.status, status, `${method} ${path}`);
    assert.ok(Object(answered.body).title !== undefined && Object(answered.body).detail !== undefined);
  }
});

test('a changed record is told with its place at the start, and then nothing is decided', async (t) => {
  const world = makeWorld(t);
  const first = await world.start();
  const client = await connect(t, first);
  for (const host of ['b.example', 'c.example', 'd.example']) await client.callTool(proposeHost(host));
  first.kill('SIGTERM');
  assert.equal(await first.ended, 0);
  const file = join(world.data, 'journal-000000000001.jsonl');
  writeFileSync(file, readFileSync(file, 'utf8').replace('host: c.example', 'host: x.example'));
  const second = await world.start();
  const { reason } = await second.logged('read-only');
  assert.match(String(reason), /journal-000000000001\.jsonl:2 \(record 2, byte \d+\): it was changed/);
  assert.equal((await fetch(`http://127.0.0.1:${second.port}/__health`)).status, 503);
  const after = await connect(t, second);
  const called = await after.callTool(proposeHost('e.example'));
  assert.equal(called.isError, true);
  assert.match(JSON.stringify(called.content), /Only the operator can mend that/);
  const incident = { text: 'x', daemon: 'x', cause: 'x', lines: [] };
  assert.equal((await world.operator('POST', '/v1/incidents', incident)).status, 503);
  assert.match(JSON.stringify((await world.operator('GET', '/v1/status')).body), /cannot be believed/);
  const before = readFileSync(file, 'utf8');
  second.kill('SIGTERM');
  assert.equal(await second.ended, 0);
  assert.equal(readFileSync(file, 'utf8'), before);
});

test('a last record without an end is put aside and told, and the rest is there', async (t) => {
  const world = makeWorld(t);
  const first = await world.start();
  await (await connect(t, first)).callTool(proposeHost('b.example'));
  first.kill('SIGKILL');
  await first.ended;
  appendFileSync(join(world.data, 'journal-000000000001.jsonl'), '{"seq":2,"time":"2026');
  const second = await world.start();
  const { file } = await second.logged('torn-record');
  assert.equal(readFileSync(String(file), 'utf8'), '{"seq":2,"time":"2026');
  assert.equal((await theProposal(world)).status, 'pending');
  assert.ok(verifyLog(world.data).ok);
});

test('of two supervises with one directory the second leaves, and the first does not notice', async (t) => {
  const world = makeWorld(t);
  await world.start();
  const second = await world.launch();
  assert.equal(await second.ended, 1);
  assert.match(second.output(), /another supervise works in/);
  assert.equal((await world.operator('GET', '/v1/status')).status, 200);
});

test('a file of the log that is too large is followed by another, and what is open is still there after a restart', async (t) => {
  const world = makeWorld(t);
  const env = { SUPERVISE_LOG_SIZE: '64kb', SUPERVISE_MOST_PER_MINUTE: '1000' };
  const first = await world.start(env);
  const client = await connect(t, first);
  for (let n = 0; n < 12; n++) {
    const padding = `# ${'word '.repeat(2000)}\n`;
    const arguments_ = { routes_yaml: `${routesWith(`h${n}.example`)}${padding}`, justification: 'x' };
    await client.callTool({ name: 'egress-block', arguments: arguments_ });
  }
  const before = await world.proposals();
  assert.equal(before.length, 12);
  assert.ok(readdirSync(world.data).filter((name) => name.endsWith('.jsonl')).length > 1);
  first.kill('SIGKILL');
  await first.ended;
  await world.start(env);
  assert.deepEqual(await world.proposals(), before);
  assert.ok(verifyLog(world.data).ok);
});

test('on SIGTERM a call that waits is answered pending, and its decision after the restart reaches who asks again', async (t) => {
  const world = makeWorld(t);
  const first = await world.start({ SUPERVISE_WAIT: '5m' });
  const client = await connect(t, first);
  const call = client.callTool(proposeHost('b.example'));
  await until('it is proposed', async () => (await world.proposals())[0]);
  first.kill('SIGTERM');
  assert.match(JSON.stringify((await call).content), /is pending/);
  assert.equal(await first.ended, 0);
  const second = await world.start({ SUPERVISE_WAIT: '5m' });
  await world.decide(await theProposal(world), 'rejected', { reason: 'not this one' });
  const again = await (await connect(t, second)).callTool(proposeHost('b.example'));
  assert.match(JSON.stringify(again.content), /was rejected.*not this one/);
});

test('settings that are wrong are all told, and it does not start', async (t) => {
  const world = makeWorld(t);
  const running = await world.launch({
    SUPERVISE_DATA: 'relative',
    SUPERVISE_CONFIG: '',
    SUPERVISE_WAIT: 'soon',
    SUPERVISE_REPORTS: 'stranger=/x',
    SUPERVISE_EGRESS: 'https://x',
    SUPERVISE_PORT: '70000',
  });
  assert.equal(await running.ended, 2);
  for (const name of ['DATA', 'CONFIG', 'WAIT', 'REPORTS', 'EGRESS', 'PORT']) {
    assert.match(running.output(), new RegExp(`SUPERVISE_${name}: `));
  }
});
