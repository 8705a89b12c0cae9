import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { run } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';

interface Row {
  readonly rule: string;
  readonly code: number;
  readonly bundle: string;
  /** `docker stop` once all of these are in the log; without it, it ends by itself. */
  readonly stopAfter?: readonly RegExp[];
}

/** Says "up" once it has set its trap, so that no signal comes too early. */
function trapping(action: string): string {
  return `[sh, -c, "trap '${action}' TERM; echo up; while :; do sleep 0.1; done"]`;
}

const UP = 'ready: { log: up }';
const RUNS = [/→ running/] as const;

const ROWS: readonly Row[] = [
  { rule: 'completed: 0', code: 0, bundle: 'daemons: { a: { command: ["true"] } }' },
  {
    rule: 'stopped by its stop signal: 0',
    code: 0,
    bundle: `daemons: { a: { command: [sh, -c, "echo up; exec sleep 600"], ${UP} } }`,
    stopAfter: RUNS,
  },
  {
    rule: 'leaves well when asked to: 0',
    code: 0,
    bundle: `daemons: { a: { command: ${trapping('exit 0')}, ${UP} } }`,
    stopAfter: RUNS,
  },
  { rule: 'failed for good: its code', code: 3, bundle: 'daemons: { a: { command: [sh, -c, "exit 3"] } }' },
  {
    rule: 'failed for good by a signal: 128 + n',
    code: 139,
    bundle: 'daemons: { a: { command: [sh, -c, "kill -SEGV $$$$"] } }',
  },
  {
    rule: 'failed after its last try: its last code',
    code: 4,
    bundle:
      'daemons: { a: { command: [sh, -c, "exit 4"], restart: always, backoff: { initial: 10ms, max_attempts: 2 } } }',
  },
  { rule: 'never spawned, not found: 127', code: 127, bundle: 'daemons: { a: { command: [/no/such/program] } }' },
  { rule: 'never spawned, not executable: 126', code: 126, bundle: 'daemons: { a: { command: [/etc/passwd] } }' },
  {
    rule: 'crashed before the shutdown, and waits for its next try: its last code',
    code: 5,
    bundle: `daemons:
  a: { command: [sh, -c, "exit 5"], restart: always, backoff: { initial: 10m, max: 10m } }
  b: { command: ${trapping('exit 0')}, ${UP} }`,
    stopAfter: [/→ backoff/, ...RUNS],
  },
  {
    rule: 'never ran because its dependency failed: 0, so the code of the dependency',
    code: 6,
    bundle: `daemons:
  a: { command: [sh, -c, "exit 6"] }
  b: { command: [sh, -c, "exit 9"], depends_on: { a: { condition: service_completed_successfully } } }`,
  },
  {
    rule: 'ended badly during the shutdown: its code',
    code: 7,
    bundle: `daemons: { a: { command: ${trapping('exit 7')}, ${UP} } }`,
    stopAfter: RUNS,
  },
  {
    rule: 'ended badly by a signal during the shutdown: 128 + n',
    code: 134,
    bundle: `daemons: { a: { command: ${trapping('kill -ABRT $$$$')}, ${UP} } }`,
    stopAfter: RUNS,
  },
  {
    rule: 'killed after its grace: 137',
    code: 137,
    bundle: `daemons: { a: { command: ${trapping('')}, stop_grace_period: 200ms, ${UP} } }`,
    stopAfter: RUNS,
  },
  {
    rule: 'left well, but its group had to be killed: 0',
    code: 0,
    bundle: `daemons:
  a:
    command: [sh, -c, "(trap '' TERM; sleep 600) & trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"]
    stop_grace_period: 300ms
    ${UP}`,
    stopAfter: RUNS,
  },
  {
    rule: 'an essential daemon ends for good: the bundle ends, with its code',
    code: 8,
    bundle: `daemons:
  a: { command: [sh, -c, "exit 8"], essential: true, depends_on: { b: { condition: service_healthy } } }
  b: { command: ${trapping('exit 0')}, ${UP} }`,
  },
  {
    rule: 'worst: the highest of several',
    code: 20,
    bundle: `daemons:
  a: { command: [sh, -c, "exit 10"] }
  b: { command: [sh, -c, "exit 20"] }`,
  },
  {
    rule: 'first: the earliest bad end',
    code: 10,
    bundle: `exit_code: first
daemons:
  a: { command: [sh, -c, "exit 10"], essential: true, depends_on: { b: { condition: service_healthy } } }
  b: { command: ${trapping('exit 20')}, ${UP} }`,
  },
  {
    rule: 'from:<daemon>: that one, whatever the others did',
    code: 10,
    bundle: `exit_code: from:a
daemons:
  a: { command: [sh, -c, "exit 10"] }
  b: { command: [sh, -c, "exit 20"] }`,
  },
  { rule: 'a bundle file that is wrong: 2, and nothing is started', code: 2, bundle: 'daemons: { a: { comand: x } }' },
];

describe('the exit code of the container, as docker inspect shows it', { skip: noEngine, concurrency: 2 }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  for (const { rule, code, bundle, stopAfter } of ROWS) {
    test(rule, async (t) => {
      const container = await run(t, { bundle });
      for (const pattern of stopAfter ?? []) await container.saw(pattern);
      if (stopAfter !== undefined) await docker('stop', container.id);
      assert.equal(await container.ended(), code, await container.logs());
    });
  }

  test('no bundle file at all: 2, with one line that says what to do', async (t) => {
    const container = await run(t, { args: ['--file', '/no/such/bundle.yaml'] });
    assert.equal(await container.ended(), 2);
    assert.match(await container.logs(), /no\/such\/bundle\.yaml/);
  });
});
