import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from '../../../daemons/text/unified-diff.ts';

const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd', ''), { maxLength: 40 });
const text = fc.tuple(lines, fc.boolean()).map(([all, hasEnd]) => all.join('\n') + (hasEnd ? '\n' : ''));

test('git applies the diff of any two texts, and gets the second out of the first', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'diff-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'f');
  fc.assert(
    fc.property(text, text, (before, after) => {
      const diff = unifiedDiff('f', before, after);
      assert.equal(diff === '', before === after);
      if (diff === '') return;
      writeFileSync(file, before);
      execFileSync('git', ['apply', '--unidiff-zero', '--whitespace=nowarn', '-'], { cwd: directory, input: diff });
      assert.equal(readFileSync(file, 'utf8'), after);
    }),
    { numRuns: 100 },
  );
});

test('only what is near a change is shown', () => {
  const before = Array.from({ length: 40 }, (_, n) => `line ${n}\n`);
  const after = before.with(3, 'new 3\n').with(30, 'new 30\n');
  assert.equal(
    unifiedDiff('f', before.join(''), after.join('')),
    `--- a/f
+++ b/f
@@ -1,7 +1,7 @@
 line 0
 line 1
 line 2
-line 3
+new 3
 line 4
 line 5
 line 6
@@ -28,7 +28,7 @@
 line 27
 line 28
 line 29
-line 30
+new 30
 line 31
 line 32
 line 33
`,
  );
});

test('a file that is not there is /dev/null, and two texts that have nothing in common take no time', () => {
  assert.equal(
    unifiedDiff('f', undefined, 'a\n'),
    '--- /dev/null\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n'.replace('+1,1', '+1'),
  );
  const [before, after] = ['x', 'y'].map((word) => Array.from({ length: 20_000 }, (_, n) => `${word} ${n}\n`).join(''));
  const diff = unifiedDiff('f', before, after);
  assert.equal(diff.split('\n').length, 3 + 40_000 + 1);
});
