import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { formatDuration } from '../../config/duration.ts';
import { printBundle } from '../../init/bundle/print.ts';
import { bundleOf, parse } from './files.ts';

/** Text of all kinds but NUL, which no program can be given. */
const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .map((value) => value.replaceAll('\0', '').replaceAll('$', '$$$$'));
const variable = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
const duration = fc.nat({ max: 10_000_000 }).map(formatDuration);
const port = fc.integer({ min: 1, max: 65535 });
const command = fc.oneof(fc.array(text, { minLength: 1, maxLength: 4 }), fc.constantFrom('sh -c "a b"', "x 'y z'"));
const environment = fc.oneof(
  fc.dictionary(variable, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null)), { maxKeys: 3 }),
  fc.array(
    fc.tuple(variable, text).map(([name, value]) => `${name}=${value}`),
    { maxLength: 3 },
  ),
);
const options = { requiredKeys: [] as [] };
const check = fc
  .record(
    {
      interval: duration,
      timeout: duration,
      retries: fc.integer({ min: 1, max: 9 }),
      start_period: duration,
      disable: fc.boolean(),
    },
    options,
  )
  .chain((rest) =>
    fc
      .oneof(
        fc.record({ http: fc.record({ port, path: text.map((path) => `/${path}`) }) }),
        fc.record({ tcp: fc.record({ port }) }),
        fc.record({ unix: fc.record({ path: text.map((path) => `/run/${path}`) }) }),
        fc.record({
          test: fc
            .oneof(
              text,
              text.map((word) => ['CMD', `x${word}`]),
            )
            .filter((value) => value !== ''),
        }),
      )
      .map((probe) => ({ ...rest, ...probe })),
  );
const ready = fc.oneof(
  fc.record({ notify_fd: fc.integer({ min: 3, max: 255 }) }),
  fc.constant({ sd_notify: true }),
  fc.constant({ log: '^ready (on )?\\d+$$' }),
  fc.record({ after: duration }),
);
const daemon = fc
  .record(
    {
      entrypoint: command,
      environment,
      pass_environment: fc.array(variable, { maxLength: 2 }),
      healthcheck: check,
      ready,
      start_timeout: duration,
      restart: fc.constantFrom('no', 'always', 'on-failure', 'on-failure:3', 'unless-stopped'),
      backoff: fc.record(
        {
          initial: duration,
          factor: fc.double({ min: 1, max: 10, noNaN: true }),
          max_attempts: fc.constantFrom(0, 7, 'unlimited'),
        },
        options,
      ),
      essential: fc.boolean(),
      success_exit_codes: fc.array(fc.nat({ max: 255 }), { maxLength: 3 }),
      stop_signal: fc.constantFrom('SIGINT', 'TERM', 9),
      stop_grace_period: duration,
      user: fc.oneof(text, fc.nat()),
      working_dir: fc.constantFrom('.', 'a/b', '/c', '..'),
      ulimits: fc.constantFrom({ nofile: 10 }, { core: { soft: 0, hard: -1 } }),
      labels: fc.dictionary(variable, text, { maxKeys: 2 }),
      data: fc.array(
        fc.oneof(
          fc.constantFrom('/data', 'here'),
          fc.record(
            {
              path: fc.constantFrom('/data', 'here'),
              mode: fc.constantFrom('0700', '711', '2750', '000'),
              backup: fc.constantFrom('git', 'reproducible', 'must-back-up', 'disposable'),
              purpose: text,
            },
            { requiredKeys: ['path'] },
          ),
        ),
        { maxLength: 2 },
      ),
      pre_stop: fc.array(fc.record({ command }), { maxLength: 2 }),
      logging: fc.record({ on_full: fc.constantFrom('block', 'drop'), ring: fc.nat({ max: 1000 }) }, options),
      'x-mine': text,
    },
    options,
  )
  .chain((rest) => command.map((words) => ({ ...rest, command: words })));
const file = fc
  .record(
    {
      name: fc.constantFrom('dev', 'a.b-c_d'),
      exit_code: fc.constantFrom('worst', 'first', 'from:d0'),
      stop_grace_period: duration,
      signals: fc.constantFrom(
        {},
        { SIGHUP: { reload: true } },
        { SIGUSR1: { restart: ['d0'] }, SIGUSR2: { signal: [] } },
      ),
    },
    options,
  )
  .chain((rest) =>
    fc.array(daemon, { minLength: 1, maxLength: 4 }).map((all) => ({
      ...rest,
      daemons: Object.fromEntries(
        all.map((one, i) => [`d${i}`, i === 0 ? one : { ...one, depends_on: [`d${i - 1}`] }]),
      ),
    })),
  );

test('what parses prints, and what is printed parses to the same', () => {
  fc.assert(
    fc.property(file, (value) => {
      const first = bundleOf(parse(stringify(value), { environment: { A: 'outer' } }));
      assert.deepStrictEqual(bundleOf(parse(printBundle(first))), first);
    }),
    { numRuns: 150 },
  );
});

test('a printed bundle says only what is not the default', () => {
  const bundle = bundleOf(
    parse('name: dev\ndaemons: { a: { command: "sleep 1", essential: true, working_dir: / } }\n'),
  );
  assert.equal(
    printBundle(bundle),
    'name: dev\ndaemons:\n  a:\n    command:\n      - sleep\n      - "1"\n    essential: true\n    working_dir: /\n',
  );
});
