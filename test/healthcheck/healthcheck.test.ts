import assert from 'node:assert/strict';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { HEALTH_STATUSES } from '../../healthcheck/aggregate.ts';
import { exitCode } from '../../healthcheck/codes.ts';
import { createHeartbeat } from '../../healthcheck/heartbeat.ts';
import { temporaryDirectory } from './targets.ts';

const script = fileURLToPath(new URL('../../healthcheck/healthcheck', import.meta.url));
const SHELLS: readonly (readonly string[])[] = [['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'ash']];

const runs = await Promise.all(SHELLS.map((shell) => run(shell, ['-c', ':'], { PATH: process.env.PATH })));
/** Those of them that are here. */
const shells = SHELLS.filter((_, n) => runs[n]?.failed === false);

function run([shell = 'sh', ...options]: readonly string[], words: readonly string[], env: NodeJS.ProcessEnv) {
  return execa(shell, [...options, ...words], { env, extendEnv: false, reject: false, all: true });
}

/** Runs the probe in every shell that is here; all must say the same. */
async function healthcheck(env: NodeJS.ProcessEnv, ...words: string[]): Promise<{ code: number; text: string }> {
  const answers = await Promise.all(
    shells.map(async (shell) => {
      const { exitCode: code = -1, all: text } = await run(shell, [script, ...words], {
        PATH: process.env.PATH,
        ...env,
      });
      return { code, text };
    }),
  );
  const [first, ...others] = answers;
  assert.ok(first);
  for (const other of others) assert.deepEqual(withoutAge(other), withoutAge(first));
  return first;
}

/** A second may pass between one shell and the next. */
function withoutAge({ code, text }: { readonly code: number; readonly text: string }) {
  return { code, text: text.replace(/\d+ s$/, 's') };
}

const uptime = () => Math.floor(Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]));

function runDirectory(t: TestContext, content?: string): { env: NodeJS.ProcessEnv; file: string } {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'control.sock.d', 'health');
  mkdirSync(dirname(file));
  if (content !== undefined) writeFileSync(file, content);
  return { env: { BOTTLED_SOCKET: join(directory, 'control.sock') }, file };
}

test('it is executable and /bin/sh runs it', async (t) => {
  const { env } = runDirectory(t, `healthy ${uptime()}.00 fine\n`);
  accessSync(script, constants.X_OK);
  assert.equal((await execa(script, { env })).stdout, 'fine');
});

test('it prints the text, and its exit code is that of the table, strict or not', async (t) => {
  for (const status of HEALTH_STATUSES) {
    const text = `${status}:  a\\nb "c" $HOME \`d\` * (é)`;
    const { env, file } = runDirectory(t);
    createHeartbeat({
      directory: dirname(file),
      report: () => ({ status, text, daemons: [] }),
      onProblem: (problem) => assert.fail(problem),
    }).beat();
    assert.deepEqual(await healthcheck(env), { code: exitCode(status), text });
    assert.deepEqual(await healthcheck(env, '--strict'), { code: exitCode(status, { strict: true }), text });
  }
});

test('a heartbeat older than 8 s means that the init hangs', async (t) => {
  const { env } = runDirectory(t, `healthy ${uptime() - 60}.99 fine\n`);
  const { code, text } = await healthcheck(env);
  assert.equal(code, 1);
  assert.match(text, /^unhealthy: the init has not reported for 6\d s$/);
});

test('a heartbeat of some seconds ago is good', async (t) => {
  const { env } = runDirectory(t, `degraded ${uptime() - 4}.99 so so\n`);
  assert.deepEqual(await healthcheck(env), { code: 0, text: 'so so' });
});

test('a heartbeat that outlived a reboot is none', async (t) => {
  const { env, file } = runDirectory(t, `healthy ${uptime() + 1_000}.00 fine\n`);
  assert.deepEqual(await healthcheck(env), {
    code: 1,
    text: `unhealthy: the heartbeat at ${file} is from before the last boot`,
  });
});

test('no heartbeat is unhealthy with a remedy', async (t) => {
  const { env, file } = runDirectory(t);
  assert.deepEqual(await healthcheck(env), {
    code: 1,
    text: `unhealthy: no heartbeat at ${file}: is the init running, as this user and with this BOTTLED_SOCKET?`,
  });
});

test('anything that is not a heartbeat is unhealthy, in one line', async (t) => {
  const now = uptime();
  const contents = [
    '',
    'healthy',
    '\n',
    'healthy\n',
    `healthy ${now}.00 no newline`,
    'healthy soon fine\n',
    'healthy -5 fine\n',
    'healthy 009 fine\n',
    'healthy $(id) fine\n',
    `well ${now}.00 fine\n`,
    `* ${now}.00 fine\n`,
    '\0\0\0\n',
  ];
  for (const content of contents) {
    const { env } = runDirectory(t, content);
    const { code, text } = await healthcheck(env);
    assert.equal(code, 1, JSON.stringify(content));
    assert.match(text, /^unhealthy: [^\n]+$/, JSON.stringify(content));
  }
});

test('a directory in place of the file is unhealthy, in one line', async (t) => {
  const { env, file } = runDirectory(t);
  mkdirSync(file);
  const { code, text } = await healthcheck(env);
  assert.deepEqual({ code, text }, { code: 1, text: `unhealthy: cannot read a heartbeat from ${file}` });
});

test('it looks in the run directory beside the control socket, wherever that is', async (t) => {
  const { file } = runDirectory(t, `healthy ${uptime()}.00 found\n`);
  const directory = dirname(dirname(file));
  const env = { PATH: process.env.PATH, BOTTLED_SOCKET: 'control.sock' };
  const { stdout } = await execa(script, { cwd: directory, env, extendEnv: false });
  assert.equal(stdout, 'found');
  mkdirSync(join(directory, 'bottled', 'control.sock.d'), { recursive: true });
  writeFileSync(join(directory, 'bottled', 'control.sock.d', 'health'), `healthy ${uptime()}.00 found there\n`);
  assert.deepEqual(await healthcheck({ XDG_RUNTIME_DIR: directory }), { code: 0, text: 'found there' });
});

test('any other word is wrong usage: exit code 1, because Docker keeps 2 for itself', async (t) => {
  const { env } = runDirectory(t, `healthy ${uptime()}.00 fine\n`);
  for (const words of [['--help'], ['--strict', '--strict'], [''], ['strict']]) {
    assert.deepEqual(await healthcheck(env, ...words), { code: 1, text: 'usage: healthcheck [--strict]' });
  }
});

test('it starts no other program and forks no subshell', async (t) => {
  const { env, file } = runDirectory(t, `healthy ${uptime()}.00 fine\n`);
  const copy = join(dirname(file), 'probe');
  for (const directory of [dirname(file), dirname(dirname(file))]) chmodSync(directory, 0o755);
  writeFileSync(copy, readFileSync(script), { mode: 0o755 });
  // A user that nobody else is, allowed one process: the shell itself.
  const id = String(200_000_000 + process.pid);
  const alone = ['--nproc=1', 'setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups', '--'];
  const limited = (...argv: string[]) => execa('prlimit', [...alone, ...argv], { env, reject: false, all: true });
  if ((await limited('sh', '-c', ':')).failed) return t.skip('needs root, prlimit and setpriv');
  assert.equal((await limited('sh', '-c', 'x=$(:)')).failed, true, 'the limit does not bite');
  for (const shell of shells) {
    const { exitCode: code, all } = await limited(...shell, copy);
    assert.deepEqual([code, all], [0, 'fine'], shell.join(' '));
  }
});
