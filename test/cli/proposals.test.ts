import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa, execaSync } from 'execa';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { createControl } from '../../init/control/control.ts';
import { fakeInit } from '../control/fake-init.ts';
import { connect, makeWorld, proposeHost, type World } from '../daemons/supervise/world.ts';
import { bottled, type Ended, MAIN } from './bottled.ts';

interface Operator {
  readonly world: World;
  readonly env: Readonly<Record<string, string>>;
  readonly proposals: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Ended>;
  /** Makes an agent call one of its tools. */
  readonly call: (name: string, args: Readonly<Record<string, string>>) => Promise<Proposal>;
  /** What a daemon reports. */
  readonly reported: (
    kind: 'gitleaks-allow' | 'tool-ask',
    facts: Readonly<Record<string, string>>,
  ) => Promise<Proposal>;
}

/** supervise with an agent, and an operator whose bundle has no daemon that would have to be told. */
async function startOperator(t: TestContext): Promise<Operator> {
  const world = makeWorld(t);
  const spools = { 'gitleaks-allow': 'git-gate', 'tool-ask': 'mcp-bridge' } as const;
  const spoolOf = (source: string): string => join(world.directory, 'spool', source);
  for (const source of Object.values(spools)) mkdirSync(spoolOf(source), { mode: 0o755, recursive: true });
  const reports = Object.values(spools).map((source) => `${source}=${spoolOf(source)}`);
  const running = await world.start({ SUPERVISE_REPORTS: reports.join(','), SUPERVISE_MOST_PER_MINUTE: '100' });
  const client = await connect(t, running);
  const socket = join(world.directory, 'control.sock');
  const init = await createControl({ init: fakeInit(['mcp-bridge']), socket, onProblem: () => {} });
  t.after(() => init.close());
  const env = {
    BOTTLED_CONFIG: world.config,
    BOTTLED_DATA: world.directory,
    BOTTLED_SUPERVISE_SOCKET: join(world.data, 'operator.sock'),
    BOTTLED_SOCKET: socket,
  };
  const newest = async (before: number): Promise<Proposal> => {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      const all = await world.proposals();
      const last = all.at(-1);
      if (all.length > before && last !== undefined) return last;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('no proposal came');
  };
  return {
    world,
    env,
    proposals: (args, more) => bottled(['proposals', ...args], { env: { ...env, ...more } }),
    async call(name, args) {
      const { length } = await world.proposals();
      await client.callTool({ name, arguments: args });
      return newest(length);
    },
    async reported(kind, facts) {
      const { length } = await world.proposals();
      const report = JSON.stringify({ kind, facts, justification: 'a push was refused' });
      writeFileSync(join(spoolOf(spools[kind]), `r${length}.json`), report, { mode: 0o644 });
      return newest(length);
    },
  };
}

const host = ({ call }: Operator, name: string): Promise<Proposal> => {
  const { name: tool, arguments: args } = proposeHost(name);
  return call(tool, args);
};

test('the list is a table of what waits, plain in a pipe; --json is one proposal a line', async (t) => {
  const operator = await startOperator(t);
  assert.equal((await operator.proposals([])).stdout, 'nothing waits for a decision');
  const { id } = await host(operator, 'b.example');
  const { stdout } = await operator.proposals(['list']);
  const [head = '', row = ''] = stdout.split('\n');
  assert.match(head, /^ID +KIND +STATUS +SOURCE +AGE +EXPIRES +TIMES +ABOUT$/);
  assert.match(row, new RegExp(`^${id} +egress-block +pending +agent +\\d+m?s +2\\dh\\d+m +1 +b\\.example is needed$`));
  const json = await operator.proposals(['--json']);
  assert.equal(JSON.parse(json.stdout).id, id);
  const coloured = await operator.proposals([], { NO_COLOR: '', FORCE_COLOR: '1' });
  assert.ok(coloured.stdout.includes('\x1b[33mpending'));
});

test('show prints the diff, why, who, and the hash that a decision binds to; an id may be cut short', async (t) => {
  const operator = await startOperator(t);
  const { id, shown } = await host(operator, 'b.example');
  const { stdout } = await operator.proposals(['show', id.slice(2, 5)]);
  assert.match(stdout, new RegExp(`^${id}  egress-block  pending\n`));
  assert.match(stdout, /^from +agent$/m);
  assert.match(stdout, new RegExp(`^shown +${shown}$`, 'm'));
  assert.match(stdout, /^b\.example is needed$/m);
  assert.match(
    stdout,
    /^--- a\/routes\.yaml\n\+\+\+ b\/routes\.yaml\n@@ -1,2 \+1,3 @@\n routes:\n {3}- host: a\.example\n\+ {2}- host: b\.example$/m,
  );
  const coloured = await operator.proposals(['show', id], { NO_COLOR: '', FORCE_COLOR: '1' });
  assert.ok(coloured.stdout.includes('\x1b[32m+  - host: b.example'));
});

