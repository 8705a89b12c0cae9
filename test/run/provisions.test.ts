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
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { notRoot } from '../posix/pid-namespace.ts';
import { type RunningInit, startInit, startInitOn } from './init.ts';

const WEB = 64_201;
const OTHER = 64_202;
const SLEEP = 'exec sleep 1000';

function room(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'bottled-provisions-'));
  chmodSync(path, 0o755);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The init in a directory through which other users may pass. */
function startOpen(t: TestContext, bundle: string, via: readonly string[] = [], uid = 0): RunningInit {
  const directory = mkdtempSync(join(tmpdir(), 'bottled-run-'));
  const file = join(directory, 'bundle.yaml');
  writeFileSync(file, bundle);
  chmodSync(directory, 0o755);
  if (uid !== 0) chownSync(directory, uid, uid);
  return startInitOn(t, file, directory, { via });
}

function startAs(t: TestContext, uid: number, bundle: string): RunningInit {
  return startOpen(t, bundle, ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'], uid);
}

test('a daemon finds the directories of its data made, its own and closed to others', { skip: notRoot }, async (t) => {
  const top = room(t);
  const init = startInit(
    t,
    `daemons:
  web: { user: "${WEB}:${WEB}", command: [sh, -c, "echo x > ${top}/a/web/file && echo written; ${SLEEP}"], data: [{ path: "${top}/a/web", backup: disposable }] }
  other: { user: "${OTHER}:${OTHER}", command: [sh, -c, "cat ${top}/a/web/file; ${SLEEP}"], depends_on: { web: { condition: service_healthy } } }`,
  );
  await init.saw(/web +\| written/);
  await init.saw(/other +\| .*Permission denied/);
  const { uid, mode } = statSync(join(top, 'a/web'));
  assert.deepEqual([uid, mode & 0o7777], [WEB, 0o700]);
});

test('data that cannot be made fails that start alone, with the path and the remedy', { skip: notRoot }, async (t) => {
  const top = room(t);
  const readOnly = `mount -t tmpfs -o ro none "${top}" && exec "$@"`;
  const init = startInit(
    t,
    `daemons:
  web: { user: "${WEB}", command: [sleep, "1000"], data: ["${top}/web"], restart: on-failure, backoff: { max_attempts: 1 } }
  other: { command: [sleep, "1000"], ready: { after: 0s } }`,
    { via: ['unshare', '--mount', 'sh', '-c', readOnly, 'sh'] },
  );
  await init.saw(/web: .*→ failed/);
  const [web, other] = (await init.status()).daemons;
  assert.deepEqual([web?.state, web?.cause, other?.state], ['failed', 'permission-denied', 'running']);
  assert.ok(
    init
      .output()
      .includes(
        `permission-denied: data: ${top}/web cannot be made for uid ${WEB} (EROFS): the file system is read-only: mount a volume or a tmpfs there, or name another path`,
      ),
    init.output(),
  );
});

test('each file of a directory of secrets reaches one daemon, as its own and for reading only', {
  skip: notRoot,
}, async (t) => {
  const top = room(t);
  const mounted = join(top, 'mounted');
  mkdirSync(mounted, { mode: 0o700 });
  writeFileSync(join(mounted, 'TOKEN'), 'correct-horse-battery', { mode: 0o400 });
  const list = 'cd $$CREDENTIALS_DIRECTORY && stat -c "%n %u %a" . * && cat TOKEN && echo " read"';
  const init = startOpen(
    t,
    `secrets: { mounted: { directory: "${mounted}" }, none: { directory: "${top}/none" }, unset: { directory: "" } }
daemons:
  web: { user: "${WEB}:${WEB}", command: [sh, -c, '${list}; ${SLEEP}'], secrets: [mounted] }
  other: { user: "${OTHER}:${OTHER}", command: [sh, -c, 'ls -A $$CREDENTIALS_DIRECTORY | wc -l; ${SLEEP}'], secrets: [none, unset] }
  third: { user: "${OTHER}:${OTHER}", command: [sh, -c, 'echo "has none:$$CREDENTIALS_DIRECTORY:"; ${SLEEP}'] }`,
  );
  await init.saw(/web +\| \*\*\* read/);
  await init.saw(/other +\| 0/);
  await init.saw(/third +\| has none::/);
  assert.match(init.output(), new RegExp(`\\| \\. ${WEB} 700`));
  assert.match(init.output(), new RegExp(`\\| TOKEN ${WEB} 400`));
  assert.doesNotMatch(init.output(), /correct-horse/);
});

test('a directory of secrets that cannot be read fails the start, and says what to do', {
  skip: notRoot,
}, async (t) => {
  const top = room(t);
  writeFileSync(join(top, 'file'), '');
  const init = startInit(
    t,
    `secrets: { mounted: { directory: "${top}/file" } }\ndaemons: { web: { command: [sleep, "1000"], secrets: [mounted] } }`,
  );
  await init.saw(/permission-denied: secrets: .*\/file is no directory: name the directory that holds the file/);
});

const SHOW = `trap 'cat $$CREDENTIALS_DIRECTORY/*; echo; echo told' HUP; echo up; while :; do sleep 0.05; done`;

test('SIGHUP finds a changed secret in place, and its new value masked', async (t) => {
  const top = room(t);
  const mounted = join(top, 'mounted');
  mkdirSync(mounted);
  writeFileSync(join(mounted, 'TOKEN'), 'old-horse-battery');
  const init = startInit(
    t,
    `secrets: { mounted: { directory: "${mounted}" } }
signals: { SIGHUP: { signal: [web] } }
daemons: { web: { command: [sh, -c, "${SHOW}"], secrets: [mounted], ready: { log: up } } }`,
  );
  await init.saw(/→ running|is ready/);
  writeFileSync(join(mounted, 'TOKEN'), 'new-horse-battery');
  writeFileSync(join(mounted, 'MORE'), 'even-more-horses');
  const directory = join(init.directory, 'run/control.sock.d/secrets/web');
  assert.equal(readFileSync(join(directory, 'TOKEN'), 'utf8'), 'old-horse-battery');
  init.signal('SIGHUP');
  await init.saw(/\| told/);
  assert.equal(readFileSync(join(directory, 'TOKEN'), 'utf8'), 'new-horse-battery');
  assert.deepEqual(readdirSync(directory).sort(), ['MORE', 'TOKEN']);
  assert.deepEqual(readdirSync(join(directory, '..')), ['web']);
  assert.doesNotMatch(init.output(), /horse/);

  rmSync(mounted, { recursive: true });
  writeFileSync(mounted, 'no directory');
  await init.bottled('signal', 'HUP', 'web');
  await init.saw(/its secrets stay as they were: secrets: .* is no directory/);
  await init.saw(/\| told/, 2);
  assert.deepEqual(readdirSync(directory).sort(), ['MORE', 'TOKEN']);
});

test('an init that is not root runs every daemon as itself, and says so once', { skip: notRoot }, async (t) => {
  const users = `daemons:
  a: { user: "${OTHER}", command: [sh, -c, "id -u; ${SLEEP}"], data: [data/a] }
  b: { user: "${OTHER + 1}:${OTHER}", group_add: [9], command: [sh, -c, "id -u; ${SLEEP}"] }
  c: { command: [sh, -c, "id -u; ${SLEEP}"] }
  d: { user: "${WEB}", command: [sh, -c, "id -u; ${SLEEP}"] }`;
  const init = startAs(t, WEB, users);
  for (const name of ['a', 'b', 'c', 'd']) await init.saw(new RegExp(`${name} +\\| ${WEB}$`, 'm'));
  await init.saw(/bottled +\| healthy/);
  const told = init.output().match(/^.*the init is not root.*$/gm) ?? [];
  assert.equal(told.length, 1, init.output());
  assert.match(
    told[0] ?? '',
    new RegExp(`: a, b run as its own user \\(uid ${WEB}\\) instead .*each other's secrets and data; .*as root$`),
  );
  assert.equal(statSync(join(init.directory, 'data/a')).uid, WEB);
  assert.equal((await init.bottled('reload')).exitCode, 0);
  assert.equal(init.output().match(/the init is not root/g)?.length, 1);
});

test('root that may not become other users starts nothing, and names the capabilities, once for all', {
  skip: notRoot,
}, async (t) => {
  const init = startInit(
    t,
    `daemons:
  a: { user: "${WEB}", command: [touch, started] }
  b: { user: "${OTHER}", command: [touch, started] }
  c: { command: [touch, started] }`,
    { via: ['setpriv', '--bounding-set=-setuid,-setgid,-kill', '--inh-caps=-all', '--'] },
  );
  assert.equal(await init.ended(), 2);
  assert.match(
    init.output().trim(),
    /^.*bundle\.yaml: daemons\.a\.user: the init cannot run it as another user: it lacks SETGID, SETUID, KILL; give the container what is missing \(--cap-add SETGID --cap-add SETUID --cap-add KILL\), or one user for all \(--user 1000\) \(the same holds for b\)$/,
  );
  assert.equal(existsSync(join(init.directory, 'started')), false);
});

test('a bundle of several users needs CHOWN, KILL, SETGID and SETUID, and no more, to start, restart and stop', {
  skip: notRoot,
}, async (t) => {
  const top = room(t);
  mkdirSync(join(top, 'mounted'));
  writeFileSync(join(top, 'mounted/TOKEN'), 'correct-horse-battery');
  const bundle = `secrets: { mounted: { directory: "${top}/mounted" } }
daemons:
  a: { user: "${WEB}:${WEB}", restart: always, command: [sh, -c, 'cat $$CREDENTIALS_DIRECTORY/TOKEN >/dev/stdout || exit; echo x > ${top}/data/a/x && echo up; ${SLEEP}'], secrets: [mounted], data: ["${top}/data/a"], ready: { log: up } }
  b: { user: "${OTHER}:${OTHER}", restart: always, command: [sh, -c, 'echo x > ${top}/data/b/x && echo up; ${SLEEP}'], data: ["${top}/data/b"], ready: { log: up } }`;
  const init = startOpen(t, bundle, [
    'setpriv',
    '--bounding-set=-all,+chown,+kill,+setgid,+setuid',
    '--inh-caps=-all',
    '--no-new-privs',
    '--',
  ]);
  await init.saw(/bottled +\| healthy/);
  assert.equal((await init.bottled('restart', 'a')).exitCode, 0);
  await init.saw(/a +\| .*up/, 2);
  init.signal('SIGTERM');
  assert.equal(await init.ended(), 0);
});
