import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { attackTable } from './table.ts';

test('docs/attacks.md tells of every attack', () => {
  const page = readFileSync(new URL('../../docs/attacks.md', import.meta.url), 'utf8');
  assert.ok(
    page.includes(attackTable()),
    'node test/attacks/table.ts prints what belongs at the end of docs/attacks.md',
  );
});
