import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { readPlainYaml } from '../../config/plain-yaml.ts';
import { readAnyYaml } from '../../config/yaml.ts';
import { bundleOf, parse, problemsOf } from './files.ts';

const PIECES = [
  'a',
  'key',
  ': ',
  ':',
  '- ',
  '-',
  '\n',
  '\n  ',
  '\n    ',
  '\n - ',
  '\n- ',
  '[',
  ']',
  '{',
  '}',
  ', ',
  ' # c',
  '"',
  "'",
];
const VALUES = [
  '1',
  '1.10',
  '0x1f',
  '-3',
  '-0',
  'true',
  '~',
  'null',
  '.5',
  '"x y"',
  "'z'",
  'http://x:80/p',
  '[a, 1]',
  '{ x: y }',
  '',
  'é',
  'a b',
];
const RARE = ['&a ', '*a', '<<: ', '|', '>', '? ', '!t ', '%', '@', '---', '...', '\t', '\r', '\u{1f600}'];
const KEYS = ['', '- ', 'k: ', 'a: ', 'b:', '- a: ', '"q": ', 'c:\n    '];

/** Texts that look like YAML in places. */
const almostYaml = fc
  .array(fc.constantFrom(...PIECES, ...VALUES, ...RARE), { maxLength: 25 })
  .map((parts) => parts.join(''));
const lines = fc
  .array(
    fc.tuple(
      fc.constantFrom('', '', '  ', '    ', ' '),
      fc.constantFrom(...KEYS),
      fc.constantFrom(...VALUES, ' # c', 'a: b'),
    ),
    {
      maxLength: 8,
    },
  )
  .map((all) => all.map((line) => line.join('')).join('\n'));

const leaf = fc.constantFrom(
  'a b',
  1,
  -1.5,
  true,
  null,
  '',
  'x: y',
  '- a',
  '1',
  'é',
  'http://x/#',
  ' s',
  "it's",
  [],
  {},
);
const tree = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    leaf,
    tie('map'),
    fc.array(fc.oneof(leaf, tie('map')), { maxLength: 4 }),
  ),
  map: fc.dictionary(fc.stringMatching(/^[a-z_]{1,6}$/), tie('value'), { minKeys: 1, maxKeys: 5 }),
}));
/** Texts as a library writes them, from any value: as block collections, or as flow ones on one line. */
const printedYaml = fc
  .tuple(tree.map, fc.constantFrom(2, 4), fc.boolean(), fc.boolean())
  .map(([value, indent, indentSeq, isFlow]) => {
    if (!isFlow) return stringify(value, { indent, indentSeq, lineWidth: 0 });
    const flow = stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: indentSeq });
    return `k: ${flow.trim().replace(/\n */g, ' ')}\n`;
  });

test('what the plain reader reads, it reads as the full parser does: values, types and places', () => {
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(almostYaml, lines, printedYaml), (text) => {
      const plain = readPlainYaml(text);
      if (plain === undefined) return;
      read += 1;
      assert.deepStrictEqual(readAnyYaml(text), { ok: true, root: plain, findings: [] });
    }),
    { numRuns: 6_000 },
  );
  assert.ok(read > 500, `of 6000 texts the plain reader read only ${read}`);
});

test('the plain reader has no fault to tell: a text with one is not for it', () => {
  for (const text of [
    '',
    'a: b: c',
    'a: 1\na: 2',
    'a: [1',
    'a:\n\tb: 1',
    '- a\nb: c',
    'a: *x',
    'a: "b',
    'a: |\n  x',
    'a: b\n  c',
  ]) {
    assert.equal(readPlainYaml(text), undefined, text);
  }
});

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(fc.oneof(almostYaml, fc.string(), fc.string({ unit: 'binary' })), (text) => {
      readPlainYaml(text);
      readAnyYaml(text);
    }),
    {
      numRuns: 3_000,
    },
  );
});

test('keys of a map are written once; each second one is told with the line of the first', () => {
  const text = 'name: a\ndaemons:\n  a: { command: x }\n  a: { command: y }\nname: b\n';
  assert.deepEqual(problemsOf(parse(text)), [
    ':4:3: "a" is written twice, first in line 3',
    ':5:1: "name" is written twice, first in line 1',
  ]);
});

test('faults of syntax are told with their places and a remedy', () => {
  const faults: [string, string][] = [
    [
      'daemons:\n  a:\n    command: foo: bar\n',
      ':3:14: a second ": " stands in one line; put a text that holds ": " in quotes',
    ],
    ['daemons:\n\ta: 1\n', ':2:1: a tab cannot indent YAML; use spaces'],
    ['daemons: { a: { command: "x } }\n', ':2:1: is not valid YAML: missing closing "quote'],
    ['daemons:\n  a: { command: @x }\n', ':2:17: a text without quotes cannot begin with "@"; put it in quotes'],
    ['daemons: *no\n', ':1:10: "*no" has no anchor of that name before it'],
    ['a: 1\n---\nb: 2\n', ':2:1: a second document begins here: a file holds one'],
    ['daemons: !mine x\n', ':1:10: unresolved tag: !mine; a bundle file needs no tags'],
  ];
  for (const [text, problem] of faults)
    assert.ok(problemsOf(parse(text)).includes(problem), problemsOf(parse(text)).join('\n'));
});

test('anchors, aliases and merge keys work as in Compose: an own key wins over a merged one, an earlier map over a later', () => {
  const text = `
x-base: &base { user: nobody, restart: always }
x-more: &more { user: root, essential: true }
daemons:
  a:
    <<: [*base, *more]
    command: [x]
    restart: "no"
  b: { <<: *base, command: [y] }
`;
  const { a, b } = bundleOf(parse(text)).daemons;
  assert.deepEqual([a?.user, a?.restart, a?.essential], ['nobody', 'no', true]);
  assert.deepEqual([b?.user, b?.restart, b?.essential], ['nobody', 'always', false]);
});

test('aliases that stand for a flood of values are refused before they are spread', () => {
  const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`);
  const [problem, ...others] = problemsOf(parse(['a0: &a0 [x]', ...levels].join('\n')));
  assert.match(problem ?? '', /the aliases stand for more than 100000 values/);
  assert.deepEqual(others, []);
});

test('an alias within its own anchor is a problem, not a loop', () => {
  assert.deepEqual(problemsOf(parse('daemons: &d { a: *d }\n')), [':1:18: "*d" stands inside its own anchor']);
});

test('what is nested without end is refused', () => {
  for (const text of ['['.repeat(500_000), '{'.repeat(500_000), '- '.repeat(500_000), '? '.repeat(100_000)]) {
    assert.match(problemsOf(parse(text))[0] ?? '', /is nested more than 64 levels deep/);
  }
  const steps = Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
  assert.match(problemsOf(parse(steps))[0] ?? '', /is nested more than 64 levels deep/);
});

test('a text of a million tokens is refused', () => {
  assert.match(problemsOf(parse('- &a x\n'.repeat(100_000)))[0] ?? '', /holds more than 250000 tokens/);
});
