import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { askThrough, authorityOf } from './agent.ts';
import { type EgressProcess, startEgress, startFakePipelock, until } from './egress-process.ts';

const ROUTES = 'routes:\n  - { host: a.example, schemes: [http, https] }\n';

const fileOf = (egress: EgressProcess) => join(egress.directory, 'data', 'cutoff');

async function healthOf(egress: EgressProcess): Promise<Record<string, unknown>> {
  return (await (await fetch(`http://127.0.0.1:${egress.port}/__health`)).json()) as Record<string, unknown>;
}

const statusOf = async (egress: EgressProcess) => (await askThrough(egress.port, 'http://a.example/')).status;

describe('the cutoff', () => {
  it('refuses every request with 503 while its file is there, and lets routes decide again when it is gone', async () => {
    await using pipelock = await startFakePipelock();
    await using egress = await startEgress({ routes: ROUTES, upstream: pipelock.url });
    const ca = await authorityOf(egress.port);
    assert.equal(await statusOf(egress), 200);
    await writeFile(fileOf(egress), '');
    await egress.line('egress_cutoff');
    const before = pipelock.arrived.length;
    const plain = await askThrough(egress.port, 'http://a.example/');
    assert.equal(plain.status, 503);
    assert.match(plain.body, /^egress: the operator has cut this bottle off/);
    assert.equal((await askThrough(egress.port, 'https://a.example/', { ca })).status, 503);
    assert.equal((await askThrough(egress.port, 'http://elsewhere.example/')).status, 503);
    assert.equal(pipelock.arrived.length, before);
    const metrics = await (await fetch(`http://127.0.0.1:${egress.metricsPort}/metrics`)).text();
    assert.match(metrics, /cutoff/);
    await rm(fileOf(egress));
    await egress.line('egress_cutoff_lifted');
    assert.equal(await statusOf(egress), 200);
  });

  it('leaves what egress answers by itself: nothing of that leaves the bottle', async () => {
    await using egress = await startEgress({ routes: ROUTES });
    await writeFile(fileOf(egress), '');
    await egress.line('egress_cutoff');
    assert.match((await askThrough(egress.port, 'http://egress.internal/routes')).body, /a\.example/);
  });

  it('is told by the health page as a warning, and egress stays healthy', async () => {
    await using egress = await startEgress({ routes: ROUTES });
    assert.equal((await healthOf(egress)).warning, undefined);
    assert.equal((await healthOf(egress)).cutoff, false);
    await writeFile(fileOf(egress), '');
    await egress.line('egress_cutoff');
    const { status, cutoff, warning } = await healthOf(egress);
    assert.deepEqual([status, cutoff], ['healthy', true]);
    assert.match(String(warning), /^CUTOFF: every request is refused until/);
  });

  it('holds from the first request of a new egress on', async () => {
    await using first = await startEgress({ routes: ROUTES });
    const data = join(first.directory, 'again');
    await mkdir(data);
    await writeFile(join(data, 'cutoff'), '');
    await using second = await startEgress({ routes: ROUTES, env: { EGRESS_DATA: data } });
    assert.equal(await statusOf(second), 503);
  });

  it('holds while its file cannot be read for what it is', async () => {
    await using egress = await startEgress({ routes: ROUTES });
    await symlink('/nowhere/at/all', fileOf(egress));
    await egress.line('egress_cutoff');
    assert.equal(await statusOf(egress), 503);
  });

  it('ends what is under way', async () => {
    await using pipelock = await startFakePipelock((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    await using egress = await startEgress({ routes: ROUTES, upstream: pipelock.url });
    const asked = request({ host: '127.0.0.1', port: egress.port, path: 'http://a.example/', agent: false });
    asked.setHeader('host', 'a.example').end();
    const [answer]: IncomingMessage[] = await once(asked, 'response');
    assert.ok(answer !== undefined);
    let isOver = false;
    answer
      .on('error', () => {})
      .on('close', () => {
        isOver = true;
      });
    answer.resume();
    await writeFile(fileOf(egress), '');
    await until('the stream to end', () => isOver || undefined);
    assert.equal(answer.complete, false);
  });
});
