import assert from 'node:assert/strict';
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startInit } from './init.ts';

const SLEEPER = 'command: [sleep, "1000"], restart: always, ready: { after: 0s }';

test('daemons start in the order of their dependencies, each when what it waits for holds', async (t) => {
  const init = startInit(
    t,
    `daemons:
  last: { command: [sh, -c, "echo third"], depends_on: { middle: { condition: service_healthy } } }
  middle: { command: [sh, -c, "echo second; exec sleep 1000"], ready: { log: second }, depends_on: { first: { condition: service_completed_successfully } } }
  first: { command: [sh, -c, "echo first"] }`,
  );
  await init.saw(/\| third/);
  assert.match(init.output().replace(/\n/g, ' '), /\| first .*\| second .*\| third/);
});

test('a daemon that crashes comes back, and status counts it', async (t) => {
  const init = startInit(t, `daemons: { a: { ${SLEEPER} } }`);
  await init.saw(/→ running/);
  const before = (await init.status()).daemons[0];
  process.kill(before?.pid ?? 0, 'SIGKILL');
  await init.saw(/→ running/, 2);
  const after = (await init.status()).daemons[0];
  assert.deepEqual([after?.state, after?.restarts, after?.cause, after?.exit_code], ['running', 1, 'signal', 137]);
  assert.notEqual(after?.pid, before?.pid);
});

test('a daemon that the operator stopped stays stopped, and comes back when asked', async (t) => {
  const init = startInit(t, `daemons: { a: { ${SLEEPER} }, b: { ${SLEEPER} } }`);
  await init.saw(/→ running/, 2);
  assert.equal((await init.bottled('stop', 'a')).exitCode, 0);
  const stopped = await init.status();
  assert.deepEqual([stopped.daemons[0]?.state, stopped.bundle.health], ['stopped', 'healthy']);
  assert.equal((await init.bottled('start', 'a')).exitCode, 0);
  assert.equal((await init.status()).daemons[0]?.state, 'running');
});

test('a reload touches only what has changed', async (t) => {
  const init = startInit(t, `daemons: { same: { ${SLEEPER} }, changed: { ${SLEEPER} }, removed: { ${SLEEPER} } }`);
  await init.saw(/→ running/, 3);
  const before = await init.status();
  init.write(`daemons: { same: { ${SLEEPER} }, changed: { ${SLEEPER}, labels: { v: "2" } }, added: { ${SLEEPER} } }`);
  const { exitCode, stdout } = await init.bottled('reload');
  assert.equal(exitCode, 0);
  assert.match(stdout, /changed changed; added added; removed removed/);
  await init.saw(/added: .*→ running/);
  await init.saw(/changed: .*→ running/, 2);
  const after = await init.status();
  const pid = (status: typeof after, name: string) => status.daemons.find((daemon) => daemon.name === name)?.pid;
  assert.equal(pid(after, 'same'), pid(before, 'same'));
  assert.notEqual(pid(after, 'changed'), pid(before, 'changed'));
  assert.deepEqual(
    after.daemons.map((daemon) => daemon.name),
    ['same', 'changed', 'added'],
  );
});

test('a broken reload changes nothing, and every mistake is named', async (t) => {
  const init = startInit(t, `daemons: { a: { ${SLEEPER} } }`);
  await init.saw(/→ running/);
  const before = await init.status();
  init.write('daemons: { a: { comand: x, restart: alway } }');
  const { exitCode, stdout, stderr } = await init.bottled('reload');
  assert.equal(exitCode, 2);
  assert.match(stdout + stderr, /comand/);
  assert.match(stdout + stderr, /alway/);
  assert.equal((await init.status()).daemons[0]?.pid, before.daemons[0]?.pid);
});

test('signals to the init do what the bundle file says', async (t) => {
  const init = startInit(
    t,
    `signals: { SIGHUP: { signal: [a] }, SIGUSR1: { restart: [b] }, SIGUSR2: { reload: true } }
daemons:
  a: { command: [sh, -c, "trap 'echo got HUP' HUP; echo up; while :; do sleep 0.05; done"], ready: { log: up } }
  b: { ${SLEEPER} }`,
  );
  await init.saw(/→ running/, 2);
  init.signal('SIGHUP');
  await init.saw(/a +\| got HUP/);
  init.signal('SIGUSR1');
  await init.saw(/b: .*→ running/, 2);
  init.signal('SIGUSR2');
  await init.saw(/reloaded: nothing has changed/);
});

