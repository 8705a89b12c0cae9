import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { type Surroundings, waitInForce } from '../../../daemons/approval/in-force.ts';
import { routesToValue } from '../../../daemons/routes/listing.ts';
import { parseRoutes } from '../../../daemons/routes/load.ts';
import { listening } from '../egress/proxy/bottle.ts';
import { NEW, OLD, placeFor } from './place.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(t: TestContext, answer: Answer): Promise<number> {
  const server = createServer(answer);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return listening(server);
}

async function jsonOf(text: string): Promise<string> {
  const loaded = await parseRoutes('routes.yaml', text);
  if (!loaded.ok) throw new Error('these are no routes');
  return JSON.stringify(routesToValue(loaded.routes));
}

function surroundings(t: TestContext, more: Partial<Surroundings>): Surroundings & { readonly directory: string } {
  const directory = placeFor(t);
  return {
    directory,
    egressPort: 1,
    pipelockHealthPort: 1,
    pipelockGenerated: join(directory, 'data', 'generated.yaml'),
    read: () => undefined,
    logged: async () => [],
    deadline_ms: 10_000,
    ...more,
  };
}

test('egress goes by routes once its introspection tells them, whatever their comments', async (t) => {
  const answers = [await jsonOf(OLD), await jsonOf(NEW)];
  const asked: string[] = [];
  const egressPort = await serve(t, (request, response) => {
    asked.push(request.url ?? '');
    response.end(answers.length > 1 ? answers.shift() : answers[0]);
  });
  const found = await waitInForce(surroundings(t, { egressPort }), 'egress', 'routes.yaml', `# why\n${NEW}`, '');
  assert.deepEqual(found, { ok: true, seen: 'egress goes by 2 routes' });
  assert.deepEqual(asked, ['http://egress.internal/routes', 'http://egress.internal/routes']);
});

test('an egress that stays with other routes, or does not answer, is told after the deadline', async (t) => {
  const other = await jsonOf(OLD);
  const egressPort = await serve(t, (_request, response) => response.end(other));
  const stays = surroundings(t, { egressPort, deadline_ms: 150 });
  assert.deepEqual(await waitInForce(stays, 'egress', 'routes.yaml', NEW, ''), {
    ok: false,
    reason: 'egress: it goes by other routes',
  });
  const away = await waitInForce(surroundings(t, { deadline_ms: 100 }), 'egress', 'routes.yaml', NEW, '');
  assert.match(away.ok ? '' : away.reason, /^egress: it does not answer on port 1: /);
});

test('pipelock goes by what is generated for it, with the hosts of both files, and has to be healthy', async (t) => {
  let health = '{"status":"unhealthy"}';
  const pipelockHealthPort = await serve(t, (_request, response) => response.end(health));
  const settings = 'extra_hosts: [c.example]\n';
  const read = (file: string) => (file === 'pipelock.yaml' ? settings : undefined);
  const place = surroundings(t, { pipelockHealthPort, read, deadline_ms: 150 });
  const look = () => waitInForce(place, 'pipelock', 'routes.yaml', NEW, '');
  writeFileSync(place.pipelockGenerated, stringify({ api_allowlist: ['a.example'] }));
  assert.deepEqual(await look(), { ok: false, reason: 'pipelock: its generated configuration names other hosts' });
  writeFileSync(place.pipelockGenerated, stringify({ api_allowlist: ['a.example', 'b.example', 'c.example'] }));
  assert.deepEqual(await look(), { ok: false, reason: 'pipelock: it is not healthy' });
  health = '{"status":"healthy"}';
  assert.deepEqual(await look(), { ok: true, seen: 'pipelock lets through 3 hosts and is healthy' });
});

test('routes that are not valid are never in force, and not waited for', async (t) => {
  const place = surroundings(t, { deadline_ms: 3_600_000 });
  const found = await waitInForce(place, 'egress', 'routes.yaml', 'routes: 1\n', '');
  assert.match(found.ok ? '' : found.reason, /these routes are not valid, so that it goes on with others/);
});

test('git-gate goes by what it says in its log', async (t) => {
  const lines = ['git-gate.yaml is in force: 1 repositories'];
  const place = surroundings(t, { deadline_ms: 100, logged: async () => lines });
  assert.equal((await waitInForce(place, 'git-gate', 'git-gate.yaml', '', '')).ok, true);
  lines.push('git-gate.yaml is not taken over; what was in force stays so');
  const found = await waitInForce(place, 'git-gate', 'git-gate.yaml', '', '');
  assert.match(found.ok ? '' : found.reason, /did not take git-gate\.yaml over; see its log/);
});
