import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';

const MAIN = join(import.meta.dirname, '../../bench/main.ts');

test('--list names every measure and every contender, the absent ones with what to do', async () => {
  const { stdout } = await execa(process.execPath, [MAIN, '--list'], {
    env: { PATH: '', BENCH_PM2: undefined, BENCH_MOCKTTP: '/nowhere' },
  });
  assert.match(
    stdout,
    /^measures: boot, respawn, stop, logs, memory, orphans, probe, proxy, transfer, sse, push, mcp-bridge$/m,
  );
  assert.match(stdout, /^ {2}floor: present$/m);
  assert.match(stdout, /^ {2}pm2-runtime: .*bench\/install-peers\.sh/m);
  assert.match(stdout, /^ {2}egress: present$/m);
  assert.match(stdout, /^ {2}mockttp: .*\/nowhere.*bench\/install-peers\.sh/m);
  assert.match(stdout, /^ {2}mitmproxy: mitmdump is not installed \(apt-get install mitmproxy\)$/m);
  assert.match(stdout, /^ {2}http-backend: present$/m);
});

test('an unknown measure is refused with the known ones', async () => {
  const { exitCode, stderr } = await execa(process.execPath, [MAIN, '--only', 'speed'], { reject: false });
  assert.equal(exitCode, 2);
  assert.match(stderr, /no measure "speed"; there are: boot, respawn/);
});