test('an unhealthy daemon is restarted, with the cause probe-failed', async (t) => {
  const init = startInit(
    t,
    `daemons:
  a:
    command: [sh, -c, "touch well; exec sleep 1000"]
    healthcheck: { test: [CMD, test, -e, well], interval: 50ms, start_interval: 50ms, retries: 2 }
    restart: always`,
  );
  await init.saw(/its probe passed/);
  unlinkSync(join(init.directory, 'well'));
  await init.saw(/a: incident: probe-failed: 2 probes in a row failed/);
  await init.saw(/its probe passed/, 2);
  assert.equal((await init.status()).daemons[0]?.cause, 'probe-failed');
});

test('a failure that a retry cannot mend fails at once, with a hint', async (t) => {
  const init = startInit(
    t,
    `daemons:
  old: { command: [sh, -c, "echo \\"old: /lib/libc.so.6: version 'GLIBC_2.99' not found\\" >&2; exit 1"], restart: always }
  keep: { ${SLEEPER} }`,
  );
  await init.saw(/old: .*→ failed/);
  const [old] = (await init.status()).daemons;
  assert.deepEqual([old?.cause, old?.restarts], ['glibc-mismatch', 0]);
  assert.match(old?.hint ?? '', /static build/);
});

test('hooks run after the start and before the stop', async (t) => {
  const init = startInit(
    t,
    `daemons:
  a:
    command: [sh, -c, "echo up; exec sleep 1000"]
    ready: { log: up }
    post_start: [{ command: [sh, -c, "echo $$GREETING > started"], environment: { GREETING: hello } }]
    pre_stop: [{ command: [sh, -c, "echo bye > stopping"] }]`,
  );
  await init.saw(/→ running/);
  await init.bottled('stop', 'a');
  assert.equal(readFileSync(join(init.directory, 'started'), 'utf8'), 'hello\n');
  assert.equal(readFileSync(join(init.directory, 'stopping'), 'utf8'), 'bye\n');
});

test('a daemon is ready by its notification: a newline on a descriptor, or READY=1 to the socket', async (t) => {
  const init = startInit(
    t,
    `daemons:
  fd: { command: [sh, -c, "echo >&3; exec sleep 1000"], ready: { notify_fd: 3 } }
  socket: { command: [perl, -e, ${JSON.stringify(PERL_NOTIFY)}], ready: { sd_notify: true } }`,
  );
  await init.saw(/fd: .*→ running/);
  await init.saw(/socket: .*→ running/);
});

const PERL_NOTIFY =
  'use Socket; socket(my $$s, AF_UNIX, SOCK_DGRAM, 0); send($$s, "READY=1", 0, pack_sockaddr_un($$ENV{NOTIFY_SOCKET})); sleep 1000';

test('the environment is private: a daemon sees what its entry names', async (t) => {
  const init = startInit(
    t,
    `daemons:
  a: { command: [env], pass_environment: ["TOKEN_*"], environment: { OWN: mine } }
  b: { command: [env] }`,
    { env: { TOKEN_A: 'for-a', OTHER: 'nobody' } },
  );
  await init.ended();
  const lines = (name: string) =>
    init
      .output()
      .split('\n')
      .filter((line) => line.startsWith(`${name} `))
      .join('\n');
  assert.match(lines('a'), /TOKEN_A=for-a/);
  assert.match(lines('a'), /OWN=mine/);
  assert.doesNotMatch(lines('b'), /TOKEN_A|OWN/);
  assert.doesNotMatch(init.output(), /OTHER=nobody/);
});

test('a secret reaches its daemon as a file of its own, and is masked in the logs', async (t) => {
  const init = startInit(
    t,
    `secrets: { token: { environment: THE_TOKEN } }
daemons:
  a: { command: [sh, -c, "cat $$CREDENTIALS_DIRECTORY/token; stat -c %a $$CREDENTIALS_DIRECTORY/token; env"], secrets: [token] }`,
    { env: { THE_TOKEN: 'correct-horse-battery' } },
  );
  await init.ended();
  assert.match(init.output(), /\| \*\*\*400/);
  assert.doesNotMatch(init.output(), /correct-horse/);
});

test('health answers for the bundle, and the cheap probe says the same', async (t) => {
  const init = startInit(t, `daemons: { a: { ${SLEEPER}, essential: true }, b: { command: [sh, -c, "exit 1"] } }`);
  await init.saw(/b: .*→ failed/);
  await init.saw(/a: .*→ running/);
  const { exitCode, stdout } = await init.bottled('health');
  assert.equal(exitCode, 0);
  assert.match(stdout, /^degraded: b is not ready/);
  assert.equal((await init.bottled('health', '--strict')).exitCode, 1);
});
