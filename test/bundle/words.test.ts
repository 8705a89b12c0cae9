import assert from 'node:assert/strict';
import { test } from 'node:test';
import { execaSync } from 'execa';
import fc from 'fast-check';
import { splitWords } from '../../init/bundle/words.ts';

const words = (line: string): readonly string[] => {
  const split = splitWords(line);
  assert.ok(split.ok, line);
  return split.words;
};

test('words in single quotes come back as they are', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (list) => {
      const line = list.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
      assert.deepEqual(words(line), list);
    }),
  );
});

test('a line is split as the shell splits it', () => {
  const lines = [`a  b\tc`, `a 'b c' "d e"`, `a\\ b c`, `'a'"b"c`, `"a \\" b" '\\'`, `"\\a" ''`, `a "" b`, `"a\\\nb"`];
  for (const line of lines) {
    const { stdout } = execaSync('sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`]);
    assert.deepEqual(words(line), stdout.split('\0').slice(0, -1), line);
  }
});

test('a quote without its end and a backslash at the end are faults', () => {
  assert.deepEqual(splitWords('a "b'), { ok: false, message: 'has an opening " without a closing one' });
  assert.deepEqual(splitWords("a 'b"), { ok: false, message: "has an opening ' without a closing one" });
  assert.deepEqual(splitWords('a \\'), { ok: false, message: 'ends in a lone backslash' });
});
