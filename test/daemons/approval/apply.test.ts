import assert from 'node:assert/strict';
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyApproval } from '../../../daemons/approval/apply.ts';
import type { Approved } from '../../../daemons/approval/kinds.ts';
import { approved, effectsOn, NEW, OLD, placeFor, routesOf, textOf } from './place.ts';

test('an approval is written, the daemons that read it are told, and the outcome has the diff', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory);
  const { result, settle } = await applyApproval(approved, effects);
  assert.equal(result.result, 'applied');
  assert.match(result.detail, /^routes\.yaml is written and in force: pipelock goes by it; egress goes by it$/);
  assert.equal(
    result.diff,
    '--- a/routes.yaml\n+++ b/routes.yaml\n@@ -1,3 +1,3 @@\n-# by hand\n routes:\n   - host: a.example\n+  - host: b.example\n',
  );
  assert.deepEqual(effects.done, ['write', 'reload pipelock', 'reload egress']);
  assert.equal(textOf(directory), NEW);
  assert.equal(effects.journal.read('routes.yaml')?.id, approved.id);
  settle();
  assert.equal(effects.journal.read('routes.yaml'), undefined);
});

test('what does not come into force is taken back, and said so', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory, [NEW]);
  const { result } = await applyApproval(approved, effects);
  assert.deepEqual([result.result, result.diff, textOf(directory)], ['failed', '', OLD]);
  assert.match(
    result.detail,
    /^pipelock: it goes by other routes; routes\.yaml was put back, and what was in force before is/,
  );
  assert.deepEqual(effects.done, ['write', 'reload pipelock', 'write', 'reload pipelock', 'reload egress']);
});

test('a file that is no longer what was shown is not written', async (t) => {
  const directory = placeFor(t);
  const other = 'routes:\n  - host: c.example\n';
  writeFileSync(routesOf(directory), other);
  const effects = effectsOn(directory);
  const { result } = await applyApproval(approved, effects);
  assert.equal(result.result, 'failed');
  assert.match(result.detail, /^stale: routes\.yaml is no longer what was shown; .*; nothing was written$/);
  assert.deepEqual([textOf(directory), effects.done], [other, []]);
});

test('a file that only its comments have changed in is still what was shown', async (t) => {
  const directory = placeFor(t);
  writeFileSync(routesOf(directory), OLD.replace('by hand', 'by another hand'));
  assert.equal((await applyApproval(approved, effectsOn(directory))).result.result, 'applied');
});

test('a text that its daemons would not take is not written', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory);
  const { result } = await applyApproval({ ...approved, wanted: 'routes:\n  - hots: b.example\n' }, effects);
  assert.equal(result.result, 'failed');
  assert.match(result.detail, /^invalid: routes\.yaml:2:5: .*hots/s);
  assert.deepEqual(effects.done, []);
});

test('a file that says so already is not written, but has to be in force', async (t) => {
  const directory = placeFor(t);
  writeFileSync(routesOf(directory), NEW);
  const effects = effectsOn(directory);
  assert.equal((await applyApproval(approved, effects)).result.result, 'applied');
  assert.deepEqual(effects.done, ['reload pipelock', 'reload egress']);
  const { result } = await applyApproval(approved, effectsOn(directory, [NEW]));
  assert.match(result.detail, /says so already, but it is not in force/);
  assert.equal(textOf(directory), NEW);
});

test('two approvals never work on one file at once', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory);
  await applyApproval(approved, effects);
  await assert.rejects(
    applyApproval({ ...approved, id: 'p-0000' }, effects),
    /another change of routes\.yaml, p-7kq2, has begun and not ended; end it first: bottled proposals approve p-7kq2/,
  );
});

test('what somebody else has written since an approval began is left alone', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory);
  await applyApproval(approved, effects);
  writeFileSync(routesOf(directory), 'routes: []\n');
  const { result } = await applyApproval(approved, effects);
  assert.match(result.detail, /^somebody else has changed routes\.yaml since this approval began; it is left as it is/);
  assert.equal(textOf(directory), 'routes: []\n');
});

test('a write in place that was cut off is begun anew', async (t) => {
  const directory = placeFor(t);
  const effects = effectsOn(directory);
  effects.journal.write('routes.yaml', { id: approved.id, before: OLD, after: NEW });
  writeFileSync(routesOf(directory), NEW.slice(0, 12) + OLD.slice(12));
  assert.equal((await applyApproval(approved, effects)).result.result, 'applied');
  assert.equal(textOf(directory), NEW);
});

