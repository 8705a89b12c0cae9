import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { askThrough } from './agent.ts';
import { type EgressProcess, startEgress, startFakePipelock, until } from './egress-process.ts';

function routesTo(...hosts: readonly string[]): string {
  return `routes:\n${hosts.map((host) => `  - { host: ${host}, schemes: [http] }\n`).join('')}`;
}

async function statusesOf(egress: EgressProcess, ...hosts: readonly string[]): Promise<readonly number[]> {
  const answers = await Promise.all(hosts.map((host) => askThrough(egress.port, `http://${host}/`)));
  return answers.map(({ status }) => status);
}

/** Waits until routes to this host are taken over. */
async function loaded(egress: EgressProcess, host: string): Promise<void> {
  const names = (hosts: unknown) => Array.isArray(hosts) && hosts.includes(host);
  await until(`routes to ${host}`, () =>
    egress.lines().find(({ event, hosts }) => event === 'egress_loaded' && names(hosts)),
  );
}

describe('egress reloads', () => {
  it('A.9-4: at SIGHUP', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes: routesTo('a.example'), upstream: pipelock.url });
    egress.signal('SIGHUP');
    assert.equal((await egress.line('egress_loaded', 1)).message, 'egress: loaded 1 route(s): a.example [log=off]');
  });

  it('A.9-6: a file that is written in place, and one that is renamed over it, without any signal', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes: routesTo('a.example'), upstream: pipelock.url });
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example', 'c.example'), [200, 403, 403]);
    await writeFile(egress.routesFile, routesTo('b.example'));
    await loaded(egress, 'b.example');
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example', 'c.example'), [403, 200, 403]);
    const draft = join(egress.directory, 'draft');
    await writeFile(draft, routesTo('c.example'));
    await rename(draft, egress.routesFile);
    await loaded(egress, 'c.example');
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example', 'c.example'), [403, 403, 200]);
  });

  it('nothing from a bad file: the routes of before stay, and the log says what is wrong in which line and column', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes: routesTo('a.example'), upstream: pipelock.url });
    await writeFile(egress.routesFile, 'routes:\n  - host: b.example\n    ports: [0]\n');
    const place = /routes\.yaml:3:13: routes\[0\]\.ports\[0\]: /;
    await until('the place of the fault', () => egress.lines().find(({ problem }) => place.test(String(problem))));
    assert.match(
      (await egress.line('egress_kept')).message,
      /the 1 route\(s\) and the credentials of before stay in force/,
    );
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example'), [200, 403]);
    await writeFile(egress.routesFile, routesTo('b.example'));
    await loaded(egress, 'b.example');
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example'), [403, 200]);
    const metrics = await (await fetch(`http://127.0.0.1:${egress.metricsPort}/metrics`)).text();
    assert.match(metrics, /^egress_reloads_total\{outcome="refused"\} [1-9]/m);
  });

  it('credentials with the routes: a new one is used and looked for, and its fingerprint is published', async () => {
    const [old, fresh] = [0, 1].map(() => `made-up-${randomBytes(18).toString('base64url')}`);
    assert.ok(old !== undefined && fresh !== undefined);
    await using pipelock = await startFakePipelock();
    const routes = routesTo('plain.example');
    const known = join(process.env.TMPDIR ?? '/tmp', `egress-known-${randomBytes(6).toString('hex')}`, 'egress.json');
    await using egress = await startEgress({
      routes,
      credentials: { EGRESS_TOKEN_0: old },
      env: { EGRESS_KNOWN_SECRETS: known },
      upstream: pipelock.url,
    });
    const published = await readFile(known, 'utf8');
    await writeFile(join(egress.directory, 'credentials', 'EGRESS_TOKEN_0'), fresh);
    egress.signal('SIGHUP');
    await egress.line('egress_loaded', 1);
    assert.equal((await askThrough(egress.port, `http://plain.example/?${fresh}`)).status, 403);
    assert.notEqual(await readFile(known, 'utf8'), published);
    await rm(dirname(known), { recursive: true });
  });

  it('nothing where the fingerprints cannot be published: no scanner would know the new credential', async () => {
    await using pipelock = await startFakePipelock();
    const known = join(process.env.TMPDIR ?? '/tmp', `egress-known-${randomBytes(6).toString('hex')}`);
    const env = { EGRESS_KNOWN_SECRETS: join(known, 'egress.json') };
    await using egress = await startEgress({ routes: routesTo('a.example'), env, upstream: pipelock.url });
    await rm(known, { recursive: true });
    await writeFile(known, 'in the way');
    await writeFile(egress.routesFile, routesTo('b.example'));
    assert.match(
      String((await egress.line('egress_problem')).problem),
      /fingerprints of the credentials cannot be written/,
    );
    assert.deepEqual(await statusesOf(egress, 'a.example', 'b.example'), [200, 403]);
    await rm(known);
  });

  it('nothing where a credential has become bad: all stays as it was', async () => {
    await using pipelock = await startFakePipelock();
    const credentials = { EGRESS_TOKEN_0: `made-up-${randomBytes(18).toString('base64url')}` };
    await using egress = await startEgress({ routes: routesTo('a.example'), credentials, upstream: pipelock.url });
    await writeFile(join(egress.directory, 'credentials', 'EGRESS_TOKEN_0'), 'made\nup');
    egress.signal('SIGHUP');
    assert.match(String((await egress.line('egress_problem')).problem), /EGRESS_TOKEN_0: holds a line break/);
    assert.deepEqual(await statusesOf(egress, 'a.example'), [200]);
    const leaked = await askThrough(egress.port, `http://a.example/?${credentials.EGRESS_TOKEN_0}`);
    assert.equal(leaked.status, 403);
  });
});
