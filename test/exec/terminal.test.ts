import assert from 'node:assert/strict';
import test from 'node:test';
import { execa, execaSync } from 'execa';
import { noNamespace } from '../posix/pid-namespace.ts';
import { EXEC, eventually } from './under-exec.ts';

const noScript: string | false =
  execaSync('script', ['--version'], { reject: false }).exitCode === 0
    ? false
    : 'needs script(1) of util-linux for a terminal';

interface Session {
  type(text: string): void;
  shows(pattern: RegExp): Promise<unknown>;
  screen(): string;
  readonly code: Promise<number | undefined>;
}

/** A command line on a terminal of its own. */
function onTerminal(command: string): Session {
  const terminal = execa('script', ['-qec', command, '/dev/null'], {
    reject: false,
    all: true,
    env: { PS1: '$ ', TERM: 'dumb' },
  });
  let screen = '';
  terminal.all?.on('data', (chunk: Buffer) => {
    screen += chunk.toString();
  });
  return {
    type: (text) => terminal.stdin?.write(text),
    shows: (pattern) => eventually(() => pattern.test(screen), `${pattern} in ${JSON.stringify(screen)}`),
    screen: () => screen,
    code: terminal.then(({ exitCode }) => exitCode),
  };
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

const exec = quoted(EXEC);
const READ_LINE = 'read line && echo "got <$line>"; exit 5';
const IN_FOREGROUND = 'perl -MPOSIX -e \'print "mine\\n" if POSIX::tcgetpgrp(0) == getpgrp\'';

test('the command reads the terminal, in its foreground', { skip: noScript }, async () => {
  const session = onTerminal(`${exec} sh -c ${quoted([`${IN_FOREGROUND}; ${READ_LINE}`])}`);
  await session.shows(/mine/);
  session.type('hello\n');
  await session.shows(/got <hello>/);
  assert.equal(await session.code, 5);
});

test('as process 1 too', { skip: noScript || noNamespace }, async () => {
  const session = onTerminal(
    `unshare --fork --pid --mount-proc setsid --ctty --wait ${exec} sh -c ${quoted([READ_LINE])}`,
  );
  session.type('hello\n');
  await session.shows(/got <hello>/);
});

test('Ctrl-C reaches the command', { skip: noScript }, async () => {
  const session = onTerminal(
    `${exec} sh -c ${quoted(['trap "echo interrupted; exit 6" INT; echo ready; while :; do sleep 0.05; done'])}`,
  );
  await session.shows(/ready/);
  session.type('\x03');
  await session.shows(/interrupted/);
  assert.equal(await session.code, 6);
});

test('afterwards the caller reads the terminal again', { skip: noScript }, async () => {
  for (const command of ['true', 'no-such-program']) {
    const session = onTerminal(`sh -c ${quoted([`${exec} ${command}; read line; echo "after <$line>"`])}`);
    session.type('hello\n');
    await session.shows(/after <hello>/);
    assert.equal(await session.code, 0);
  }
});

test('Ctrl-Z stops it for the shell, fg brings it back with the terminal, and it ends by itself', {
  skip: noScript,
}, async () => {
  const session = onTerminal('bash --norc --noprofile -i');
  session.type(`${exec} sh -c ${quoted([`echo st''arted; ${READ_LINE}`])}\n`);
  await session.shows(/started/);
  session.type('\x1a');
  await session.shows(/Stopped/);
  session.type('echo sh""ell\n');
  await session.shows(/shell/);
  session.type('fg\n');
  session.type('hello\n');
  await session.shows(/got <hello>/);
  session.type('echo "code <$?>"\n');
  await session.shows(/code <5>/);
  session.type('exit\n');
  await session.code;
});

test('in the background it does not take the terminal from the shell', { skip: noScript }, async () => {
  const session = onTerminal('bash --norc --noprofile -i');
  session.type(`${exec} sh -c ${quoted([READ_LINE])} &\n`);
  session.type('echo sh""ell\n');
  await session.shows(/shell/);
  session.type('\n');
  await eventually(() => {
    session.type('\n');
    return /Stopped/.test(session.screen());
  }, 'stopped for reading in the background');
  session.type('fg\n');
  session.type('hello\n');
  await session.shows(/got <hello>/);
  session.type('exit\n');
  await session.code;
});
