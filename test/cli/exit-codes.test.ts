import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXIT, EXIT_MEANINGS } from '../../cli/exit-codes.ts';
import { VERBS } from '../../cli/verbs.ts';
import { scratch, serve } from '../control/serve.ts';
import { bottled, type Ended } from './bottled.ts';

/** A failure says why in one line, and never shows a stack. */
function assertOneLine({ stderr, stdout }: Ended, words: RegExp): void {
  assert.match(stderr, /^bottled: [^\n]+$/);
  assert.match(stderr, words);
  assert.equal(stdout, '');
}

test('every exit code has a meaning, and every verb ends with known ones', () => {
  assert.deepEqual(Object.keys(EXIT_MEANINGS).map(Number), Object.values(EXIT));
  for (const { name, exits } of Object.values(VERBS)) {
    if (typeof exits === 'string') continue;
    assert.ok(
      exits.every((code) => code in EXIT_MEANINGS),
      name,
    );
  }
});

test('0: what was asked for is done', async (t) => {
  const { socket, init } = await serve(t);
  const ended = await bottled(['signal', 'HUP', 'egress', '--socket', socket]);
  assert.deepEqual(ended, { exitCode: 0, stdout: 'egress: signal', stderr: '' });
  assert.deepEqual(init.commands, [{ daemon: 'egress', command: { do: 'signal', signal: 'SIGHUP' }, plane: 'cli' }]);
});

test('1: the init refuses', async (t) => {
  const { socket, init } = await serve(t);
  init.behave((daemon) => ({ daemon, accepted: false, text: 'the bundle is ending; start it anew' }));
  for (const args of [['stop', 'egress'], ['reload']]) {
    const ended = await bottled([...args, '--socket', socket]);
    assert.equal(ended.exitCode, 1);
    assertOneLine(ended, /the bundle is ending; start it anew$/);
  }
});

test('1: the daemon does not come up', async (t) => {
  const { socket, init } = await serve(t);
  init.behave((daemon) => {
    init.change(daemon, { detail: 'exit code 3', hint: 'look at its log' });
    init.record({ type: 'changed', daemon, to: 'failed', ready: false, text: '' });
    return { daemon, accepted: true, text: 'accepted' };
  });
  const ended = await bottled(['start', 'egress', '--socket', socket]);
  assert.equal(ended.exitCode, 1);
  assertOneLine(ended, /egress has failed: exit code 3; look at its log$/);
});

test('1: it takes longer than --timeout', async (t) => {
  const { socket, init } = await serve(t);
  init.change('egress', { state: 'stopping', ready: false });
  const ended = await bottled(['stop', 'egress', '--timeout', '20ms', '--socket', socket]);
  assert.equal(ended.exitCode, 1);
  assertOneLine(ended, /after 20ms egress is stopping still/);
});

test('0 or 1: healthy or not, and with --strict degraded is not', async (t) => {
  const { socket, init } = await serve(t);
  for (const [health, args, code] of [
    ['healthy', [], 0],
    ['degraded', [], 0],
    ['degraded', ['--strict'], 1],
    ['starting', [], 1],
    ['unhealthy', [], 1],
  ] as const) {
    init.setHealth(health);
    const ended = await bottled(['health', ...args, '--socket', socket]);
    assert.equal(ended.exitCode, code, `${health} ${args}`);
    assert.match(ended.stdout, new RegExp(`^${health}`));
  }
});

test('1: health of an init that accepts and never answers, in no more than its timeout', async (t) => {
  const socket = join(scratch(t), 'c.sock');
  const hung = createServer().listen(socket);
  t.after(() => hung.close());
  const ended = await bottled(['health', '--timeout', '200ms', '--socket', socket]);
  assert.equal(ended.exitCode, 1);
  assertOneLine(ended, /unhealthy: the init does not answer within 0\.2s/);
});

