import assert from 'node:assert/strict';
import test from 'node:test';
import { signalNumber } from '../../init/posix/signal-names.ts';
import { CATCHABLE_SIGNALS } from '../../init/signals.ts';
import { noNamespace } from '../posix/pid-namespace.ts';
import { childrenOf, eventually, start, stateOf } from './under-exec.ts';

const FORWARDED = CATCHABLE_SIGNALS.filter((signal) => signal !== 'SIGCHLD');

/** Prints the number of each signal that it gets. */
const LISTENER = `
  use Config; $| = 1;
  my @names = split ' ', $Config{sig_name}; my @numbers = split ' ', $Config{sig_num};
  for my $i (0..$#names) {
    my $n = $numbers[$i];
    next if $n < 1 || $n > 31 || $names[$i] =~ /^(KILL|STOP|CHLD)$/;
    $SIG{$names[$i]} = sub { print "<$n>" };
  }
  print "ready";
  sleep 1 while 1;
`;

for (const processOne of [false, true]) {
  test(`each signal that can be caught reaches the command, ${processOne ? 'as process 1' : 'not being process 1'}`, {
    skip: processOne && noNamespace,
  }, async () => {
    const running = start(['perl', '-e', LISTENER], { processOne });
    await eventually(() => running.output().includes('ready'), 'the command');
    const init = await running.init();
    for (const signal of FORWARDED) {
      process.kill(init, signal);
      await eventually(() => running.output().includes(`<${signalNumber(signal)}>`), signal);
    }
    const [child] = childrenOf(init);
    assert.ok(child !== undefined);
    process.kill(child, 'SIGKILL');
    assert.equal((await running.finished).exitCode, 137);
  });
}

test('a signal in the first milliseconds is not lost', async () => {
  const running = start(['sh', '-c', 'trap "exit 42" TERM; while :; do sleep 0.05; done']);
  const init = await running.init();
  await eventually(() => childrenOf(init)[0], 'a child');
  process.kill(init, 'SIGTERM');
  const code = (await running.finished).exitCode;
  assert.ok(code === 42 || code === 143, `${code}`);
});

test('without -g only the command gets a signal, with -g its whole group', async () => {
  const script =
    'sh -c "trap \\"echo grandchild; exit\\" TERM; echo ready; while :; do sleep 0.05; done" & trap "echo child" TERM; while :; do sleep 0.05; done';
  for (const [options, expected] of [
    [[], /^(?!.*grandchild).*child/s],
    [['-g'], /grandchild/],
  ] as const) {
    const running = start([...options, 'sh', '-c', script]);
    const init = await running.init();
    await eventually(() => running.output().includes('ready'), 'the grandchild');
    const [child] = childrenOf(init);
    assert.ok(child !== undefined);
    process.kill(init, 'SIGTERM');
    await eventually(() => running.output().replaceAll('grandchild', '').includes('child'), 'the signal');
    if (options.length > 0) await eventually(() => running.output().includes('grandchild'), 'the signal');
    assert.match(running.output(), expected);
    process.kill(-child, 'SIGKILL');
    await running.finished;
  }
});

test('a stop that is passed on stops the init too, and SIGCONT revives both', async () => {
  for (const signal of ['SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const) {
    const running = start(['sh', '-c', 'echo ready; exec sleep 60']);
    const init = await running.init();
    await eventually(() => running.output().includes('ready'), 'the command');
    const [child = 0] = childrenOf(init);
    process.kill(init, signal);
    await eventually(() => stateOf(child) === 'T' && stateOf(init) === 'T', `both stopped by ${signal}`);
    process.kill(init, 'SIGCONT');
    await eventually(() => stateOf(child) === 'S' && stateOf(init) === 'S', 'both running');
    process.kill(init, 'SIGTERM');
    assert.equal((await running.finished).exitCode, 143);
  }
});

test('a command that does not stop for SIGTSTP does not stop its init', async () => {
  const running = start(['sh', '-c', 'trap "echo caught" TSTP; echo ready; while :; do sleep 0.05; done']);
  const init = await running.init();
  await eventually(() => running.output().includes('ready'), 'the command');
  process.kill(init, 'SIGTSTP');
  await eventually(() => running.output().includes('caught'), 'the signal');
  assert.notEqual(stateOf(init), 'T');
  const [child = 0] = childrenOf(init);
  process.kill(child, 'SIGKILL');
  assert.equal((await running.finished).exitCode, 137);
});

test('process 1 cannot stop: it waits for SIGCONT and passes it on', { skip: noNamespace }, async () => {
  const running = start(['sh', '-c', 'echo ready; exec sleep 60'], { processOne: true });
  const init = await running.init();
  await eventually(() => running.output().includes('ready'), 'the command');
  const [child = 0] = childrenOf(init);
  process.kill(init, 'SIGTSTP');
  await eventually(() => stateOf(child) === 'T', 'the command stopped');
  process.kill(init, 'SIGCONT');
  await eventually(() => stateOf(child) === 'S', 'the command running');
  process.kill(init, 'SIGTERM');
  assert.equal((await running.finished).exitCode, 143);
});
