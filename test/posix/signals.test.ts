import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { execa } from 'execa';
import { FREE_SIGNALS } from '../../init/bundle/names.ts';
import { signalNumber } from '../../init/posix/signal-names.ts';
import { BUNDLE_SIGNALS, CATCHABLE_SIGNALS } from '../../init/signals.ts';
import { asProcessOne, noNamespace } from './pid-namespace.ts';

const FIXTURE = join(import.meta.dirname, 'fixtures/late-listener.ts');

test('signals that come before there is a listener are kept, in order, and kill nobody', async () => {
  const { stdout } = await execa(process.execPath, [FIXTURE, 'SIGTERM', 'SIGHUP', 'SIGUSR1']);
  assert.deepEqual(JSON.parse(stdout), { early: ['SIGTERM', 'SIGHUP', 'SIGUSR1'], late: ['SIGUSR2'], owns: false });
});

test('every signal of a bundle reaches the listener, as process 1 too', { skip: noNamespace }, async () => {
  const [file, argv] = asProcessOne([process.execPath, FIXTURE, ...BUNDLE_SIGNALS]);
  const { stdout } = await execa(file, argv);
  assert.deepEqual(JSON.parse(stdout), { early: [...BUNDLE_SIGNALS], late: ['SIGUSR2'], owns: true });
});

test('1 to 31 can be caught, but for SIGKILL, SIGSTOP and the four faults', () => {
  const numbers = CATCHABLE_SIGNALS.map(signalNumber).sort((a, b) => a - b);
  const uncatchable = ['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL'] as const;
  const expected = Array.from({ length: 31 }, (_, i) => i + 1).filter(
    (n) => !uncatchable.map(signalNumber).includes(n),
  );
  assert.deepEqual(numbers, expected);
});

test('every signal that a bundle file may name is one that the init hears', () => {
  assert.deepEqual(
    FREE_SIGNALS.filter((name) => !BUNDLE_SIGNALS.some((heard) => signalNumber(heard) === signalNumber(name))),
    [],
  );
});
