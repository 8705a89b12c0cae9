import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Bottle, startBottle } from './bottle.ts';
import { type Operator, operatorOf } from './operator.ts';
import { agentOf, LOCAL_SETTINGS, startService, trusting } from './world.ts';

interface World extends Operator {
  readonly bottle: Bottle;
  readonly agent: Client;
}

async function startWorld(t: TestContext, env: Readonly<Record<string, string>>): Promise<World> {
  const bottle = await startBottle(t, {
    files: {
      'routes.yaml': '# by hand\nroutes: []\n',
      'git-gate.yaml': 'repos: {}\n',
      'pipelock.yaml': LOCAL_SETTINGS,
    },
    env,
  });
  const agent = new Client({ name: 'agent', version: '1' });
  await agent.connect(
    new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${bottle.ports.SUPERVISE_PORT}/mcp`)),
  );
  t.after(() => agent.close());
  return { bottle, agent, ...operatorOf(bottle) };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** An editor that does to the file what a sed(1) script says. */
function editorOf(bottle: Bottle, script: string): string {
  const file = join(bottle.directory, 'editor.sh');
  writeFileSync(file, `#!/bin/sh\nexec sed -i '${script}' "$1"\n`);
  chmodSync(file, 0o755);
  return file;
}

test('an agent is refused, proposes a route, the operator edits and approves, the same request passes, and the log verifies', async (t) => {
  const service = await startService(t, (_request, response) => response.end('it worked'));
  const world = await startWorld(t, trusting(service));
  const { bottle, agent } = world;
  const { ask } = agentOf(bottle);
  const url = `${service.origin}/repos/x`;
  assert.equal((await ask(url)).status, 403);

  const routes = `routes:\n  - host: localhost\n    ports: [${service.port}]\n`;
  const call = agent.callTool({
    name: 'egress-block',
    arguments: { routes_yaml: routes, justification: 'the tests need this service' },
  });
  const proposal = await world.pending();
  assert.equal(proposal.kind, 'egress-block');
  const shown = await world.proposals(['show', proposal.id]);
  assert.match(shown.stdout, /the tests need this service/);
  assert.match(shown.stdout, /^-# by hand\n-routes: \[\]\n\+routes:$/m);
  assert.equal((await ask(url)).status, 403);

  const EDITOR = editorOf(
    bottle,
    `s|    ports:|    matches: [{ paths: [{ type: Prefix, value: /repos }] }]\\n    ports:|`,
  );
  const edited = await world.proposals(['edit', proposal.id, '--yes', '--reason', 'only what is needed'], { EDITOR });
  assert.equal(edited.exitCode, 0, edited.stderr);
  assert.match(edited.stdout, /is applied: routes\.yaml is written and in force/);

  const answer = await ask(url);
  assert.deepEqual([answer.status, answer.text], [200, 'it worked']);
  assert.equal((await ask(`${service.origin}/else`)).status, 403);
  assert.match(JSON.stringify(await call), /modified/);

  const again = await world.proposals(['approve', proposal.id]);
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /is applied; there is nothing to approve/);
  const verified = await world.proposals(['verify']);
  assert.equal(verified.exitCode, 0, verified.stderr);
  assert.match(verified.stdout, /3 records from 1 to 3 follow one another unchanged/);
});

test('an approval whose command is killed while egress hangs ends as applied when it is run again', async (t) => {
  const service = await startService(t, (_request, response) => response.end('it worked'));
  const world = await startWorld(t, trusting(service));
  const { bottle, agent } = world;
  const routes = `routes:\n  - host: localhost\n    ports: [${service.port}]\n`;
  const call = agent.callTool({
    name: 'egress-block',
    arguments: { routes_yaml: routes, justification: 'the tests need this service' },
  });
  const { id } = await world.pending();
  await bottle.bottled('signal', 'STOP', 'egress');
  const command = world.spawn(['approve', id, '--yes']);
  const file = join(bottle.config, 'routes.yaml');
  await until('the new routes are written', () => readFileSync(file, 'utf8') === routes);
  command.kill();
  await command.said;
  const list = await world.proposals(['list']);
  assert.match(list.stdout, new RegExp(`${id} +egress-block +approved`));
  await bottle.bottled('signal', 'CONT', 'egress');
  const again = await world.proposals(['approve', id]);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stdout, /is applied: routes\.yaml is written and in force/);
  assert.equal((await agentOf(bottle).ask(service.origin)).status, 200);
  assert.match(JSON.stringify(await call), /approved/);
});
