import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../control/serve.ts';
import { askThrough } from '../daemons/egress/agent.ts';
import { startEgress, startFakePipelock } from '../daemons/egress/egress-process.ts';
import { bottled } from './bottled.ts';

const ROUTES = 'routes:\n  - { host: a.example, schemes: [http] }\n';

test('on and off are in force at egress when the command returns, and status tells', async (t) => {
  const data = scratch(t);
  mkdirSync(join(data, 'egress'));
  await using pipelock = await startFakePipelock();
  const env = { EGRESS_DATA: join(data, 'egress') };
  await using egress = await startEgress({ routes: ROUTES, upstream: pipelock.url, env });
  const cutoff = (...args: string[]) =>
    bottled(['cutoff', ...args], { env: { BOTTLED_DATA: data, EGRESS_PORT: String(egress.port) } });
  const status = async () => (await askThrough(egress.port, 'http://a.example/')).status;
  assert.equal((await cutoff('status')).stdout, 'not cut off: routes decide what leaves this bottle');
  const on = await cutoff('on');
  assert.deepEqual([on.exitCode, on.stdout], [0, 'CUT OFF: nothing leaves this bottle']);
  assert.equal(await status(), 503);
  assert.match(readFileSync(join(data, 'egress', 'cutoff'), 'utf8'), /^\d{4}-.* by \w+\n$/);
  assert.equal((await cutoff('on')).exitCode, 0);
  const told = JSON.parse((await cutoff('status', '--json')).stdout);
  assert.deepEqual([told.cutoff, told.egress], [true, true]);
  assert.equal((await cutoff('off')).stdout, 'not cut off: routes decide what leaves this bottle');
  assert.equal(await status(), 200);
  assert.equal((await cutoff('off')).exitCode, 0);
});

test('on holds for an egress that does not run, and says so', async (t) => {
  const data = scratch(t);
  mkdirSync(join(data, 'egress'));
  const on = await bottled(['cutoff', 'on'], { env: { BOTTLED_DATA: data, EGRESS_PORT: '1' } });
  assert.equal(on.exitCode, 0);
  assert.match(
    on.stdout,
    /^CUT OFF: .*; egress does not answer \(EGRESS_PORT says 1\), and goes by this as soon as it runs$/,
  );
  assert.ok(existsSync(join(data, 'egress', 'cutoff')));
});

test('the wrong data directory is a failure, not a cutoff that nobody sees', async (t) => {
  const data = scratch(t);
  const on = await bottled(['cutoff', 'on'], { env: { BOTTLED_DATA: join(data, 'elsewhere'), EGRESS_PORT: '1' } });
  assert.equal(on.exitCode, 1);
  assert.match(
    on.stderr,
    /^bottled: THE CUTOFF IS NOT ON: \S+\/egress\/cutoff: no such file or directory; name the data directory of the bundle with BOTTLED_DATA/,
  );
  mkdirSync(join(data, 'egress'));
  await using egress = await startEgress({ routes: ROUTES });
  const other = await bottled(['cutoff', 'on'], { env: { BOTTLED_DATA: data, EGRESS_PORT: String(egress.port) } });
  assert.equal(other.exitCode, 1);
  assert.match(other.stdout, /but egress says that it is off \(EGRESS_PORT says \d+\): it goes by other data/);
});

test('a word that is none is refused with those that are', async () => {
  const { exitCode, stderr } = await bottled(['cutoff', 'onn']);
  assert.equal(exitCode, 2);
  assert.match(stderr, /"onn" is not one of on, off, status; did you mean "on"\?/);
});
