import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { test } from 'node:test';
import { execaSync } from 'execa';
import fc from 'fast-check';
import { formatProblem } from '../../config/problem.ts';
import { bundleOf, directory, load, parse, problemsOf } from './files.ts';

const VALID = `
name: dev
daemons:
  egress:
    command: [node, main.js]
    depends_on: { pipelock: { condition: service_healthy } }
    restart: always
  pipelock:
    command: pipelock run --config "/etc/pipe lock.yaml"
    healthcheck: { http: { port: 8888 }, interval: 10s }
`;

test('a valid file becomes a bundle with every default filled in', () => {
  const bundle = bundleOf(parse(VALID));
  assert.deepEqual(Object.keys(bundle.daemons), ['egress', 'pipelock']);
  assert.deepEqual(bundle.daemons.pipelock?.command, ['pipelock', 'run', '--config', '/etc/pipe lock.yaml']);
  assert.equal(bundle.daemons.pipelock?.healthcheck?.interval, 10_000);
  assert.equal(bundle.daemons.egress?.stop_signal, 'SIGTERM');
  assert.equal(bundle.stop_grace_period, 8_000);
});

test('every mistake of a file is told at once, in the order of the file, with line, column and remedy', () => {
  const text = `name: dev
daemons:
  egress:
    command: [node, main.js]
    restart: alway
    depends_on: [pipelok]
    healthcheck: { http: { port: 99999 }, interval: 10 sec }
    retsart: always
  pipelock:
    user: 10
`;
  assert.deepEqual(problemsOf(parse(text)), [
    ':5:14: daemons.egress.restart: "alway" is not one of "no", "always", "on-failure", "on-failure:<n>", "unless-stopped"; did you mean "always"?',
    ':6:18: daemons.egress.depends_on[0]: "pipelok" is no daemon of this bundle; did you mean "pipelock"? known are "egress", "pipelock"',
    ':7:34: daemons.egress.healthcheck.http.port: 99999 is more than 65535',
    ':7:53: daemons.egress.healthcheck.interval: "10 sec" is not a duration; write a number with its unit: "500ms", "10s", "1m30s"',
    ':8:5: daemons.egress.retsart: is not a known key; did you mean "restart"?',
    ':9:3: daemons.pipelock.command: is missing: say what to run, e.g. command: [nginx, -g, "daemon off;"]',
  ]);
});

/** A daemon `a` with these lines, and what is then wrong with it. */
function problemsWith(...lines: readonly string[]): readonly string[] {
  return problemsOf(parse(['daemons:', '  a:', '    command: [x]', ...lines.map((line) => `    ${line}`)].join('\n')));
}

