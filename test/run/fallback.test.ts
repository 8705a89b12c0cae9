import assert from 'node:assert/strict';
import { chmodSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratch } from '../control/serve.ts';
import { startInit } from './init.ts';

const SLEEP = '[sleep, "1000"]';

/** What the loader of glibc says of a program that wants a newer one. */
const SAYS_SO = `[sh, -c, "echo \\"/app: /lib/x86_64-linux-gnu/libc.so.6: version \\\\\`GLIBC_2.99' not found (required by /app)\\" >&2; exit 1"]`;

/** Makes a program that wants a C library of the future: one letter of the version that it was linked against is another. */
function fromTheFuture(directory: string): string | undefined {
  const program = readFileSync(realpathSync('/bin/true'));
  const at = program.indexOf('GLIBC_2.');
  if (at < 0) return undefined;
  for (let found = at; found >= 0; found = program.indexOf('GLIBC_2.', found + 1))
    program.write('9', found + 6, 'latin1');
  const path = join(directory, 'app');
  writeFileSync(path, program);
  chmodSync(path, 0o755);
  return path;
}

test('a program that needs a newer C library fails at once, with what to do', async (t) => {
  const app = fromTheFuture(scratch(t));
  if (app === undefined) return t.skip('the programs of this machine are not linked against glibc');
  const init = startInit(t, `daemons: { app: { command: [${app}], restart: always }, keep: { command: ${SLEEP} } }`);
  await init.saw(/app: .*→ failed/);
  const [status] = (await init.status()).daemons;
  assert.deepEqual([status?.state, status?.cause, status?.restarts], ['failed', 'glibc-mismatch', 0]);
  assert.match(status?.detail ?? '', /version `GLIBC_9\.\d+' not found \(required by/);
  assert.match(status?.hint ?? '', /use a static build, or a newer base image/);
});

test('its fallback_command runs in its place, and status and metrics say so', async (t) => {
  const app = fromTheFuture(scratch(t)) ?? '/nowhere/app';
  const init = startInit(t, `daemons: { app: { command: [${app}], fallback_command: ${SLEEP}, restart: always } }`);
  await init.saw(/its fallback_command starts instead/);
  await init.saw(/app: starting → running/);
  const [status] = (await init.status()).daemons;
  assert.deepEqual([status?.state, status?.ready, status?.fallback, status?.restarts], ['running', true, true, 0]);
  assert.match(status?.remark ?? '', /runs its fallback_command/);
  assert.match((await init.bottled('status')).stdout, /app .*running .*runs its fallback_command/);
});

test('it is tried once: where it cannot run either, the daemon is failed', async (t) => {
  const init = startInit(
    t,
    `daemons: { app: { command: ${SAYS_SO}, fallback_command: /nowhere/static, restart: always }, keep: { command: ${SLEEP} } }`,
  );
  await init.saw(/app: .*→ failed: its fallback_command cannot run either: not-found/);
  assert.equal(init.output().match(/its fallback_command starts instead/g)?.length, 1);
});

test('a restart by the operator tries the command again', async (t) => {
  const directory = scratch(t);
  const app = join(directory, 'app');
  const init = startInit(t, `daemons: { app: { command: [${app}], fallback_command: ${SLEEP}, restart: always } }`);
  await init.saw(/app: starting → running/);
  writeFileSync(app, '#!/bin/sh\necho mended\nexec sleep 1000\n', { mode: 0o755 });
  assert.equal((await init.bottled('restart', 'app')).exitCode, 0);
  await init.saw(/\| mended/);
  assert.equal((await init.status()).daemons[0]?.fallback, false);
});
