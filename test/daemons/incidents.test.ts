import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { BOTTLED, type RunningInit, startInitOn } from '../run/init.ts';
import { fakeToken, until } from './supervise/world.ts';

/** What goes wrong with a daemon of the bundle is in the operator's list, by way of the init's socket for reading. */

const SUPERVISE = fileURLToPath(new URL('../../dist/supervise.mjs', import.meta.url));

interface World extends RunningInit {
  list(...args: string[]): Promise<string>;
  /** The incident of this daemon and cause, as soon as it is there. */
  incident(daemon: string, cause: string): Promise<Proposal>;
}

/** Runs supervise and these daemons. */
async function startWorld(t: TestContext, daemons: string): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'incidents-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const read = join(directory, 'read.sock');
  const environment = {
    SUPERVISE_PORT: '0',
    SUPERVISE_METRICS_PORT: '0',
    SUPERVISE_LISTEN: '127.0.0.1',
    SUPERVISE_DATA: join(directory, 'supervise'),
    SUPERVISE_CONFIG: directory,
    SUPERVISE_INIT_SOCKET: read,
  };
  const file = join(directory, 'bundle.yaml');
  writeFileSync(
    file,
    `name: incidents
control: { read: { path: ${read} } }
daemons:
  supervise:
    command: ${JSON.stringify([process.execPath, SUPERVISE])}
    environment: ${JSON.stringify(environment)}
    ready: { log: supervise listens }
    restart: always
    backoff: { initial: 50ms, factor: 1 }
${daemons}`,
  );
  const init = startInitOn(t, file, directory);
  await init.saw(/supervise +\| .*supervise listens/);
  const socket = join(directory, 'supervise', 'operator.sock');
  const list = async (...args: string[]): Promise<string> => {
    const { stdout } = await execa(BOTTLED, ['proposals', 'list', '--supervise-socket', socket, ...args], {
      extendEnv: false,
      env: { PATH: process.env.PATH ?? '' },
    });
    return stdout;
  };
  const incident = (daemon: string, cause: string): Promise<Proposal> =>
    until(`an incident ${cause} of ${daemon}`, async () => {
      const lines = (await list('--json')).split('\n').filter((line) => line !== '');
      const all = lines.map((line): Proposal => JSON.parse(line));
      return all.find(({ kind, facts }) => kind === 'incident' && facts.daemon === daemon && facts.cause === cause);
    });
  return { ...init, list, incident };
}

test('a daemon that crashes and is given up is in the list twice, with its last lines, but not the one that holds a token', async (t) => {
  const token = fakeToken();
  const { list, incident } = await startWorld(
    t,
    `  crasher:
    command: [sh, -c, "echo first; echo my token is ${token}; echo last words; exit 3"]
    restart: on-failure:2
    backoff: { initial: 50ms }
    essential: false
`,
  );
  const crash = await incident('crasher', 'exit-code');
  assert.match(crash.justification, /3/);
  assert.match(crash.facts.lines ?? '', /last words/);
  await incident('crasher', 'given-up');
  const shown = await list();
  assert.match(shown, /incident +pending +init/);
  assert.match(shown, /last words/);
  assert.match(crash.facts.lines ?? '', /\*{8}/);
  assert.doesNotMatch(shown + (await list('--json')), new RegExp(token));
});

test('a daemon whose probe fails is in the list', async (t) => {
  const { incident } = await startWorld(
    t,
    `  ill:
    command: [sh, -c, "echo I feel ill; exec sleep 1000"]
    healthcheck: { test: [CMD, "false"], interval: 100ms, retries: 2 }
    essential: false
`,
  );
  const { facts } = await incident('ill', 'probe-failed');
  assert.match(facts.lines ?? '', /I feel ill/);
});

test('a daemon that had to be killed after its grace is in the list', async (t) => {
  const { incident, bottled, saw } = await startWorld(
    t,
    `  stubborn:
    command: [sh, -c, "trap '' TERM; echo I stay; while :; do sleep 0.1; done"]
    stop_grace_period: 200ms
    essential: false
`,
  );
  await saw(/stubborn +\| .*I stay/);
  await bottled('stop', 'stubborn');
  const { facts } = await incident('stubborn', 'killed-after-grace');
  assert.match(facts.lines ?? '', /I stay/);
});

test('what happened while supervise was away is in the list once it is back', async (t) => {
  const { incident, bottled, list } = await startWorld(
    t,
    `  crasher:
    command: [sh, -c, "echo waiting; exec sleep 1000"]
    restart: "no"
    essential: false
`,
  );
  await bottled('stop', 'supervise');
  await bottled('signal', 'KILL', 'crasher');
  await bottled('start', 'supervise');
  const { facts, times } = await incident('crasher', 'signal');
  assert.match(facts.lines ?? '', /waiting/);
  assert.equal(times, 1);
  assert.match(await list(), /crasher: /);
});

test('each death of supervise itself is counted once, however often it was started again', async (t) => {
  const { incident, status, saw } = await startWorld(t, '');
  for (const deaths of [1, 2, 3, 4]) {
    const { daemons } = await status();
    process.kill(daemons.find(({ name }) => name === 'supervise')?.pid ?? 0, 'SIGKILL');
    await saw(/supervise +\| .*supervise listens/, deaths + 1);
    const { times } = await until(`death ${deaths} is told`, async () => {
      const told = await incident('supervise', 'signal');
      return told.times >= deaths ? told : undefined;
    });
    assert.equal(times, deaths);
  }
});