test('values of the wrong kind are told in words of YAML', () => {
  const wrong: [string, string][] = [
    ['essential: yes', '16: daemons.a.essential: "yes" is not true or false'],
    ['environment: 3', '18: daemons.a.environment: this value is not a map of keys or a list'],
    ['working_dir: [a]', '5: daemons.a.working_dir: a list is not a text'],
    ['backoff: 1s', '14: daemons.a.backoff: "1s" is not a map of keys'],
    ['backoff:', '5: daemons.a.backoff: an empty value is not a map of keys'],
    ['backoff: { factor: 0.5 }', '24: daemons.a.backoff.factor: 0.5 is less than 1'],
    ['backoff: { max_attempts: many }', '30: daemons.a.backoff.max_attempts: "many" is not a number or "unlimited"'],
    ['success_exit_codes: [0, 300]', '29: daemons.a.success_exit_codes[1]: 300 is more than 255'],
    [
      'data: [{ path: /d, mode: 0o700 }]',
      '30: daemons.a.data[0].mode: 0o700 is not a mode of chmod; write three or four octal digits: "0700"',
    ],
    [
      'data: [{ path: /d, backup: none }]',
      '32: daemons.a.data[0].backup: "none" is not one of "git", "reproducible", "must-back-up", "disposable"',
    ],
    [
      'stop_signal: SIGTREM',
      '18: daemons.a.stop_signal: "SIGTREM" is not a signal; write a name such as "SIGTERM"; did you mean "SIGTERM"?',
    ],
    [
      'on_unhealthy: restrat',
      '19: daemons.a.on_unhealthy: "restrat" is not one of "restart", "ignore"; did you mean "restart"?',
    ],
    ['ulimits: { nofle: 4 }', '16: daemons.a.ulimits.nofle: is not a known key; did you mean "nofile"?'],
    ['ulimits: { nofile: { soft: 4 } }', '16: daemons.a.ulimits.nofile.hard: is missing'],
    ['cap_add: [NET_BIND]', '15: daemons.a.cap_add[0]: "NET_BIND" is not a capability of capabilities(7), nor ALL'],
    ['ports: [80]', '5: daemons.a.ports: is not a known key; belongs to the container, not to a daemon in it'],
    [
      'healthcheck: { test: [curl, x] }',
      '20: daemons.a.healthcheck.test: must begin with "CMD", "CMD-SHELL" or "NONE", or be one text for the shell',
    ],
    ['healthcheck: { test: [CMD] }', '20: daemons.a.healthcheck.test: says nothing to run after "CMD"'],
    ['healthcheck: {}', '5: daemons.a.healthcheck: needs exactly one probe: test, http, tcp or unix'],
    [
      'healthcheck: { test: x, tcp: { port: 1 } }',
      '5: daemons.a.healthcheck: needs exactly one probe: test, http, tcp or unix',
    ],
    ['ready: { log: "(" }', '19: daemons.a.ready.log: "(" is not a regular expression that JavaScript knows'],
    ['ready: { log: x, notify_fd: 3 }', '5: daemons.a.ready: needs exactly one of notify_fd, sd_notify, log, after'],
    ['entrypoint: "a \'b"', '17: daemons.a.entrypoint: "a \'b" has an opening \' without a closing one'],
    ['environment: { A: "\\0" }', '23: daemons.a.environment.A: holds a NUL character, which no program can be given'],
    [
      'secrets: [{ source: s, target: ../x }]',
      '36: daemons.a.secrets[0].target: "../x" is not a name: use letters, digits, "_", "." and "-", at most 63, the first a letter or digit',
    ],
  ];
  for (const [line, problem] of wrong)
    assert.ok(problemsWith(line).includes(`:4:${problem}`), problemsWith(line).join('\n'));
});

test('names of daemons are plain, and odd ones are told', () => {
  for (const name of ['"a b"', '"../x"', '"-x"', `"${'x'.repeat(64)}"`, '"ä"']) {
    assert.match(
      problemsOf(parse(`daemons:\n  ${name}: { command: x }\n`)).join('\n'),
      /^:2:3: daemons.*is not a name/,
      name,
    );
  }
});

test('a bundle without daemons, and a file without anything, are refused', () => {
  assert.deepEqual(problemsOf(parse('name: x\n')), [':1:1: daemons: is missing']);
  assert.deepEqual(problemsOf(parse('daemons: {}\n')), [':1:1: daemons: is empty: name at least one daemon']);
  for (const text of ['', '\n\n', '# nothing\n', '---\n']) {
    assert.deepEqual(
      problemsOf(parse(text)),
      [': is empty; name at least one daemon under "daemons:"'],
      JSON.stringify(text),
    );
  }
  assert.deepEqual(problemsOf(parse('- a\n')), [':1:1: a list is not a map of keys']);
});

test("keys that begin with x- are the author's own", () => {
  bundleOf(parse('x-a: 1\ndaemons: { a: { command: x, x-b: [1, { c: d }] } }\n'));
});

test('a value that may be a secret is in no message', () => {
  const text = `
secrets: { token: { file: 3, environment: hunter2-a } }
daemons:
  a:
    command: x
    environment: { PASSWORD: [hunter2-b], "B=": hunter2-c, C: "hunter2-d\${" }
    healthcheck: { http: { port: 1, headers: { Authorization: 7, B: [hunter2-e] } } }
    user: [$SECRET]
    stop_grace_period: $SECRET
`;
  const problems = problemsOf(parse(text, { environment: { SECRET: 'hunter2' } }));
  assert.ok(problems.length >= 6, problems.join('\n'));
  assert.doesNotMatch(problems.join('\n'), /hunter2/);
});

