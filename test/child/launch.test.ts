import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type LaunchOptions, launch } from '../../init/child/launch.ts';
import type { SpawnError } from '../../init/lifecycle/event.ts';
import { keepDescriptorsFromChildren } from '../../init/posix/descriptors.ts';
import { PATH, reaper, run, sh } from './run.ts';

const room = mkdtempSync(join(tmpdir(), 'bottled-launch-'));
test.after(() => {
  rmSync(room, { recursive: true });
  reaper().close();
});

function file(name: string, content: string | Buffer, mode = 0o755): string {
  const path = join(room, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function refused(argv: readonly string[], more: Partial<LaunchOptions> = {}): SpawnError {
  const result = launch({ argv, environment: { PATH }, session: 'new', ...more });
  assert.ok('error' in result, `${argv.join(' ')} was started`);
  return result.error;
}

/** A real program of this machine, changed at some bytes. */
function programWith(name: string, change: (program: Buffer) => void): string {
  const program = readFileSync('/bin/true');
  change(program);
  return file(name, program);
}

test('a daemon can open /dev/stdout and /dev/stderr anew', async () => {
  const { stdout, stderr, exit } = await sh('echo out > /dev/stdout; echo err > /dev/stderr');
  assert.deepEqual({ stdout, stderr, exit }, { stdout: 'out\n', stderr: 'err\n', exit: { code: 0 } });
});

test('stdin is empty where nothing else is said', async () => {
  assert.equal((await sh('cat; readlink /proc/self/fd/0')).stdout, '/dev/null\n');
});

test('it gets the arguments and the environment that were given, and nothing else', async () => {
  const { stdout } = await run(['sh', '-c', 'printf "%s|" "$@"; /usr/bin/env | sort', 'name', 'a b', '', 'ü'], {
    environment: { ONLY: 'this one' },
  });
  assert.equal(
    stdout
      .split('\n')
      .filter((line) => !/^(_|PWD|SHLVL)=/.test(line))
      .join('\n'),
    'a b||ü|ONLY=this one\n',
  );
});

test('descriptors may change places', async () => {
  const one = openSync(file('one', 'one'), 'r');
  const two = openSync(file('two', 'two'), 'r');
  const { stdout } = await sh(`cat /dev/fd/${two} /dev/fd/${one}; cat`, {
    descriptors: [
      { fd: one, as: two },
      { fd: two, as: one },
      { fd: one, as: 0 },
    ],
  });
  assert.equal(stdout, 'onetwoone');
  closeSync(one);
  closeSync(two);
});

test('it has no other files of the init', async () => {
  keepDescriptorsFromChildren();
  const { stdout } = await sh('ls /proc/self/fd');
  assert.deepEqual(stdout.trim().split('\n'), ['0', '1', '2', '3'], 'the last is the directory that ls reads');
});

test('it begins with no signal blocked or ignored', async () => {
  const { stdout } = await run(['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
  assert.equal(stdout, 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
});

test('a session, a group, or neither of its own', async () => {
  const ids = async (session: LaunchOptions['session']) => {
    const { stdout } = await run(['sh', '-c', 'cut -d" " -f1,5,6 /proc/$$/stat'], { session });
    const [pid, group, leader] = stdout.trim().split(' ');
    return { group: pid === group, session: pid === leader };
  };
  assert.deepEqual(await ids('new'), { group: true, session: true });
  assert.deepEqual(await ids('group'), { group: true, session: false });
  assert.deepEqual(await ids('same'), { group: false, session: false });
});

test('it works in its working directory, from which a path with a slash counts', async () => {
  mkdirSync(join(room, 'sub'));
  file('sub/here', '#!/bin/sh\npwd');
  assert.equal((await run(['./here'], { cwd: join(room, 'sub') })).stdout, `${join(room, 'sub')}\n`);
});

test('a name without a slash is found in the PATH of the daemon, and a file that may not run is passed over', async () => {
  for (const directory of ['first', 'second']) mkdirSync(join(room, directory));
  file('first/prog', '#!/bin/sh\necho first', 0o644);
  file('second/prog', '#!/bin/sh\necho second');
  const path = `${room}/nowhere:${room}/first:${room}/second:${PATH}`;
  assert.equal((await run(['prog'], { environment: { PATH: path } })).stdout, 'second\n');
  const { errno, message } = refused(['prog'], { environment: { PATH: `${room}/first` } });
  assert.equal(errno, 'EACCES');
  assert.match(message, /first\/prog may not be executed: make it executable \(chmod \+x\)/);
});

test('20,000 variables and a large argument are no trouble; too large ones are named', async () => {
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`V${i}`, 'x'.repeat(20)]));
  assert.equal(
    (await run(['sh', '-c', 'echo $V19999'], { environment: { PATH, ...many } })).stdout,
    `${'x'.repeat(20)}\n`,
  );
  const { errno, message } = refused(['true', 'x'.repeat(5_000_000)]);
  assert.equal(errno, 'E2BIG');
  assert.match(message, /larger than the kernel allows/);
});

test('every way in which a program cannot be started is told apart, with its remedy', () => {
  const elf = (machine: number) => (program: Buffer) => program.writeUInt16LE(machine, 18);
  const cases: [readonly string[], string, RegExp, Partial<LaunchOptions>?][] = [
    [['no-such-program'], 'ENOENT', /^no-such-program: not found in PATH \(.*\): install it/],
    [[join(room, 'absent')], 'ENOENT', /absent: no such file: check the path/],
    [['./absent'], 'ENOENT', /^\.\/absent: no such file \(.*\/absent\): check the path/, { cwd: room }],
    [[''], 'ENOENT', /the command is empty/],
    [[`${file('plain', 'x')}/below`], 'ENOTDIR', /is not a directory/],
    [[room], 'EISDIR', /is a directory, not a program/],
    [[file('not-executable', '#!/bin/sh\n', 0o644)], 'EACCES', /may not be executed: make it executable \(chmod \+x\)/],
    [[file('no-shebang', 'echo hi\n')], 'ENOEXEC', /neither a program nor a script with a #! line/],
    [[file('empty', '')], 'ENOEXEC', /an empty file/],
    [
      [file('bad-interpreter', '#!/no/such/shell -x\n')],
      'ENOENT',
      /the interpreter of its #! line, \/no\/such\/shell, does not exist/,
    ],
    [[file('windows', '#!/bin/sh\r\necho\r\n')], 'ENOENT', /carriage return: save the file with Unix line ends/],
    [
      [programWith('other-machine', elf(process.arch === 'arm64' ? 62 : 183))],
      'ENOEXEC',
      /it is built for (arm64|x64), this machine is/,
    ],
    [[file('cut-off', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]))], 'ENOEXEC', /cut off/],
    [
      [
        programWith('no-loader', (program) => {
          program.write('/lib/no-musl-here', program.indexOf('/lib'));
        }),
      ],
      'ENOENT',
      /its dynamic loader \/lib\/no-musl-here.* does not exist: it is built for musl/,
    ],
    [['true'], 'ENOENT', /^working_dir: \/no\/where does not exist/, { cwd: '/no/where' }],
    [['true'], 'ENOTDIR', /^working_dir: .*plain is not a directory/, { cwd: join(room, 'plain') }],
    [['true', 'a\0b'], 'EINVAL', /NUL/],
  ];
  for (const [argv, errno, message, more] of cases) {
    for (const prefix of [[], ['/usr/bin/env']]) {
      const error = refused(argv, { ...more, prefix });
      assert.equal(error.errno, errno, error.message);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n|at .*:\d+:\d+/);
    }
  }
});