test('mode and owner of a file stay as they were', async (t) => {
  const directory = placeFor(t);
  chmodSync(routesOf(directory), 0o640);
  const before = statSync(routesOf(directory));
  await applyApproval(approved, effectsOn(directory));
  const { mode, uid, gid } = statSync(routesOf(directory));
  assert.deepEqual([mode, uid, gid], [before.mode, before.uid, before.gid]);
});

const pipelock: Approved = {
  ...approved,
  kind: 'pipelock-block',
  current: '',
  wanted: 'b.example  # for the build\n',
};
const EXTRA_HOSTS = 'extra_hosts:\n  - b.example\n';

test('a file that was not there is made, and taken away again where it does not come into force', async (t) => {
  const directory = placeFor(t);
  const file = join(directory, 'config', 'pipelock.yaml');
  const { result, settle } = await applyApproval(pipelock, effectsOn(directory, [EXTRA_HOSTS]));
  settle();
  assert.equal(result.result, 'failed');
  assert.throws(() => statSync(file), /ENOENT/);
  const second = await applyApproval(pipelock, effectsOn(directory));
  assert.equal(second.result.result, 'applied');
  assert.match(second.result.diff, /^--- \/dev\/null\n\+\+\+ b\/pipelock\.yaml\n@@ -0,0 \+1,2 @@\n/);
  assert.equal(readFileSync(file, 'utf8'), EXTRA_HOSTS);
});

const fingerprint = 'ab'.repeat(32);
const finding: Approved = { ...approved, kind: 'gitleaks-allow', current: '', wanted: '', facts: { fingerprint } };

test('an allowed finding is added to git-gate.yaml with its reason, once, and comments stay', async (t) => {
  const directory = placeFor(t);
  const file = join(directory, 'config', 'git-gate.yaml');
  writeFileSync(file, '# mine\nrepos: {} # none yet\n');
  const effects = effectsOn(directory);
  const first = await applyApproval(finding, effects);
  first.settle();
  assert.equal(first.result.result, 'applied', first.result.detail);
  const text = readFileSync(file, 'utf8');
  assert.equal(
    text,
    `# mine\nrepos: {} # none yet\nallow:\n  - fingerprint: ${fingerprint}\n    reason: for the tests\n`,
  );
  assert.deepEqual(effects.done, ['write', 'reload git-gate']);
  (await applyApproval({ ...finding, id: 'p-2' }, effects)).settle();
  assert.equal(readFileSync(file, 'utf8'), text);
  const other = { ...finding, id: 'p-3', facts: { fingerprint: 'cd'.repeat(32) } };
  (await applyApproval(other, effects)).settle();
  assert.match(readFileSync(file, 'utf8'), /abab\n.*\n {2}- fingerprint: cdcd/);
});

test('a finding without a fingerprint, and a git-gate.yaml that cannot be added to, change nothing', async (t) => {
  const directory = placeFor(t);
  const file = join(directory, 'config', 'git-gate.yaml');
  writeFileSync(file, 'repos: {}\n');
  const { result } = await applyApproval({ ...finding, facts: {} }, effectsOn(directory));
  assert.match(result.detail, /^invalid: .*is not a fingerprint/);
  writeFileSync(file, '- not\n- a map\n');
  const second = await applyApproval(finding, effectsOn(directory));
  assert.match(second.result.detail, /^invalid: it cannot be added to/);
  rmSync(file);
});

test('an approved Dockerfile is handed over with a record, and the operator is told what to do', async (t) => {
  const directory = placeFor(t);
  const wanted = 'FROM debian:12\nRUN apt-get install -y jq\n';
  const capability: Approved = { ...approved, kind: 'capability-block', current: 'FROM debian:12\n', wanted };
  const { result } = await applyApproval(capability, effectsOn(directory));
  const file = join(directory, 'data', 'rebuild', approved.id, 'Dockerfile');
  assert.equal(
    result.detail,
    `the Dockerfile is at ${file}; build the agent's image from it and start the bottle anew: docker build -f ${file} .`,
  );
  assert.match(result.diff, /^\+RUN apt-get install -y jq$/m);
  assert.equal(readFileSync(file, 'utf8'), wanted);
  const record = JSON.parse(readFileSync(join(directory, 'data', 'rebuild', approved.id, 'record.json'), 'utf8'));
  assert.deepEqual([record.approved_by, record.reason], ['operator', 'for the tests']);
});
