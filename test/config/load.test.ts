import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { parseConfig } from '../../config/load.ts';
import { placeOf } from '../../config/node.ts';
import { formatProblem } from '../../config/problem.ts';
import { duration, key } from '../../config/values.ts';

const schema = z.strictObject({
  host: key(z.string(), 'Where to.'),
  mode: key(z.enum(['strict', 'lenient']), 'How.'),
  wait: key(z._default(duration, 1_000), 'How long.'),
  token: key(z.optional(z.string().check(z.minLength(20))), 'A secret.'),
});

async function problemsOf(text: string): Promise<readonly string[]> {
  const loaded = await parseConfig('some.yaml', text, schema, { isPrivate: (path) => path[0] === 'token' });
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

test('a file that holds what its schema asks for is decoded, defaults filled in', async () => {
  const loaded = await parseConfig('some.yaml', 'host: a\nmode: strict\nwait: 2s\n', schema);
  assert.deepEqual(loaded, { ok: true, value: { host: 'a', mode: 'strict', wait: 2_000 } });
});

test('every mistake of a file is told at once, with its place and what would be right', async () => {
  assert.deepEqual(await problemsOf('hots: a\nmode: strikt\nwait: 10 sec\n'), [
    'some.yaml:1:1: host: is missing',
    'some.yaml:1:1: hots: is not a known key; did you mean "host"?',
    'some.yaml:2:7: mode: "strikt" is not one of "strict", "lenient"; did you mean "strict"?',
    'some.yaml:3:7: wait: "10 sec" is not a duration; write a number with its unit: "500ms", "10s", "1m30s"',
  ]);
});

test('a value that may be a secret is never repeated in a message', async () => {
  const [problem] = await problemsOf('host: a\nmode: strict\ntoken: hunter2\n');
  assert.match(problem ?? '', /^some\.yaml:3:8: token: /);
  assert.doesNotMatch(problem ?? '', /hunter2/);
});

test('rules beyond the schema are asked once the schema holds, and name their place', async () => {
  const loaded = await parseConfig('some.yaml', 'mode: strict\nhost: b\n', schema, {
    check: ({ host }, root) =>
      host === 'b' ? [{ offset: placeOf(root, ['host']), path: 'host', message: 'is not reached from here' }] : [],
  });
  assert.deepEqual(loaded.ok ? [] : loaded.problems.map(formatProblem), [
    'some.yaml:2:7: host: is not reached from here',
  ]);
});

test('text that is no YAML is one problem with its place', async () => {
  const [problem] = await problemsOf('host: "a\n');
  assert.match(problem ?? '', /^some\.yaml:\d+:\d+: /);
});
