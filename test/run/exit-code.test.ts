import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInit } from './init.ts';

/** A daemon that says so when it runs, and leaves with `code` on SIGTERM. */
function onTerm(code: number): string {
  return `command: [sh, -c, "trap 'exit ${code}' TERM; echo up; while :; do sleep 0.05; done"], ready: { log: up }`;
}

const ROWS: readonly {
  readonly row: string;
  readonly bundle: string;
  /** Sent once the bundle says this. */
  readonly termAfter?: RegExp;
  readonly code: number;
}[] = [
  { row: 'completed', bundle: 'daemons: { a: { command: ["true"] } }', code: 0 },
  { row: 'stopped well', bundle: `daemons: { a: { ${onTerm(0)} } }`, termAfter: /a: .*→ running/, code: 0 },
  {
    row: 'stopped by its stop signal',
    bundle: 'daemons: { a: { command: [sleep, "1000"], ready: { after: 0s } } }',
    termAfter: /a: .*→ running/,
    code: 0,
  },
  { row: 'failed for good before the shutdown', bundle: 'daemons: { a: { command: [sh, -c, "exit 3"] } }', code: 3 },
  {
    row: 'killed by signal n before the shutdown',
    bundle: 'daemons: { a: { command: [sh, -c, "kill -SEGV $$$$"] } }',
    code: 139,
  },
  { row: 'never spawned, not found', bundle: 'daemons: { a: { command: [/no/such/program] } }', code: 127 },
  { row: 'never spawned, not executable', bundle: 'daemons: { a: { command: [/etc/passwd] } }', code: 126 },
  {
    row: 'crash, then shutdown',
    bundle: `daemons: { a: { command: [sh, -c, "exit 4"] }, b: { ${onTerm(0)} } }`,
    termAfter: /b: .*→ running/,
    code: 4,
  },
  {
    row: 'in backoff when the shutdown came',
    bundle: 'daemons: { a: { command: [sh, -c, "exit 6"], restart: always, backoff: { initial: 1h } } }',
    termAfter: /→ backoff/,
    code: 6,
  },
  {
    row: 'ended badly during the shutdown',
    bundle: `daemons: { a: { ${onTerm(5)} } }`,
    termAfter: /a: .*→ running/,
    code: 5,
  },
  {
    row: 'had to be killed after its grace',
    bundle: `daemons: { a: { command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.05; done"], ready: { log: up }, stop_grace_period: 300ms } }`,
    termAfter: /a: .*→ running/,
    code: 137,
  },
  {
    row: 'never ran because its dependency failed',
    bundle:
      'daemons: { a: { command: [sh, -c, "exit 9"] }, b: { command: ["true"], depends_on: { a: { condition: service_completed_successfully } } } }',
    code: 9,
  },
  {
    row: 'the leader left well, its group had to be killed',
    bundle: `daemons: { a: { command: [sh, -c, "(trap '' TERM; echo up; while :; do sleep 0.05; done) & trap 'exit 0' TERM; while :; do sleep 0.05; done"], ready: { log: up }, stop_grace_period: 500ms } }`,
    termAfter: /a: .*→ running/,
    code: 0,
  },
  {
    row: 'worst of several',
    bundle:
      'daemons: { a: { command: [sh, -c, "exit 3"] }, b: { command: [sh, -c, "exit 7"] }, c: { command: ["true"] } }',
    code: 7,
  },
  {
    row: 'first of several',
    bundle:
      'exit_code: first\ndaemons: { a: { command: [sh, -c, "exit 3"] }, b: { command: [sh, -c, "exit 7"], depends_on: { c: { condition: service_completed_successfully } } }, c: { command: [sleep, "0.3"] } }',
    code: 3,
  },
  {
    row: 'from one of several',
    bundle: 'exit_code: from:c\ndaemons: { a: { command: [sh, -c, "exit 3"] }, c: { command: [sh, -c, "exit 2"] } }',
    code: 2,
  },
  {
    row: 'an essential daemon that ends for good',
    bundle: `daemons: { a: { command: [sh, -c, "exit 8"], essential: true }, b: { command: [sleep, "1000"] } }`,
    code: 8,
  },
  { row: 'an invalid bundle file', bundle: 'daemons: { a: { comand: x } }', code: 2 },
];

for (const { row, bundle, termAfter, code } of ROWS) {
  test(`exit code ${code}: ${row}`, async (t) => {
    const init = startInit(t, bundle);
    if (termAfter !== undefined) {
      await init.saw(termAfter);
      init.signal('SIGTERM');
    }
    assert.equal(await init.ended(), code, init.output());
  });
}

test('at the end one line says which daemon decided the code and why', async (t) => {
  const init = startInit(t, 'daemons: { a: { command: [sh, -c, "exit 3"] }, b: { command: ["true"] } }');
  await init.ended();
  assert.match(init.output(), /exit code 3, decided by a: exit code 3/);
});

test('a leader that left well whose group had to be killed is an incident', async (t) => {
  const row = ROWS.find((one) => one.row.startsWith('the leader left well'));
  const init = startInit(t, row?.bundle ?? '');
  await init.saw(/a: .*→ running/);
  init.signal('SIGTERM');
  await init.saw(/a: incident: killed-after-grace/);
});
