import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { temporaryDirectory } from './targets.ts';

const script = fileURLToPath(new URL('../../healthcheck/healthcheck', import.meta.url));

test('a process that stops beating turns unhealthy by itself', { timeout: 60_000 }, async (t) => {
  const socket = join(temporaryDirectory(t), 'control.sock');
  const directory = `${socket}.d`;
  mkdirSync(directory);
  const source = `
    import { createHeartbeat, HEARTBEAT_INTERVAL } from ${JSON.stringify(new URL('../../healthcheck/heartbeat.ts', import.meta.url).href)};
    const report = () => ({ status: 'healthy', text: 'fine', daemons: [] });
    const { beat } = createHeartbeat({ directory: process.argv[1], report, onProblem: console.error });
    beat();
    setInterval(beat, HEARTBEAT_INTERVAL);
    console.log('beating');`;
  const init = execa(process.execPath, ['--input-type=module', '-e', source, directory], { reject: false });
  t.after(() => init.kill('SIGKILL'));
  await init.iterable()[Symbol.asyncIterator]().next();
  const env = { BOTTLED_SOCKET: socket };
  const health = () => execa(script, { env, reject: false });
  assert.equal((await health()).stdout, 'fine');
  init.kill('SIGSTOP');
  // The age counts in /proc/uptime, which no test can turn forward: this waits for real.
  let answer = await health();
  while (answer.exitCode === 0) {
    await setTimeout(200);
    answer = await health();
  }
  assert.match(answer.stdout, /^unhealthy: the init has not reported for \d+ s$/);
});
