import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execa } from 'execa';
import type { Execute, Execution } from '../../healthcheck/probe/check.ts';
import { probe } from '../../healthcheck/probe/probe.ts';

const execute: Execute = async ([program = '', ...words], { timeout_ms, signal }) => {
  const end = await execa(program, words, {
    all: true,
    reject: false,
    timeout: timeout_ms,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  const ran = { code: end.exitCode ?? null, signal: end.signal ?? null, output: end.all ?? '' };
  return end.code === 'ENOENT' ? { ...ran, error: 'no such program' } : ran;
};

const ask = async (words: readonly string[], timeout = 20_000, run: Execute = execute) => {
  const { passed, detail } = await probe({ test: words, timeout }, { execute: run });
  return { passed, detail };
};

const ended = (execution: Partial<Execution>): Execute => {
  return async () => ({ code: 0, signal: null, output: '', ...execution });
};

test('CMD runs the program without a shell; exit code 0 passes', async () => {
  assert.deepEqual(await ask(['CMD', 'echo', '$HOME']), { passed: true, detail: 'test echo: exit code 0: $HOME' });
  assert.deepEqual(await ask(['CMD', 'false']), { passed: false, detail: 'test false: exit code 1' });
});

test('CMD-SHELL runs the text in /bin/sh', async () => {
  assert.deepEqual(await ask(['CMD-SHELL', 'echo not yet >&2; exit $((1 + 2))']), {
    passed: false,
    detail: 'test: exit code 3: not yet',
  });
  assert.equal((await ask(['CMD-SHELL', 'test "$1" = b', 'a', 'b'])).passed, true);
});

test('NONE passes and runs nothing', async () => {
  const never: Execute = () => assert.fail('ran');
  assert.deepEqual(await ask(['NONE'], 20_000, never), { passed: true, detail: 'test: no check (NONE)' });
});

test('a form that Compose does not know fails with the remedy', async () => {
  for (const words of [[], ['CMD'], ['CMD-SHELL'], ['curl', '-f', 'http://localhost']]) {
    const { passed, detail } = await ask(words);
    assert.equal(passed, false);
    assert.match(detail, /^test: cannot be run: write \["CMD", program, …\]/);
  }
});

test('an end by a signal, and a program that cannot be run, are named', async () => {
  assert.equal((await ask(['CMD-SHELL', 'kill -SEGV $$'])).detail, 'test: killed by SIGSEGV');
  assert.deepEqual(await ask(['CMD', '/no/such']), {
    passed: false,
    detail: 'test /no/such: cannot be run: no such program',
  });
});

test('a program that does not end is killed when time is up', async () => {
  const ends: Promise<Execution>[] = [];
  const watched: Execute = (argv, options) => {
    const end = execute(argv, options);
    ends.push(end);
    return end;
  };
  assert.deepEqual(await ask(['CMD', 'sleep', '1000'], 150, watched), {
    passed: false,
    detail: 'test sleep: did not end within 150 ms',
  });
  // A cancelled program counts as terminated once it is gone.
  assert.equal((await Promise.all(ends))[0]?.code, null);
});

test('time is up even where the program cannot be killed', async () => {
  const stuck: Execute = () => new Promise(() => {});
  assert.deepEqual(await ask(['CMD', 'x'], 50, stuck), { passed: false, detail: 'test x: did not end within 50 ms' });
});

test('a way to run programs that rejects or throws is a failed probe', async () => {
  const rejects: Execute = async () => Promise.reject(new Error('no process left'));
  const throws: Execute = () => {
    throw new Error('no process left');
  };
  for (const run of [rejects, throws]) {
    assert.deepEqual(await ask(['CMD', 'x'], 20_000, run), { passed: false, detail: 'test x: no process left' });
  }
});

test('of the output one short line is shown, whatever it holds', async () => {
  const noisy = ended({ code: 1, output: `\n \u001b[31m  \u0000bad\u202e  \ud800 thing\nmore\n${'x'.repeat(1e6)}` });
  const { detail } = await ask(['CMD', 'x'], 20_000, noisy);
  assert.match(detail, /^test x: exit code 1: \[31m\s+bad {3}� thing$/);
  const long = await ask(['CMD', 'x'], 20_000, ended({ code: 1, output: '😀'.repeat(10_000) }));
  assert.equal([...long.detail].length, 200);
  assert.ok(long.detail.isWellFormed() && long.detail.endsWith('…'));
});
