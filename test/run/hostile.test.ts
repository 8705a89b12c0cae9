import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { readProcess } from '../../init/posix/proc.ts';
import { noNamespace, notRoot } from '../posix/pid-namespace.ts';
import { BOTTLED, type RunningInit, startInit, startInitOn } from './init.ts';

/** What surrounds the init is as bad as it can be. */

const STRANGER = 64_211;
const SLEEPER = 'command: [sleep, "1000"], ready: { after: 0s }';

/** The init in a directory that has these files already. */
function startWith(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  bundle: string,
  via: readonly string[] = [],
): RunningInit {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-run-'));
  chmodSync(directory, 0o755);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, bundle);
  return startInitOn(t, file, directory, { via });
}

test('a secret that has become a pipe fails that start alone, and does not keep the init waiting', async (t) => {
  const init = startWith(
    t,
    { token: 'correct-horse' },
    `secrets: { token: { file: token } }\ndaemons: { web: { ${SLEEPER}, secrets: [token] }, other: { ${SLEEPER} } }`,
  );
  await init.saw(/→ running/, 2);
  const token = join(init.directory, 'token');
  rmSync(token);
  await execa('mkfifo', [token]);
  await init.bottled('restart', 'web');
  await init.saw(/web: .*→ failed: .*permission-denied: secrets: the file .*token of token is not a regular file/);
  assert.equal((await init.status()).daemons[1]?.state, 'running');
});

test('what a probe or a hook says of a secret is masked wherever it is shown', async (t) => {
  const says = '"cat $$CREDENTIALS_DIRECTORY/token; exit 1"';
  const init = startWith(
    t,
    { token: 'correct-horse-battery' },
    `secrets: { token: { file: token } }
daemons:
  web:
    command: [sleep, "1000"]
    secrets: [token]
    on_unhealthy: ignore
    healthcheck: { test: [CMD-SHELL, ${says}], interval: 50ms, start_interval: 50ms, retries: 1, start_period: 1ms }
    post_start: [{ command: [sh, -c, ${says}] }]`,
  );
  await init.saw(/incident: probe-failed: .*exit code 1: \*\*\*/);
  await init.saw(/incident: exit-code: post_start hook: .*\*\*\*/);
  const { stdout: health } = await init.bottled('health');
  assert.match(health, /\*\*\*/);
  const { stdout: events } = await init.bottled('events', '--json');
  const heartbeat = readFileSync(join(init.directory, 'run/control.sock.d/health'), 'utf8');
  for (const shown of [JSON.stringify(await init.status()), health, events, heartbeat]) {
    assert.doesNotMatch(shown, /correct-horse/);
  }
});

test('the secrets of a daemon that a reload removes go with it', async (t) => {
  const secrets = 'secrets: { token: { file: token } }';
  const web = `web: { ${SLEEPER}, secrets: [token] }`;
  const init = startWith(t, { token: 'correct-horse' }, `${secrets}\ndaemons: { ${web}, other: { ${SLEEPER} } }`);
  await init.saw(/→ running/, 2);
  const kept = join(init.directory, 'run/control.sock.d/secrets');
  assert.deepEqual(readdirSync(kept), ['web']);
  init.write(`${secrets}\ndaemons: { other: { ${SLEEPER} } }`);
  assert.equal((await init.bottled('reload')).exitCode, 0);
  await init.saw(/web: .*removed from the bundle/);
  assert.deepEqual(readdirSync(kept), []);
});

test('at the end no secret is left, not even where root may not enter the directories of others', {
  skip: notRoot,
}, async (t) => {
  const few = ['setpriv', '--bounding-set=-all,+chown,+kill,+setgid,+setuid', '--inh-caps=-all', '--'];
  const init = startWith(
    t,
    { token: 'correct-horse' },
    `secrets: { token: { file: token } }\ndaemons: { web: { ${SLEEPER}, user: "${STRANGER}", secrets: [token] } }`,
    few,
  );
  await init.saw(/→ running/);
  const directory = join(init.directory, 'run/control.sock.d');
  assert.ok(existsSync(join(directory, 'secrets/web/token')));
  init.signal('SIGTERM');
  assert.equal(await init.ended(), 0);
  assert.equal(existsSync(directory), false);
});

for (const [what, make, message] of [
  ['belongs to another user', (path: string) => chownSync(path, STRANGER, STRANGER), `belongs to uid ${STRANGER}`],
  ['is open to everyone', (path: string) => chmodSync(path, 0o777), 'everyone may write to'],
  [
    'is a link to elsewhere',
    (path: string) => {
      rmSync(path, { recursive: true });
      symlinkSync('/tmp', path);
    },
    'is no directory',
  ],
] as const) {
  test(`a run directory that ${what} is refused, and nothing is started`, { skip: notRoot }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'bottled-run-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'bundle.yaml');
    writeFileSync(file, 'daemons: { a: { command: [touch, started] } }');
    const run = join(directory, 'control.sock.d');
    mkdirSync(run, { mode: 0o711 });
    make(run);
    const { exitCode, stderr } = await execa(
      BOTTLED,
      ['run', '-f', file, '--socket', join(directory, 'control.sock')],
      { reject: false, timeout: 20_000 },
    );
    assert.equal(exitCode, 2);
    assert.match(stderr, new RegExp(`^bottled: .*${message}.*; remove what is there, or give a place of its own`));
    assert.equal(existsSync(join(directory, 'started')), false);
  });
}

