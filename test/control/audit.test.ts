import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AuditSettings } from '../../init/bundle/control.ts';
import { type Audit, type AuditEntry, openAudit } from '../../init/control/audit.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { scratch } from './serve.ts';

function settings(t: TestContext, more: Partial<AuditSettings> = {}): AuditSettings {
  return { path: join(scratch(t), 'init', 'audit.jsonl'), max_size: 10_485_760, keep: 5, ...more };
}

function entry(text: string): AuditEntry {
  return {
    time: '2026-01-02T03:04:05.678Z',
    plane: 'cli',
    who: 'uid 0 (pid 42)',
    command: 'restart',
    daemon: 'egress',
    result: 'accepted',
    text,
  };
}

async function opened(t: TestContext, options: AuditSettings | undefined): Promise<{ audit: Audit; told: string[] }> {
  const told: string[] = [];
  const audit = await openAudit(options, (text) => told.push(text));
  t.after(() => audit.close());
  return { audit, told };
}

const linesOf = (path: string): AuditEntry[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('each command is one line of JSON in a file that only its owner may read', async (t) => {
  const options = settings(t);
  const { audit } = await opened(t, options);
  const entries = ['one', 'two\nlines', 'three "quoted"'].map(entry);
  for (const each of entries) audit.add(each);
  await audit.close();
  assert.deepEqual(linesOf(options.path), entries);
  assert.equal(statSync(options.path).mode & 0o777, 0o600);
  assert.equal(statSync(join(options.path, '..')).mode & 0o777, 0o700);
});

test('the trail goes on where it ended, and the one who opens it knows what was before', async (t) => {
  const options = settings(t);
  const first = await opened(t, options);
  first.audit.add(entry('before'));
  await first.audit.close();
  const second = await opened(t, options);
  second.audit.add(entry('after'));
  await second.audit.close();
  assert.deepEqual(
    second.audit.latest(10).map(({ text }) => text),
    ['before', 'after'],
  );
  assert.deepEqual(
    second.audit.latest(1).map(({ text }) => text),
    ['after'],
  );
  assert.equal(linesOf(options.path).length, 2);
});

test('a full file is put aside, the oldest are dropped, and no line is torn', async (t) => {
  const options = settings(t, { max_size: 1_000, keep: 2 });
  const { audit } = await opened(t, options);
  for (let i = 0; i < 40; i++) audit.add(entry(`command ${i}`));
  await audit.close();
  const files = [`${options.path}.2`, `${options.path}.1`, options.path];
  const texts = files.flatMap(linesOf).map(({ text }) => text);
  assert.equal(texts.at(-1), 'command 39');
  assert.deepEqual(
    texts,
    texts.map((_, index) => `command ${40 - texts.length + index}`),
  );
  assert.ok(files.every((file) => statSync(file).size <= 1_000));
  assert.equal(existsSync(`${options.path}.3`), false);
});

test('where a crash came between two renames, no more is dropped than has to be', async (t) => {
  const options = settings(t, { max_size: 10, keep: 3 });
  const { audit } = await opened(t, options);
  audit.add(entry('newest but one'));
  await audit.close();
  // As after a crash: .1 has become .2 already, and the trail itself is still to become .1.
  writeFileSync(`${options.path}.2`, `${JSON.stringify(entry('older'))}\n`);
  writeFileSync(`${options.path}.3`, `${JSON.stringify(entry('oldest'))}\n`);
  audit.add(entry('newest'));
  await audit.close();
  const texts = ['', '.1', '.2', '.3'].map((end) => linesOf(`${options.path}${end}`).map(({ text }) => text));
  assert.deepEqual(texts, [['newest'], ['newest but one'], ['older'], ['oldest']]);
});

test('on a full disk only what does not fit is missing, and that is counted', { skip: notRoot }, async (t) => {
  const options = settings(t);
  const directory = join(options.path, '..');
  mkdirSync(directory, { mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k,mode=700', 'none', directory]);
  try {
    const { audit, told } = await opened(t, options);
    const fitting = entry('fits');
    for (const each of [fitting, fitting, entry('x'.repeat(20_000)), fitting]) audit.add(each);
    await audit.close();
    truncateSync(options.path, 2 * (JSON.stringify(fitting).length + 1));
    audit.add(entry('after'));
    await audit.close();
    assert.match(told[0] ?? '', /the audit trail cannot be kept in .*ENOSPC/);
    assert.match(told[1] ?? '', /; 2 entries are missing in it$/);
    assert.deepEqual(
      linesOf(options.path).map(({ text }) => text),
      ['fits', 'fits', 'after'],
    );
  } finally {
    execFileSync('umount', [directory]);
  }
});

test('with keep 0 a full file is simply begun anew', async (t) => {
  const options = settings(t, { max_size: 400, keep: 0 });
  const { audit } = await opened(t, options);
  for (let i = 0; i < 10; i++) audit.add(entry(`command ${i}`));
  await audit.close();
  assert.equal(linesOf(options.path).at(-1)?.text, 'command 9');
  assert.equal(existsSync(`${options.path}.1`), false);
});

test('a line that a crash has cut off, and lines that are no entries, spoil nothing', async (t) => {
  const options = settings(t);
  mkdirSync(join(options.path, '..'), { mode: 0o700 });
  writeFileSync(options.path, `${JSON.stringify(entry('whole'))}\n[1]\n{"plane":"moon"}\n{"time":"2026`, {
    mode: 0o600,
  });
  const { audit } = await opened(t, options);
  audit.add(entry('next'));
  await audit.close();
  assert.deepEqual(
    audit.latest(10).map(({ text }) => text),
    ['whole', 'next'],
  );
  assert.equal(readFileSync(options.path, 'utf8').split('\n').at(-2), JSON.stringify(entry('next')));
});

test('a file that was moved away is begun anew', async (t) => {
  const options = settings(t);
  const { audit } = await opened(t, options);
  audit.add(entry('one'));
  await audit.close();
  writeFileSync(`${options.path}.moved`, readFileSync(options.path));
  rmSync(options.path);
  audit.add(entry('two'));
  await audit.close();
  assert.deepEqual(
    linesOf(options.path).map(({ text }) => text),
    ['two'],
  );
});

test('where it cannot be kept, that is told once, commands stay known, and it is kept again when it can', async (t) => {
  const options = settings(t);
  mkdirSync(options.path, { recursive: true });
  const { audit, told } = await opened(t, options);
  audit.add(entry('lost'));
  await audit.close();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /^the audit trail cannot be kept in .*audit\.jsonl: .*; commands go on/);
  assert.equal(audit.latest(1)[0]?.text, 'lost');
  rmdirSync(options.path);
  audit.add(entry('kept'));
  await audit.close();
  assert.match(told[1] ?? '', /is kept in .* again; 1 entries are missing/);
  assert.deepEqual(
    linesOf(options.path).map(({ text }) => text),
    ['kept'],
  );
});

test('a directory that cannot be made is told with the reason', async (t) => {
  const { audit, told } = await opened(t, { path: '/proc/nowhere/audit.jsonl', max_size: 1_000_000, keep: 1 });
  assert.match(
    told.join('\n'),
    /cannot be kept in \/proc\/nowhere\/audit\.jsonl: data: \/proc\/nowhere cannot be made/,
  );
  audit.add(entry('known'));
  assert.equal(audit.latest(5).length, 1);
});

test('the trail follows no link and writes into no file of another name', async (t) => {
  for (const link of [symlinkSync, linkSync]) {
    const options = settings(t);
    const directory = join(options.path, '..');
    mkdirSync(directory, { mode: 0o700 });
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'precious', { mode: 0o600 });
    link(victim, options.path);
    const { audit, told } = await opened(t, options);
    audit.add(entry('x'));
    await audit.close();
    assert.equal(told.length, 1);
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
  }
});

test('a trail that others could read is closed to them', async (t) => {
  const options = settings(t);
  mkdirSync(join(options.path, '..'), { mode: 0o700 });
  writeFileSync(options.path, '');
  chmodSync(options.path, 0o644);
  appendFileSync(options.path, `${JSON.stringify(entry('before'))}\n`);
  const { audit } = await opened(t, options);
  assert.equal(statSync(options.path).mode & 0o777, 0o600);
  assert.equal(audit.latest(1)[0]?.text, 'before');
});

test('without a file the latest thousand commands are known', async (t) => {
  const { audit } = await opened(t, undefined);
  for (let i = 0; i < 2_500; i++) audit.add(entry(String(i)));
  const all = audit.latest(1_000);
  assert.deepEqual([all.length, all[0]?.text, all.at(-1)?.text], [1_000, '1500', '2499']);
  assert.deepEqual(audit.latest(0), []);
});
