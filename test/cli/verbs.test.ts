import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { VERBS } from '../../cli/verbs.ts';
import { visible } from '../../cli/visible.ts';
import { ask, scratch, serve, until } from '../control/serve.ts';
import { bottled, MAIN, start } from './bottled.ts';

test('status is a table with the reason where something is wrong', async (t) => {
  const { socket, init } = await serve(t);
  init.change('git-gate', {
    state: 'backoff',
    ready: false,
    pid: null,
    restarts: 3,
    cause: 'exit-code',
    detail: 'exit code 3',
    hint: 'look at its log',
    waiting_for: 'the next try in 1s',
    cpu: null,
    memory_bytes: null,
    remark: null,
  });
  const { stdout } = await bottled(['status', '--socket', socket]);
  assert.deepEqual(stdout.split('\n'), [
    'test: healthy, up 3m12s, pid 1, bottled 0.1.0',
    'NAME      STATE    READY  PID  RESTARTS  FOR   CPU  MEMORY  NOTE',
    'egress    running  yes    100  0         1m5s  50%  10 MiB',
    'git-gate  backoff  no     -    3         1m5s  -    -       exit-code: exit code 3; waits for the next try in 1s; look at its log',
    'pipelock  running  yes    102  0         1m5s  50%  10 MiB',
  ]);
});

test('--json prints exactly what the control API answers', async (t) => {
  const { socket, init } = await serve(t);
  init.say('egress', 'hello');
  init.record({ type: 'incident', daemon: 'egress', text: 'odd' });
  for (const [args, path] of [
    [['status'], '/v1/status'],
    [['logs'], '/v1/logs'],
  ] as const) {
    const { body } = await ask({ to: { socket }, path });
    const { stdout } = await bottled([...args, '--json', '--socket', socket]);
    assert.equal(`${stdout}\n`, body);
  }
  const events = await bottled(['events', '--json', '--socket', socket]);
  assert.deepEqual(JSON.parse(events.stdout), init.history(0)[0]);
  const health = await bottled(['health', '--json', '--socket', socket]);
  assert.equal(Reflect.get(JSON.parse(health.stdout), 'status'), 'pass');
  const stopped = await bottled(['stop', 'egress', '--no-wait', '--json', '--socket', socket]);
  assert.equal(Reflect.get(JSON.parse(stopped.stdout), 'accepted'), true);
});

test('BOTTLED_SOCKET names the socket', async (t) => {
  const { socket } = await serve(t);
  const { stdout } = await bottled(['status', '--quiet'], { env: { BOTTLED_SOCKET: socket } });
  assert.equal(stdout, 'egress\ngit-gate\npipelock');
});

test('colours come with FORCE_COLOR, and a pipe has none', async (t) => {
  const { socket } = await serve(t);
  const plain = await bottled(['status', '--socket', socket], { env: { NO_COLOR: '' } });
  const forced = await bottled(['status', '--socket', socket], { env: { NO_COLOR: '', FORCE_COLOR: '1' } });
  assert.equal(plain.stdout.includes('\x1b['), false);
  assert.ok(forced.stdout.includes('\x1b[32mhealthy\x1b'));
});

test('a start of several daemons waits for all and tells of each', async (t) => {
  const { socket, init } = await serve(t);
  const { stdout, exitCode } = await bottled(['start', '--all', '--socket', socket]);
  assert.equal(exitCode, 0);
  assert.deepEqual(stdout.split('\n'), ['egress is running', 'git-gate is running', 'pipelock is running']);
  assert.deepEqual(
    init.commands.map(({ plane }) => plane),
    ['cli', 'cli', 'cli'],
  );
});

test('logs have the name of the daemon before each line, aligned, unless told not to', async (t) => {
  const { socket, init } = await serve(t);
  init.say('egress', 'one');
  init.say('git-gate', 'two');
  assert.equal((await bottled(['logs', '--socket', socket])).stdout, 'egress   | one\ngit-gate | two');
  assert.equal((await bottled(['logs', 'git-gate', '--socket', socket])).stdout, 'git-gate | two');
  assert.equal((await bottled(['logs', '--no-prefix', '-n', '1', '--socket', socket])).stdout, 'two');
});

test('followed logs and events go on until the init ends, which is no failure', async (t) => {
  const { socket, init, control } = await serve(t);
  init.say('egress', 'before');
  const logs = start(['logs', '-f', '--socket', socket]);
  const events = start(['events', '-f', '--socket', socket]);
  let said = '';
  let happened = '';
  logs.stdout?.on('data', (chunk) => {
    said += chunk;
  });
  events.stdout?.on('data', (chunk) => {
    happened += chunk;
  });
  await until(() => init.listeners() === 2, 'both follow');
  init.say('egress', 'after');
  init.record({ type: 'incident', daemon: 'egress', text: 'odd' });
  await until(() => said.includes('after') && happened.includes('egress: odd'), 'what followed is here');
  assert.equal(said, 'egress   | before\negress   | after\n');
  await control.close();
  assert.equal((await logs).exitCode, 0);
  assert.equal((await events).exitCode, 0);
});

