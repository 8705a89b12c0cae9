import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { noNamespace } from '../posix/pid-namespace.ts';
import { run } from './under-exec.ts';

const room = mkdtempSync(join(tmpdir(), 'bottled-exec-'));
test.after(() => rmSync(room, { recursive: true }));
const script = join(room, 'script');
writeFileSync(script, '#!/bin/sh\n', { mode: 0o644 });

for (const processOne of [false, true]) {
  test(`the exit code is that of the command, ${processOne ? 'as process 1' : 'not being process 1'}`, {
    skip: processOne && noNamespace,
  }, async () => {
    const table: [readonly string[], number][] = [
      [['true'], 0],
      [['false'], 1],
      [['--', 'sh', '-c', 'exit 255'], 255],
      [['sh', '-c', 'kill -TERM $$'], 143],
      [['-g', 'sh', '-c', 'kill -KILL $$'], 137],
      [['sh', '-c', 'kill -40 $$'], 168],
      [['-s', 'true'], 0],
      [['no-such-program'], 127],
      [[join(room, 'absent')], 127],
      [[join(script, 'below')], 127],
      [[script], 126],
      [[room], 126],
    ];
    for (const [argv, code] of table) assert.equal((await run(argv, { processOne })).code, code, argv.join(' '));
  });
}

test('a command that cannot be started is told in one line', async () => {
  const { output } = await run(['no-such-program']);
  assert.match(
    output,
    /^bottled exec: no-such-program: not found in PATH \(.*\): install it, or write its whole path\n$/,
  );
});

test('wrong usage is told in one line with the right one, and ends with 2', async () => {
  const cases: [readonly string[], RegExp][] = [
    [[], /^bottled exec: the command is missing\nUsage: bottled exec \[-s\] \[-g\] \[-v\] \[--\] COMMAND/],
    [['--'], /the command is missing/],
    [['-x', 'true'], /unknown option "-x"/],
    [['-sx', 'true'], /unknown option "-sx"/],
    [['--verbose', 'true'], /unknown option "--verbose"/],
  ];
  for (const [argv, message] of cases) {
    const { code, output } = await run(argv);
    assert.equal(code, 2);
    assert.match(output, message);
    assert.equal(output.trimEnd().split('\n').length, 2, output);
  }
});

test('options may stand together, and end where the command begins', async () => {
  const { code, output } = await run(['-gs', 'sh', '-c', 'echo "$@"', 'sh', '-x', '--', '-v']);
  assert.deepEqual({ code, output }, { code: 0, output: '-x -- -v\n' });
  assert.match((await run(['-h'])).output, /^Usage: bottled exec .*\n\n[\s\S]*-v {2}tell on stderr/);
});

test('the command has the working directory, the environment and the files of the caller', async () => {
  process.env.MARKER = 'kept';
  const { output } = await run(['sh', '-c', 'echo $MARKER; pwd; ls /proc/self/fd | wc -l']);
  assert.deepEqual(output.trim().split('\n').slice(0, 2), ['kept', process.cwd()]);
});

for (const processOne of [false, true]) {
  test(`orphans are collected, ${processOne ? 'as process 1' : 'as subreaper'}, and told about with -v`, {
    skip: processOne && noNamespace,
  }, async () => {
    const { code, output } = await run(
      ['-v', 'sh', '-c', '(sh -c "exit 5" &); (sh -c "kill -9 \\$\\$" &); sleep 0.5; exit 3'],
      {
        processOne,
      },
    );
    assert.equal(code, 3);
    assert.match(output, /bottled exec: collected orphan \d+: exit code 5\n/);
    assert.match(output, /bottled exec: collected orphan \d+: killed by SIGKILL\n/);
    assert.match(output, /bottled exec: process \d+ ended: exit code 3\n$/);
  });
}
