import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleOf, parse, problemsOf } from './files.ts';

const TEXT = `
exit_code: from:web
signals: { SIGHUP: { signal: [web, db] } }
daemons:
  db: { command: x }
  web: { command: x, depends_on: [db] }
  debug: { command: x, profiles: [debug, dev], depends_on: { web: { condition: service_started, required: false } } }
`;

const names = (options: Parameters<typeof parse>[1]): readonly string[] =>
  Object.keys(bundleOf(parse(TEXT, options)).daemons);

test('without a word all run but those whose profiles are not active', () => {
  assert.deepEqual(names({}), ['db', 'web']);
});

test('a profile of BOTTLED_PROFILES or COMPOSE_PROFILES is active, and * is every profile', () => {
  assert.deepEqual(names({ environment: { BOTTLED_PROFILES: 'other, dev' } }), ['db', 'web', 'debug']);
  assert.deepEqual(names({ environment: { COMPOSE_PROFILES: 'debug' } }), ['db', 'web', 'debug']);
  assert.deepEqual(names({ environment: { BOTTLED_PROFILES: '*' } }), ['db', 'web', 'debug']);
});

test('--only names the daemons that run, whatever their profiles; BOTTLED_DAEMONS is the same by a variable', () => {
  assert.deepEqual(names({ only: ['debug', 'db'] }), ['db', 'debug']);
  assert.deepEqual(names({ environment: { BOTTLED_DAEMONS: 'db , web' } }), ['db', 'web']);
  assert.deepEqual(names({ only: ['db'], environment: { BOTTLED_DAEMONS: 'web' } }), ['db']);
  assert.deepEqual(names({ environment: { BOTTLED_DAEMONS: ' ' } }), ['db', 'web']);
});

test('a dependency that is left out is an error that names it, unless it is not required', () => {
  assert.deepEqual(problemsOf(parse(TEXT, { only: ['web'] })), [
    '--only: "web" depends on "db", which it leaves out; add db',
  ]);
  assert.deepEqual(bundleOf(parse(TEXT, { only: ['debug'] })).daemons.debug?.depends_on, {});
  const text = 'daemons: { a: { command: x, depends_on: [b] }, b: { command: x, profiles: [p] } }';
  assert.deepEqual(problemsOf(parse(text)), [
    'BOTTLED_PROFILES: "a" depends on "b", whose profiles are not active; set it to one or more of "p", or write required: false',
  ]);
});

test('an unknown daemon is an error that lists the known ones, and no daemon at all is one', () => {
  assert.deepEqual(problemsOf(parse(TEXT, { only: ['wbe', 'db'] })), [
    '--only: "wbe" is no daemon of this bundle; did you mean "web"? known are "db", "web", "debug"',
  ]);
  const listed = 'names no daemon; known are "db", "web", "debug"';
  assert.deepEqual(problemsOf(parse(TEXT, { only: [] })), [`--only: ${listed}`]);
  assert.deepEqual(problemsOf(parse(TEXT, { environment: { BOTTLED_DAEMONS: ',' } })), [`BOTTLED_DAEMONS: ${listed}`]);
  const profiles = 'daemons: { a: { command: x, profiles: [p] } }';
  assert.deepEqual(problemsOf(parse(profiles)), [
    'BOTTLED_PROFILES: no daemon is active; set it to one or more of "p"',
  ]);
});

test('what the file says of a daemon that does not run falls away', () => {
  const loaded = parse(TEXT, { only: ['db'] });
  const bundle = bundleOf(loaded);
  assert.deepEqual(bundle.signals, { SIGHUP: { signal: ['db'] } });
  assert.equal(bundle.exit_code, 'worst');
  assert.ok(loaded.ok);
  assert.deepEqual(
    loaded.warnings.map((warning) => warning.message),
    ['"from:web" names a daemon that does not run now'],
  );
});

test('the file is checked as a whole, whatever runs of it', () => {
  const text = 'daemons: { a: { command: x }, b: { command: x, restart: alway } }';
  assert.match(problemsOf(parse(text, { only: ['a'] })).join(), /daemons\.b\.restart/);
});