test('a reader that leaves early ends the verb quietly', async (t) => {
  const { socket, init } = await serve(t);
  for (let n = 0; n < 20_000; n++) init.say('egress', 'x'.repeat(100));
  const logs = start(['logs', '-n', 'all', '--socket', socket]);
  let complaint = '';
  logs.stderr?.on('data', (chunk) => {
    complaint += chunk;
  });
  logs.stdout?.once('data', () => logs.stdout?.destroy());
  assert.equal((await logs).exitCode, 0);
  assert.equal(complaint, '');
});

test('what stdout has no room for is a failure, and no half of an answer that looks whole', () => {
  for (const args of [['schema'], ['version'], ['completion', 'bash'], ['logs', '--help']]) {
    const full = openSync('/dev/full', 'w');
    const ended = spawnSync(process.execPath, [MAIN, ...args], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    closeSync(full);
    assert.equal(ended.status, 1, args.join(' '));
    assert.equal(ended.stderr, 'bottled: cannot write to stdout: no space left on device; what it got is not whole\n');
  }
});

test('control characters of a daemon are shown, colours stay', () => {
  assert.equal(visible('\x1b[31mred\x1b[0m\tok'), '\x1b[31mred\x1b[0m\tok');
  assert.equal(visible('\x1b[2J\x07\x9b1m\r'), '\\x1b[2J\\x07\\x9b1m\\x0d');
  assert.equal(visible('\x1b]0;title\x07'), '\\x1b]0;title\\x07');
});

test('check prints plan and graph, graph the graph alone', async (t) => {
  const file = join(scratch(t), 'bundle.yaml');
  writeFileSync(file, 'name: demo\ndaemons:\n  db: { command: [db] }\n  web: { command: [web], depends_on: [db] }\n');
  const check = await bottled(['check', file]);
  assert.equal(check.exitCode, 0);
  assert.match(check.stdout, /^demo: 2 daemons/);
  const json = await bottled(['check', '--json', file]);
  assert.deepEqual(Reflect.get(JSON.parse(json.stdout), 'start_order'), [['db'], ['web']]);
  assert.match((await bottled(['graph', '--format', 'mermaid', file])).stdout, /-->/);
  assert.match((await bottled(['graph', '--format', 'dot', file])).stdout, /^digraph/);
});

test('every verb that reads a bundle file takes it by -f, and no verb takes two', async (t) => {
  const file = join(scratch(t), 'bundle.yaml');
  writeFileSync(file, 'daemons:\n  web: { command: [web] }\n');
  for (const verb of ['check', 'graph', 'manifest']) {
    const [asArgument, asOption] = await Promise.all([bottled([verb, file]), bottled([verb, '-f', file])]);
    assert.deepEqual([asOption.exitCode, asOption.stdout], [0, asArgument.stdout], verb);
    const two = await bottled([verb, '-f', file, file]);
    assert.deepEqual([two.exitCode, /names two bundle files; usage:/.test(two.stderr)], [2, true], verb);
  }
});

test('schema prints the JSON Schema', async () => {
  const { stdout } = await bottled(['schema']);
  assert.equal(Reflect.get(JSON.parse(stdout), '$schema'), 'https://json-schema.org/draft/2020-12/schema');
});

test('every verb explains itself, by --help and by help', async () => {
  const whole = await bottled(['--help']);
  for (const { name, summary } of Object.values(VERBS))
    assert.match(whole.stdout, new RegExp(`  ${name} +${summary.slice(0, 10)}`));
  const [byOption, byVerb] = await Promise.all([bottled(['logs', '--help']), bottled(['help', 'logs'])]);
  assert.equal(byOption.stdout, byVerb.stdout);
  assert.match(byOption.stdout, /-n, --lines LINES/);
  assert.match((await bottled(['exec', '--help'])).stdout, /drop-in for tini/);
});

test('the completion scripts are valid, and bash completes verbs, options, choices and daemons', async (t) => {
  const folder = scratch(t);
  const script = (await bottled(['completion', 'bash'])).stdout;
  const file = join(folder, 'bottled.bash');
  writeFileSync(
    file,
    `bottled() { echo egress; echo git-gate; }\n${script}
complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _bottled; echo "\${COMPREPLY[*]}"; }
complete_words bottled sta
complete_words bottled logs --no
complete_words bottled graph --format m
complete_words bottled stop e
complete_words bottled signal HU
complete_words bottled audit --compose ${file}
complete_words bottled restore --identity ${file}
complete_words bottled logs -f e
`,
  );
  const completed = execFileSync('bash', ['--norc', file], { encoding: 'utf8' });
  assert.deepEqual(completed.trim().split('\n'), [
    'status start',
    '--no-prefix',
    'mermaid',
    'egress',
    'HUP',
    file,
    file,
    'egress',
  ]);
  for (const shell of ['zsh', 'fish']) {
    const { stdout } = await bottled(['completion', shell]);
    for (const name of Object.keys(VERBS)) assert.ok(stdout.includes(name), `${shell} ${name}`);
  }
});