test('a hundred problems are told, and that there are more', () => {
  const text = `daemons:\n  a: { command: x }\n${Array.from({ length: 5000 }, (_, i) => `k${i}: 1`).join('\n')}\n`;
  const problems = problemsOf(parse(text));
  assert.equal(problems.length, 101);
  assert.match(problems.at(-1) ?? '', /more than 100 problems; mend these first/);
});

test('a problem is one line, whatever the file holds', () => {
  for (const problem of problemsOf(parse('daemons: { a: { command: x, restart: "a\\nb\\e[31m" } }\n"k\\ny": 1\n'))) {
    assert.ok(!problem.includes('\n') && !problem.includes('\u001b'), problem);
  }
});

test('numbers in commands, variables and labels are kept as they are written', () => {
  const text =
    'daemons: { a: { command: [sleep, 1.10, true], user: 1000, environment: { V: 1.10, B: TRUE, N: 007 }, labels: { l: 1e3 } } }';
  const daemon = bundleOf(parse(text)).daemons.a;
  assert.deepEqual(daemon?.command, ['sleep', '1.10', 'true']);
  assert.deepEqual(daemon?.environment, { V: '1.10', B: 'TRUE', N: '007' });
  assert.deepEqual(daemon?.labels, { l: '1e3' });
  assert.equal(daemon?.user, '1000');
});

test('a file that cannot be read is one clear line', async () => {
  using files = directory();
  mkdirSync(join(files.path, 'folder'));
  symlinkSync('loop', join(files.path, 'loop'));
  execaSync('mkfifo', [join(files.path, 'fifo')]);
  const problems: [string, RegExp][] = [
    [join(files.path, 'missing.yaml'), /missing\.yaml: does not exist; name another with -f FILE$/],
    [join(files.path, 'folder'), /folder: is a directory$/],
    [join(files.path, 'loop'), /loop: is a circle of symbolic links$/],
    [join(files.path, 'fifo'), /fifo: is not a regular file$/],
    ['/dev/zero', /zero: is not a regular file$/],
    [files.write('latin1.yaml', Buffer.from('name: caf\xe9\n', 'latin1')), /latin1\.yaml: is not UTF-8 text$/],
    [files.write('utf16.yaml', Buffer.from('\ufeffname: x\n', 'utf16le')), /utf16\.yaml: is not UTF-8 text$/],
    [
      files.write('large.yaml', `# ${'x'.repeat(5_000_000)}`),
      /large\.yaml: holds 5000002 bytes; at most 1048576 \(1 MiB\) are read$/,
    ],
    [files.write('empty.yaml', ''), /empty\.yaml: is empty; name at least one daemon/],
  ];
  for (const [path, expected] of problems) {
    const loaded = await load(path);
    assert.ok(!loaded.ok);
    assert.equal(loaded.problems.length, 1);
    assert.match(loaded.problems.map(formatProblem).join('\n'), expected);
  }
});

test('a file that this user may not read is told', {
  skip: getuid?.() === 0 ? 'root may read everything' : false,
}, async () => {
  using files = directory();
  const path = files.write('secret.yaml', VALID);
  chmodSync(path, 0);
  const loaded = await load(path);
  assert.ok(!loaded.ok);
  assert.match(loaded.problems.map(formatProblem).join('\n'), /secret\.yaml: may not be read by this user$/);
});

test('a byte order mark at the start is nothing', async () => {
  using files = directory();
  bundleOf(await load(files.write('bom.yaml', `\ufeff${VALID}`)));
});

test('no damage to a file makes the reader throw', () => {
  const piece = fc.constantFrom(
    ':',
    '- ',
    '\n',
    '[',
    '}',
    '"',
    '*a',
    '&a ',
    '${',
    '!!binary ',
    '? ',
    '\0',
    '<<: ',
    'null',
    '9',
    '\t',
    '|\n',
    '{a: ',
  );
  const damage = fc.record({ where: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(20), put: piece });
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 5 }), (all) => {
      const text = all.reduce((before, { where, cut, put }) => {
        const at = Math.floor(where * before.length);
        return before.slice(0, at) + put + before.slice(at + cut);
      }, VALID);
      const loaded = parse(text);
      if (!loaded.ok) assert.ok(loaded.problems.every((problem) => /\S/.test(formatProblem(problem))));
      assert.ok(loaded.ok || loaded.problems.length > 0);
    }),
    { numRuns: 1_500 },
  );
});
