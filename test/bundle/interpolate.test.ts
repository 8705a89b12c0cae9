// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables as Compose writes them are what is tested.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { interpolate } from '../../init/bundle/interpolate.ts';
import { bundleOf, parse, problemsOf } from './files.ts';

/** A text with variables as a tree, so that a model of ten lines can say what becomes of it. */
type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'dollar' }
  | { readonly kind: 'bare' | 'braced'; readonly name: string }
  | {
      readonly kind: 'either';
      readonly name: string;
      readonly operator: ':-' | '-' | ':+' | '+';
      readonly other: readonly Part[];
    };

const ENVIRONMENT = { SET: 'value', EMPTY: '', _a1: 'x$y' };
const name = fc.constantFrom('SET', 'EMPTY', '_a1', 'UNSET');
const parts = fc.letrec<{ parts: Part[]; part: Part }>((tie) => ({
  parts: fc.array(tie('part'), { maxLength: 4 }),
  part: fc.oneof(
    { depthSize: 'small' },
    fc.record({ kind: fc.constant('text' as const), text: fc.stringMatching(/^[^$}A-Za-z0-9_]{0,6}$/) }),
    fc.constant({ kind: 'dollar' as const }),
    fc.record({ kind: fc.constantFrom('braced' as const), name }),
    fc.record({
      kind: fc.constant('either' as const),
      name,
      operator: fc.constantFrom(':-', '-', ':+', '+'),
      other: tie('parts'),
    }),
  ),
})).parts;

function written(part: Part): string {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'dollar':
      return '$$';
    case 'bare':
      return `$${part.name}`;
    case 'braced':
      return `\${${part.name}}`;
    case 'either':
      return `\${${part.name}${part.operator}${part.other.map(written).join('')}}`;
  }
}

function meant(part: Part): string {
  if (part.kind === 'text') return part.text;
  if (part.kind === 'dollar') return '$';
  const value = new Map(Object.entries(ENVIRONMENT)).get(part.name);
  if (part.kind !== 'either') return value ?? '';
  const other = part.other.map(meant).join('');
  const given = part.operator.startsWith(':') ? Boolean(value) : value !== undefined;
  return part.operator.endsWith('+') ? (given ? other : '') : given ? (value ?? '') : other;
}

test('variables are put in as a small model says, however they are nested', () => {
  fc.assert(
    fc.property(parts, (list) => {
      const text = list.map(written).join('');
      assert.deepEqual(interpolate(text, ENVIRONMENT), { ok: true, text: list.map(meant).join('') });
    }),
  );
});

test('a text in which every $ is doubled comes out as it was', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.deepEqual(interpolate(text.replaceAll('$', '$$$$'), ENVIRONMENT), { ok: true, text });
    }),
  );
});

test('a name without braces ends at the first character that cannot be part of one', () => {
  assert.deepEqual(interpolate('$SET-$SET/$_a1.', ENVIRONMENT), { ok: true, text: 'value-value/x$y.' });
});

test('a missing variable with ? is an error in the words of the file', () => {
  const result = interpolate('${UNSET:?the token is needed}', ENVIRONMENT);
  assert.deepEqual(result, {
    ok: false,
    message: 'the variable UNSET is not set: the token is needed',
    hint: 'set UNSET in the environment of bottled',
  });
  assert.ok(!interpolate('${EMPTY:?no}', ENVIRONMENT).ok);
  assert.deepEqual(interpolate('${EMPTY?no}', ENVIRONMENT), { ok: true, text: '' });
});

test('an error within a default that is not used is none', () => {
  assert.deepEqual(interpolate('${SET:-${UNSET:?no}}', ENVIRONMENT), { ok: true, text: 'value' });
  assert.deepEqual(interpolate('${UNSET:+${UNSET:?no}}', ENVIRONMENT), { ok: true, text: '' });
});

test('no text makes interpolation throw, and what is malformed is told', () => {
  fc.assert(fc.property(fc.stringMatching(/^[${}:?+A-]*$/), (text) => void interpolate(text, ENVIRONMENT)));
  for (const text of [
    '$',
    '${',
    '${}',
    '${A',
    '$1',
    '${1}',
    '${A!}',
    '${A:}',
    '${A:-x',
    '${A:-${B}',
    '$ {A}',
    '${'.repeat(10_000),
  ]) {
    assert.equal(interpolate(text, ENVIRONMENT).ok, false, text.slice(0, 20));
  }
});

test('variables reach values, never keys, comments or keys that begin with x-', () => {
  const text = `
x-mine: \${UNSET:?not looked at}
daemons:
  a: # \${UNSET:?nor this}
    command: [echo, "$SET"]
    environment: { $SET: "a $$ b" }
`;
  const { a } = bundleOf(parse(text, { environment: ENVIRONMENT })).daemons;
  assert.deepEqual(a?.command, ['echo', 'value']);
  assert.deepEqual(a?.environment, { $SET: 'a $ b' });
});

test('a value without quotes gets its type from what the variable holds', () => {
  const daemons = (retries: string): string =>
    `daemons: { a: { command: x, healthcheck: { test: x, retries: ${retries} } } }`;
  const environment = { N: '7' };
  assert.equal(bundleOf(parse(daemons('$N'), { environment })).daemons.a?.healthcheck?.retries, 7);
  assert.deepEqual(problemsOf(parse(daemons('$N'), { environment: { N: 'many' } })), [
    ':1:62: daemons.a.healthcheck.retries: the value of "$N" is not a number',
  ]);
});

test('a malformed variable is told with its place', () => {
  const text = 'daemons:\n  a:\n    command: x\n    user: ${WHO\n    stop_grace_period: ${T:?say how long}\n';
  assert.deepEqual(problemsOf(parse(text)), [
    ':4:11: daemons.a.user: has "${" without its "}"',
    ':5:24: daemons.a.stop_grace_period: the variable T is not set: say how long; set T in the environment of bottled',
  ]);
});

test('a quoted variable is cast to the number or boolean that belongs there, and stays a text where a text does', () => {
  const text =
    'daemons: { a: { command: ["${N}", x], essential: "${YES:-true}", healthcheck: { tcp: { port: "${N:-1}" } } } }';
  const bundle = bundleOf(parse(text, { environment: { N: '8080' } }));
  assert.equal(bundle.daemons.a?.healthcheck?.tcp?.port, 8080);
  assert.equal(bundle.daemons.a?.essential, true);
  assert.deepEqual(bundle.daemons.a?.command, ['8080', 'x']);
  assert.match(problemsOf(parse(text, { environment: { N: 'http' } }))[0] ?? '', /port: .* is not a number/);
});

test('a variable that is empty leaves an empty text, quoted or not, as in Compose', () => {
  const text =
    'daemons:\n  a:\n    command: ./run\n    user: ${WHO:-}\n    environment:\n      PLAIN: ${NONE:-}\n      HOME: "${NONE:-}"\n';
  const { a } = bundleOf(parse(text, { environment: { HOME: '/root' } })).daemons;
  assert.equal(a?.user, undefined);
  assert.deepEqual(a?.environment, { PLAIN: '', HOME: '' });
});
