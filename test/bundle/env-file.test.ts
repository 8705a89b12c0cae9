// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables as Compose writes them are what is tested.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEnvFile, parseRawEnvFile } from '../../init/bundle/env-file.ts';

const read = (text: string, outer: Record<string, string> = {}): Record<string, string> => {
  const file = parseEnvFile(text, outer);
  assert.ok(file.ok, file.ok ? '' : file.message);
  return Object.fromEntries(file.variables);
};

test('an env file is read by the rules of Compose', () => {
  const text = `
# a comment
PLAIN=value
SPACED = a b   # a comment behind a blank
HASH=a#b
export EXPORTED=yes
YAML_STYLE: colon
EMPTY=
SINGLE='$HOME # not' # comment
DOUBLE="a\\n\\"b\\" $PLAIN"
DOLLAR="\\$PLAIN"
LINES="one
two"
DEFAULT=\${NONE:-fallback}
`;
  assert.deepEqual(read(text), {
    PLAIN: 'value',
    SPACED: 'a b',
    HASH: 'a#b',
    EXPORTED: 'yes',
    YAML_STYLE: 'colon',
    EMPTY: '',
    SINGLE: '$HOME # not',
    DOUBLE: 'a\n"b" value',
    DOLLAR: '$PLAIN',
    LINES: 'one\ntwo',
    DEFAULT: 'fallback',
  });
});

test('what begins neither a comment nor a variable belongs to the value', () => {
  const text =
    'COLOUR=#fff\nBLANK= #fff\nEND=pa$\nQUOTED="pa$"\nDIGIT=a$1\nSHELL=$(id)\nTWO=a$$b\nREST=$PART-$\nPART=x\n';
  assert.deepEqual(read(text, { PART: 'set' }), {
    COLOUR: '#fff',
    BLANK: '#fff',
    END: 'pa$',
    QUOTED: 'pa$',
    DIGIT: 'a$1',
    SHELL: '$(id)',
    TWO: 'a$b',
    REST: 'set-$',
    PART: 'x',
  });
});

test('a name without a value is taken from outside, and is left out where it is not set', () => {
  assert.deepEqual(read('A\nB\n', { A: 'outer' }), { A: 'outer' });
});

test('lines may end as on Windows', () => {
  assert.deepEqual(read('A=1\r\nB="2"\r\n'), { A: '1', B: '2' });
});

test('any value in single quotes comes back as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '$', '"', '#', '=', ' ', '\n', 'é') }), (value) => {
      assert.deepEqual(read(`A='${value}'\nB=1`), { A: value, B: '1' });
    }),
  );
});

test('a fault is told with its line and never with the value', () => {
  const faults: [string, number, string][] = [
    ['A=1\n=2\n', 2, 'is not NAME=value'],
    ['A=1\n\nB="secret\n', 3, 'B has an opening " without a closing one'],
    ['A="x" secret', 1, 'A has text after its closing quote'],
    ['A=secret${1}', 1, 'A: has no name of a variable at "${"'],
    ['A secret', 1, 'has "s" after A, where "=" belongs'],
  ];
  for (const [text, line, message] of faults) assert.deepEqual(parseEnvFile(text, {}), { ok: false, line, message });
});

test('no text makes the reader throw', () => {
  const pieces = fc.array(fc.constantFrom('A', '=', '"', "'", '\n', '$', '{', '}', '\\', '#', ' ', 'export '), {
    maxLength: 20,
  });
  fc.assert(fc.property(pieces, (parts) => void parseEnvFile(parts.join(''), {})));
});

test('a raw file keeps quotes, $ and # as they stand', () => {
  const file = parseRawEnvFile('# no\nA="$B" # c\n\nB=a=b\n');
  assert.ok(file.ok);
  assert.deepEqual(Object.fromEntries(file.variables), { A: '"$B" # c', B: 'a=b' });
  assert.deepEqual(parseRawEnvFile('A=1\nB\n'), { ok: false, line: 2, message: 'is not NAME=value' });
});