test('a run directory that cannot be made is one clear line and exit code 2', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-run-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, 'daemons: { a: { command: ["true"] } }');
  const { exitCode, stderr } = await execa(BOTTLED, ['run', '-f', file, '--socket', '/sys/control.sock'], {
    reject: false,
    timeout: 20_000,
  });
  assert.equal(exitCode, 2);
  assert.match(stderr, /^bottled: cannot make .*(run directory|control socket)[^\n]*--socket PATH$/);
});

test('without /proc a bundle runs and ends by its rules', { skip: noNamespace }, async (t) => {
  const init = startInit(
    t,
    `daemons:
  a: { ${SLEEPER} }
  b: { command: [sh, -c, "exit 4"], restart: on-failure:1 }
  last: { command: [sh, -c, "until [ -e over ]; do sleep 0.05; done; exit 3"], essential: true }`,
    { via: ['unshare', '--fork', '--pid', '--mount', '--kill-child', 'sh', '-c', 'umount -l /proc; exec "$@"', 'sh'] },
  );
  await init.saw(/b: .*→ failed: given up after 1 restarts/);
  await init.saw(/control socket/);
  assert.equal((await init.bottled('stop', 'a')).exitCode, 0);
  await init.saw(/a: stopping → stopped/);
  assert.equal((await init.bottled('start', 'a')).exitCode, 0);
  await init.saw(/a: .*→ running/, 2);
  writeFileSync(join(init.directory, 'over'), '');
  assert.equal(await init.ended(), 4);
});

test('no signal that can be caught ends an init but those that are to', async (t) => {
  const init = startInit(t, `daemons: { a: { ${SLEEPER} } }`);
  await init.saw(/→ running/);
  for (const signal of ['SIGPROF', 'SIGVTALRM', 'SIGALRM', 'SIGIO', 'SIGXFSZ', 'SIGTSTP', 'SIGABRT'] as const) {
    init.signal(signal);
    await init.saw(new RegExp(`${signal} received; the bundle file says nothing of it`));
  }
  for (const signal of ['SIGPIPE', 'SIGWINCH', 'SIGCONT'] as const) init.signal(signal);
  assert.equal((await init.status()).daemons[0]?.state, 'running');
});

test('a bundle that is over at once says so last, and raises no false alarm', async (t) => {
  const init = startInit(t, 'daemons: { a: { command: /no/such/program } }');
  assert.equal(await init.ended(), 127);
  assert.match(init.output(), /exit code 127, decided by a: .*\n$/);
  assert.doesNotMatch(init.output(), /heartbeat/);
});

test('orphans that cleared their environment go with the one daemon that has their user', {
  skip: notRoot,
}, async (t) => {
  const init = startInit(
    t,
    `daemons: { web: { user: "${STRANGER}", command: [sh, -c, "env -i setsid sh -c 'echo orphan $$$$; exec sleep 1000' & sleep 1000"], ready: { log: orphan } } }`,
  );
  await init.saw(/→ running/);
  const orphan = pidAfter('orphan', init);
  assert.ok(isAlive(orphan));
  await init.bottled('stop', 'web');
  await init.saw(/web: stopping → stopped/);
  assert.equal(isAlive(orphan), false);
});

test('where two daemons have one user, the orphans of one do not go with the other', { skip: notRoot }, async (t) => {
  const init = startInit(
    t,
    `daemons:
  first: { user: "${STRANGER}", ${SLEEPER} }
  second: { user: "${STRANGER}", command: [sh, -c, "(env -i setsid sh -c 'echo orphan $$$$; exec sleep 1000' &); sleep 1000"], ready: { log: orphan }, depends_on: [first] }`,
  );
  await init.saw(/→ running/, 2);
  await init.bottled('stop', 'first');
  await init.saw(/first: stopping → stopped/);
  assert.ok(isAlive(pidAfter('orphan', init)));
});

test('a daemon cannot put processes under the name of another that has its own user', { skip: notRoot }, async (t) => {
  const forger = `MARK=$$(echo $$BOTTLED_INCARNATION | sed s,/forger/.*,/web/1,)
      (env -i BOTTLED_INCARNATION=$$MARK setsid sh -c "trap : TERM; echo forged; while :; do sleep 1; done" &)
      sleep 1000`;
  const init = startInit(
    t,
    `daemons:
  web: { user: "${STRANGER}", ${SLEEPER}, stop_grace_period: 1h }
  forger:
    user: "${STRANGER + 1}"
    ready: { log: forged }
    command: [sh, -c, '${forger}']`.replace(/\n {6}/g, '; '),
  );
  await init.saw(/→ running/, 2);
  await init.bottled('stop', 'web');
  await init.saw(/web: stopping → stopped/);
});

function pidAfter(word: string, init: RunningInit): number {
  return Number(new RegExp(`${word} (\\d+)`).exec(init.output())?.[1]);
}

/** Not a zombie either. */
function isAlive(pid: number): boolean {
  return readProcess(pid)?.state.match(/[ZX]/) === null;
}