test('an id that is none, or may be several, is refused with what there is', async (t) => {
  const operator = await startOperator(t);
  await host(operator, 'b.example');
  await host(operator, 'c.example');
  const none = await operator.proposals(['show', 'p-zzzzz']);
  assert.deepEqual(
    [none.exitCode, none.stderr],
    [3, 'bottled: there is no proposal "p-zzzzz"; see bottled proposals list --all'],
  );
  const several = await operator.proposals(['show', 'p-']);
  assert.equal(several.exitCode, 3);
  assert.match(several.stderr, /"p-" may be any of p-\w+, p-\w+; write more of it/);
});

test('a rejection needs a reason, which the agent is told', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  const without = await operator.proposals(['reject', id]);
  assert.equal(without.exitCode, 2);
  assert.match(without.stderr, /reject needs --reason TEXT/);
  const rejected = await operator.proposals(['reject', id, '--reason', 'use the mirror']);
  assert.deepEqual([rejected.exitCode, rejected.stdout], [0, `${id} is rejected: use the mirror`]);
  const [proposal] = await operator.world.proposals();
  assert.deepEqual([proposal?.status, proposal?.decision?.reason], ['rejected', 'use the mirror']);
  const again = await operator.proposals(['approve', id, '--yes']);
  assert.deepEqual([again.exitCode, again.stderr], [1, `bottled: ${id} is rejected; there is nothing to approve`]);
});

test('without a terminal nothing is asked: --yes is needed, and nothing is decided without', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  const { exitCode, stderr } = await operator.proposals(['approve', id]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /there is no terminal to ask on; give --yes/);
  assert.equal((await operator.world.proposals())[0]?.status, 'pending');
});

test('an approval that was made binds to what was shown', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  const { exitCode, stderr } = await operator.proposals(['approve', id, '--yes', '--shown', '0123456789']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /is no longer what was shown; look at it again/);
  assert.equal((await operator.world.proposals())[0]?.status, 'pending');
});

test('an approval is written, told and ends as applied', async (t) => {
  const operator = await startOperator(t);
  const { id, shown } = await host(operator, 'b.example');
  const approved = await operator.proposals(['approve', id, '--yes', '--shown', shown.slice(0, 8)]);
  assert.equal(approved.exitCode, 0, approved.stderr);
  assert.match(
    approved.stdout,
    new RegExp(`${id} is applied: routes\\.yaml is written and in force: pipelock is not in`),
  );
  assert.equal(
    readFileSync(join(operator.world.config, 'routes.yaml'), 'utf8'),
    'routes:\n  - host: a.example\n  - host: b.example\n',
  );
  const [proposal] = await operator.world.proposals();
  assert.equal(proposal?.status, 'applied');
  assert.match(proposal?.outcome?.diff ?? '', /^\+ {2}- host: b\.example$/m);
  const shownAgain = await operator.proposals(['show', id]);
  assert.match(shownAgain.stdout, /^approved +by \w+, /m);
  assert.match(shownAgain.stdout, /^applied +\d{4}-.*in force/m);
});

test('hosts for pipelock are added to its file, whose other keys and comments stay', async (t) => {
  const operator = await startOperator(t);
  const file = join(operator.world.config, 'pipelock.yaml');
  writeFileSync(file, '# mine\nextra_hosts:\n  - a.example # the mirror\nmax_url_length: 4096\n');
  const { id } = await operator.call('pipelock-block', { hosts: 'b.example # the build', justification: 'x' });
  const shown = await operator.proposals(['show', id]);
  assert.match(shown.stdout, /^ a\.example\n\+b\.example {2}# the build$/m);
  const approved = await operator.proposals(['approve', id, '--yes']);
  assert.equal(approved.exitCode, 0, approved.stderr);
  assert.equal(
    readFileSync(file, 'utf8'),
    '# mine\nextra_hosts:\n  - a.example # the mirror\n  - b.example\nmax_url_length: 4096\n',
  );
});

test('what was proposed for another file than there is now is not decided', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  writeFileSync(join(operator.world.config, 'routes.yaml'), 'routes:\n  - host: d.example\n');
  const { exitCode, stderr } = await operator.proposals(['approve', id, '--yes']);
  assert.equal(exitCode, 1);
  assert.match(stderr, /routes\.yaml has changed since|is stale; there is nothing to approve/);
  assert.equal(readFileSync(join(operator.world.config, 'routes.yaml'), 'utf8'), 'routes:\n  - host: d.example\n');
});

const READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';

test('where the file cannot be written nothing is decided, and the way to change it is told', {
  skip: process.geteuid?.() === 0 ? false : 'only root can mount',
}, async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  const approve = [process.execPath, MAIN, 'proposals', 'approve', id, '--yes'];
  const { exitCode, stderr } = await execa(
    'unshare',
    ['--mount', 'sh', '-c', READ_ONLY, 'sh', operator.world.config, ...approve],
    { env: operator.env, reject: false },
  );
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /routes\.yaml cannot be written \(EROFS\).* bottle\.yaml, render and deploy.*Nothing was decided/,
  );
  const [proposal] = await operator.world.proposals();
  assert.equal(proposal?.status, 'pending');
});

/** An editor that runs a shell script on the file `$1`. */
function editor(directory: string, script: string): string {
  const file = join(directory, 'editor.sh');
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

test('edit approves what the editor left, and not what was proposed', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  const VISUAL = editor(operator.world.directory, 'sed -i s/b.example/only.example/ "$1"');
  const { exitCode, stdout, stderr } = await operator.proposals(['edit', id, '--yes'], { VISUAL, EDITOR: 'false' });
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^\+ {2}- host: only\.example$/m);
  assert.match(readFileSync(join(operator.world.config, 'routes.yaml'), 'utf8'), /only\.example/);
  assert.equal((await operator.world.proposals())[0]?.decision?.verdict, 'modified');
});

test('an edit that is not valid, changes nothing, or whose editor fails decides nothing', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  for (const [script, message] of [
    [
      'echo "  - hots: x" >> "$1"',
      /routes\.yaml:4:5: .*did you mean "host"\?\nbottled: this is not valid; nothing was decided/,
    ],
    ['exit 0', /nothing was changed and nothing decided; to approve it as it is: bottled proposals approve/],
    ['exit 3', /the editor \(.*\) ended with 3; nothing was decided/],
  ] as const) {
    const EDITOR = editor(operator.world.directory, script);
    const { exitCode, stderr } = await operator.proposals(['edit', id, '--yes'], { EDITOR });
    assert.equal(exitCode, 1);
    assert.match(stderr, message);
  }
  assert.equal((await operator.world.proposals())[0]?.status, 'pending');
});

test('what lets a secret pass is approved with a reason only, cannot be edited, and goes into git-gate.yaml', async (t) => {
  const operator = await startOperator(t);
  writeFileSync(join(operator.world.config, 'git-gate.yaml'), 'repos: {}\n');
  const { id } = await operator.reported('gitleaks-allow', { fingerprint: 'ab'.repeat(32), file: 'a.txt' });
  const without = await operator.proposals(['approve', id, '--yes']);
  assert.equal(without.exitCode, 2);
  assert.match(
    without.stderr,
    /lets pass what was taken for a secret \(gitleaks-allow\), so approve needs --reason TEXT/,
  );
  const edit = await operator.proposals(['edit', id, '--yes', '--reason', 'x']);
  assert.match(edit.stderr, /is of kind gitleaks-allow, which holds no text to edit; approve or reject it/);
  const approved = await operator.proposals(['approve', id, '--yes', '--reason', 'a made-up key']);
  assert.equal(approved.exitCode, 0, approved.stderr);
  const gate = readFileSync(join(operator.world.config, 'git-gate.yaml'), 'utf8');
  assert.equal(gate, `repos: {}\nallow:\n  - fingerprint: ${'ab'.repeat(32)}\n    reason: a made-up key\n`);
  assert.equal((await operator.world.proposals())[0]?.status, 'applied');
});

test('where the decision is all there is, it is told so', async (t) => {
  const operator = await startOperator(t);
  const { id } = await operator.reported('tool-ask', { tool: 'fetch' });
  const { exitCode, stdout, stderr } = await operator.proposals(['approve', id, '--yes']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, new RegExp(`${id} is approved; whoever asked goes by that$`));
  assert.equal((await operator.proposals([])).stdout, 'nothing waits for a decision');
});

