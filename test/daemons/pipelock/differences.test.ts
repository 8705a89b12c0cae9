import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { DIFFERENCES } from './differences.ts';

it('docs/pipelock.md tells every difference of the two engines', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/pipelock.md'), 'utf8');
  const rows = new Set(
    page.split('\n').map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .join('|'),
    ),
  );
  for (const { what, pipelock, embedded } of DIFFERENCES) {
    assert.ok(rows.has(`|${what}|${pipelock}|${embedded}|`), what);
  }
});
