import assert from 'node:assert/strict';
import { test } from 'node:test';
import { referenceTable } from '../../config/reference.ts';
import { FREE_NAMES, jsonSchema } from '../../init/bundle/json-schema.ts';

type Json = Readonly<Record<string, unknown>>;

const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};

/** Every key of the schema with its description, however deep. */
function keysOf(schema: Json, path: string): [string, Json][] {
  const own = Object.entries(object(schema.properties)).flatMap(([name, value]): [string, Json][] => [
    [`${path}.${name}`, object(value)],
    ...keysOf(object(value), `${path}.${name}`),
  ]);
  if (Object.keys(schema).length === 0) return [];
  const forms = Array.isArray(schema.anyOf) ? schema.anyOf : [];
  const within = [schema.additionalProperties, schema.items, ...forms];
  return [...own, ...within.flatMap((item) => keysOf(object(item), path))];
}

test('the JSON Schema describes every key', () => {
  const keys = keysOf(jsonSchema(), '');
  assert.ok(keys.length > 70);
  for (const [path, key] of keys) assert.match(String(key.description), /^\S.*[.)\]]$/s, path);
});

test('the JSON Schema gives defaults as an author would write them', () => {
  const keys = new Map(keysOf(jsonSchema(), ''));
  assert.equal(keys.get('.stop_grace_period')?.default, '8s');
  assert.equal(keys.get('.daemons.healthcheck.interval')?.default, '30s');
  assert.equal(keys.get('.daemons.stop_signal')?.default, 'SIGTERM');
  assert.deepEqual(keys.get('.daemons.success_exit_codes')?.default, [0]);
});

test('the JSON Schema refuses unknown keys but those that begin with x-', () => {
  const schema = jsonSchema();
  const daemon = object(object(object(schema.properties).daemons).additionalProperties);
  for (const level of [schema, daemon]) {
    assert.equal(level.additionalProperties, false);
    assert.deepEqual(level.patternProperties, { '^x-': {} });
  }
  assert.deepEqual(schema.required, ['daemons']);
});

test('the reference has one row for every key', () => {
  const rows = referenceTable(jsonSchema(), FREE_NAMES).split('\n').slice(2);
  assert.equal(new Set(rows).size, rows.length);
  assert.ok(
    rows.includes('| `daemons.<daemon>.backoff.max` | duration | `30s` | The longest wait. |'),
    rows.filter((row) => row.includes('backoff')).join('\n'),
  );
  for (const row of rows) assert.equal(row.replaceAll('\\|', '').split('|').length, 6, row);
});