test('an incident stands in the list with its last lines, and is acknowledged', async (t) => {
  const operator = await startOperator(t);
  const incident = { daemon: 'egress', cause: 'signal', text: 'killed by SIGSEGV', lines: ['one', 'the last words'] };
  await operator.world.operator('POST', '/v1/incidents', incident);
  const { stdout } = await operator.proposals([]);
  assert.match(stdout, /incident +pending +init .* egress: killed by SIGSEGV\n(p-\w+) \| one\n\1 \| the last words$/);
  const [proposal] = await operator.world.proposals();
  const approve = await operator.proposals(['approve', proposal?.id ?? '', '--yes']);
  assert.match(approve.stderr, /is an incident; take note of it with: bottled proposals acknowledge p-/);
  assert.equal((await operator.proposals(['acknowledge', proposal?.id ?? ''])).exitCode, 0);
  assert.equal((await operator.world.proposals())[0]?.status, 'acknowledged');
});

test('watch prints what waits and each new one as it comes; --once prints what waits and ends', async (t) => {
  const operator = await startOperator(t);
  const first = await host(operator, 'b.example');
  const once = await operator.proposals(['watch', '--once', '--json']);
  assert.deepEqual([once.exitCode, JSON.parse(once.stdout).id], [0, first.id]);
  const watching = execa(process.execPath, [MAIN, 'proposals', 'watch', '--json'], {
    env: operator.env,
    reject: false,
    stdin: 'ignore',
    buffer: false,
    timeout: 60_000,
  });
  const seen: string[] = [];
  let second: Proposal | undefined;
  for await (const line of watching) {
    seen.push(JSON.parse(line).id);
    if (seen.length === 1) second = await host(operator, 'c.example');
    else watching.kill();
  }
  assert.deepEqual(seen, [first.id, second?.id]);
});

test('verify checks the log without supervise, and names the place where it was changed', async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  await operator.proposals(['reject', id, '--reason', 'no']);
  const { data } = operator.world;
  const whole = await operator.proposals(['verify', data]);
  assert.equal(whole.exitCode, 0, whole.stderr);
  assert.match(
    whole.stdout,
    /2 records from 1 to 2 follow one another unchanged\nthe last one has the hash [0-9a-f]{64}$/,
  );
  const name = readdirSync(data).find((each) => each.startsWith('journal-')) ?? '';
  const text = readFileSync(join(data, name), 'utf8');
  const forged = join(operator.world.directory, name);
  writeFileSync(forged, text.replace('"no"', '"yes"'));
  const broken = await operator.proposals(['verify', forged]);
  assert.equal(broken.exitCode, 1);
  assert.match(broken.stderr, /journal-\d+\.jsonl:2: record 2 \(byte \d+\) .*; what comes from there on is not to be/);
});

test('a wrong action, a missing id and a supervise that is not there are told with the remedy', async (t) => {
  const wrong = await bottled(['proposals', 'aprove', 'x']);
  assert.deepEqual([wrong.exitCode, /did you mean "approve"\?/.test(wrong.stderr)], [2, true]);
  const missing = await bottled(['proposals', 'show']);
  assert.match(missing.stderr, /show needs the id of a proposal/);
  const { directory } = makeWorld(t);
  const away = await bottled(['proposals', '--supervise-socket', join(directory, 'none.sock')]);
  assert.equal(away.exitCode, 4);
  assert.match(
    away.stderr,
    /cannot reach supervise at .*none\.sock: there is no such socket; is it running\? name the data directory of the bundle with BOTTLED_DATA, or its socket/,
  );
});

const skip: string | false =
  execaSync('script', ['--version'], { reject: false }).exitCode === 0 ? false : 'needs script(1) for a terminal';

test('on a terminal the diff is shown and asked about; anything but yes decides nothing', { skip }, async (t) => {
  const operator = await startOperator(t);
  const { id } = await host(operator, 'b.example');
  for (const [answer, status] of [
    ['n', 'pending'],
    ['y', 'applied'],
  ] as const) {
    const terminal = execa('script', ['-qec', `${process.execPath} ${MAIN} proposals approve ${id}`, '/dev/null'], {
      env: operator.env,
      reject: false,
      timeout: 60_000,
      all: true,
    });
    let screen = '';
    terminal.all.on('data', (chunk: Buffer) => {
      const wasAsked = screen.includes('[y/N]');
      screen += chunk.toString();
      if (!wasAsked && screen.includes('[y/N]')) terminal.stdin.write(`${answer}\n`);
    });
    await terminal;
    assert.match(screen, /\+ {2}- host: b\.example/);
    assert.match(screen, new RegExp(`Approve ${id}\\?`));
    assert.equal((await operator.world.proposals())[0]?.status, status, screen);
  }
});
