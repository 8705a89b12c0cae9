import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse, problemsOf } from './files.ts';

test('a name that nothing in the file has is told with the known ones, wherever it stands', () => {
  const text = `exit_code: from:egres
secrets: { token: { environment: T } }
signals:
  SIGHUP: { signal: [nobody] }
  SIGUSR1: { restart: [egress, pipelock] }
daemons:
  egress:
    command: x
    secrets: [tokn, { source: other }]
    depends_on: { pipelok: { condition: service_healthy } }
`;
  assert.deepEqual(problemsOf(parse(text, { environment: { T: '1' } })), [
    ':1:12: exit_code: "egres" is no daemon of this bundle; did you mean "egress"? known are "egress"',
    ':4:22: signals.SIGHUP.signal[0]: "nobody" is no daemon of this bundle; known are "egress"',
    ':5:32: signals.SIGUSR1.restart[1]: "pipelock" is no daemon of this bundle; known are "egress"',
    ':9:15: daemons.egress.secrets[0]: "tokn" is no secret of this bundle; did you mean "token"? known are "token"',
    ':9:31: daemons.egress.secrets[1].source: "other" is no secret of this bundle; known are "token"',
    ':10:19: daemons.egress.depends_on.pipelok: "pipelok" is no daemon of this bundle; known are "egress"',
  ]);
});

test('a cycle is named in full, at the dependency that closes it', () => {
  const text = `daemons:
  z: { command: x, depends_on: [a] }
  a: { command: x, depends_on: [b] }
  b: { command: x, depends_on: { c: { condition: service_healthy } } }
  c: { command: x, depends_on: [a] }
  p: { command: x, depends_on: [q] }
  q: { command: x, depends_on: [p] }
  me: { command: x, depends_on: [me] }
`;
  assert.deepEqual(problemsOf(parse(text)), [
    ':3:33: daemons.a.depends_on: the dependencies form a cycle: a → b → c → a; take one of them out',
    ':6:33: daemons.p.depends_on: the dependencies form a cycle: p → q → p; take one of them out',
    ':8:34: daemons.me.depends_on[0]: "me" depends on itself',
  ]);
});

test('a cycle through thousands of daemons is found, not lost in a deep call', () => {
  const chain = Array.from({ length: 5_000 }, (_, i) => `  d${i}: { command: x, depends_on: [d${(i + 1) % 5_000}] }`);
  assert.match(problemsOf(parse(`daemons:\n${chain.join('\n')}\n`)).join('\n'), /form a cycle: d0 → d1 → d2/);
});

test('a daemon that always restarts never completes, so nothing may wait for that', () => {
  const text = (restart: string): string => `daemons:
  job: { command: x, restart: ${restart} }
  app: { command: x, depends_on: { job: { condition: service_completed_successfully } } }
`;
  for (const restart of ['always', 'unless-stopped']) {
    assert.deepEqual(problemsOf(parse(text(restart))), [
      `:3:36: daemons.app.depends_on.job: "job" never completes: its restart is "${restart}"; give it restart: "no" or "on-failure", or wait for service_healthy`,
    ]);
  }
  assert.ok(parse(text('on-failure:2')).ok);
  assert.ok(parse(text('no')).ok);
});

test('to wait for the health of a daemon without any probe is fine: it is ready once it has run for a second', () => {
  const text = `daemons:
  a: { command: x, healthcheck: { test: [NONE] } }
  b: { command: x, healthcheck: { disable: true } }
  c: { command: x, depends_on: { a: { condition: service_healthy }, b: { condition: service_healthy } } }
`;
  assert.ok(parse(text).ok);
});

test('signals that the init keeps for itself may not be given a meaning', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGCHLD', 'SIGKILL', 'SIGSTOP']) {
    const [problem = ''] = problemsOf(
      parse(`signals: { ${signal}: { reload: true } }\ndaemons: { a: { command: x } }\n`),
    );
    assert.match(problem, new RegExp(`^:1:12: signals.${signal}: cannot be given another meaning: `));
  }
  const text = 'signals: { SIGHPU: { reload: true }, SIGUSR1: {} }\ndaemons: { a: { command: x } }\n';
  assert.deepEqual(problemsOf(parse(text)), [
    ':1:12: signals.SIGHPU: is not a known key; did you mean "SIGHUP"?',
    ':1:38: signals.SIGUSR1: needs exactly one of signal, restart, reload',
  ]);
});

test('the files of a directory keep their names, so that target is refused there', () => {
  const text = `secrets: { keys: { directory: keys } }
daemons: { a: { command: x, secrets: [{ source: keys, target: key }] } }
`;
  assert.deepEqual(problemsOf(parse(text)), [
    ':2:63: daemons.a.secrets[0].target: "keys" is a directory, whose files keep their names; leave target out',
  ]);
});