test('2: a wrong command line', async () => {
  for (const [args, words] of [
    [['logz'], /there is no verb "logz"; did you mean "logs"\?/],
    [['--verbose'], /there is no option "--verbose"/],
    [['logs', '--flow'], /there is no option --flow; did you mean "--follow"\? usage: bottled logs/],
    [['logs', '-n'], /-n needs a value \(LINES\)/],
    [['logs', '-n', 'many'], /"many" is not a number up to 1000000 or "all"/],
    [['status', '--json=yes'], /--json takes no value/],
    [['events', 'egress'], /"egress" is one argument too many/],
    [['signal'], /arguments are missing/],
    [['stop'], /name a daemon, or give --all/],
    [['stop', 'a', '--all'], /give names or --all, not both/],
    [['start', 'a', '--timeout', '90'], /"90" is not a duration such as "90s"/],
    [['health', '--timeout', '6s'], /at most 5s/],
    [['graph', '--format', 'dat'], /"dat" is not one of text, mermaid, dot; did you mean "dot"\?/],
    [['completion', 'tcsh'], /"tcsh" is not one of bash, zsh, fish/],
    [['help', 'logz'], /did you mean "logs"/],
  ] as const) {
    const ended = await bottled(args);
    assert.equal(ended.exitCode, 2, args.join(' '));
    assertOneLine(ended, words);
  }
});

test('2: no verb at all prints the help to stderr', async () => {
  const ended = await bottled([]);
  assert.equal(ended.exitCode, 2);
  assert.match(ended.stderr, /^bottled: the init for a bundle/);
});

test('2: a bundle file that is not there or not valid', async (t) => {
  const cwd = scratch(t);
  const none = await bottled(['check'], { cwd });
  assert.equal(none.exitCode, 2);
  assertOneLine(none, /cannot find a bundle file: .*name one$/);
  const file = join(cwd, 'bundle.yaml');
  writeFileSync(file, 'daemons:\n  web: { command: [web], restart: alway }\n  db: { comand: [db] }\n');
  for (const verb of ['check', 'graph', 'run']) {
    const ended = await bottled(verb === 'run' ? [verb, '-f', file] : [verb, file]);
    assert.equal(ended.exitCode, 2, verb);
    assert.match(ended.stderr, /bundle\.yaml:2:\d+: daemons\.web\.restart/, verb);
    assert.match(ended.stderr, /bundle\.yaml:3:\d+: daemons\.db\.comand/, verb);
    assert.doesNotMatch(ended.stderr, /\n\s+at /);
  }
});

test('2: a signal that is none', async (t) => {
  const { socket } = await serve(t);
  const ended = await bottled(['signal', 'FOO', 'egress', '--socket', socket]);
  assert.equal(ended.exitCode, 2);
  assertOneLine(ended, /"FOO" is not a signal/);
});

test('3: an unknown daemon, and nothing is done to the known ones', async (t) => {
  const { socket, init } = await serve(t);
  for (const args of [['status'], ['logs'], ['stop'], ['restart'], ['signal', 'HUP']]) {
    const ended = await bottled([...args, 'git-gate', 'egres', '--socket', socket]);
    assert.equal(ended.exitCode, 3, args.join(' '));
    assertOneLine(ended, /there is no daemon "egres"; did you mean "egress"\? known: egress, git-gate, pipelock/);
  }
  assert.deepEqual(init.commands, []);
});

test('4: no init is there', async (t) => {
  const socket = join(scratch(t), 'c.sock');
  for (const args of [['status'], ['logs'], ['events'], ['stop', 'a'], ['reload'], ['health']]) {
    const ended = await bottled([...args, '--socket', socket]);
    assert.equal(ended.exitCode, 4, args.join(' '));
    assertOneLine(
      ended,
      /cannot reach the init at .*: there is no such socket; is it running\? name its socket with --socket PATH/,
    );
  }
});

test('4: a socket that belongs to another user says whose it must be, and asks for no other socket', {
  skip: process.getuid?.() === 0 ? false : 'needs root, to run as another user',
}, async (t) => {
  const { socket } = await serve(t);
  const closed = scratch(t);
  chmodSync(closed, 0o700);
  for (const path of [socket, join(closed, 'c.sock')]) {
    const ended = await bottled(['status', '--socket', path], { uid: 65_534, gid: 65_534 });
    assert.equal(ended.exitCode, 4);
    assertOneLine(ended, /: permission denied; run this as the user that it belongs to$/);
  }
});
