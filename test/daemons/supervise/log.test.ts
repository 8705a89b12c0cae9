import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type Journal, type JournalOwner, openJournal } from '../../../daemons/supervise/journal/journal.ts';
import { formatLine, GENESIS, type JournalRecord, parseLine } from '../../../daemons/supervise/journal/line.ts';
import { lockDirectory } from '../../../daemons/supervise/journal/lock.ts';
import { verifyLog } from '../../../daemons/supervise/journal/verify.ts';

/** Keeps the events of the records; what it carries over is the last three. */
function keeper(): JournalOwner & { readonly events: unknown[]; readonly records: JournalRecord[] } {
  const events: unknown[] = [];
  const records: JournalRecord[] = [];
  return {
    events,
    records,
    take(record) {
      events.push(record.event);
      records.push(record);
      return undefined;
    },
    carryOver: ({ file }) => [{ continued: file }, ...events.slice(-3)],
    onFailure: () => {},
  };
}

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'journal-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const NOW = '2026-11-20T12:00:00.000Z';

async function opened(directory: string, owner: JournalOwner, mostBytes = 1_000_000): Promise<Journal> {
  const made = await openJournal({ directory, mostBytes, owner, now: () => new Date(NOW) });
  assert.ok(made.ok, JSON.stringify(made));
  return made.journal;
}

async function logOf(directory: string, count: number): Promise<string> {
  const journal = await opened(directory, keeper());
  await Promise.all(Array.from({ length: count }, (_, at) => journal.append({ n: at }, NOW)));
  await journal.close();
  return join(directory, 'journal-000000000001.jsonl');
}

test('what was appended is there after opening again, in order', async (t) => {
  const directory = scratch(t);
  await logOf(directory, 100);
  const owner = keeper();
  const journal = await opened(directory, owner);
  assert.deepEqual(
    owner.events,
    Array.from({ length: 100 }, (_, n) => ({ n })),
  );
  assert.equal(journal.head.seq, 100);
  await journal.close();
});

test('any event is read back as it was written', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (event) => {
      const { line, head } = formatLine(GENESIS, NOW, event);
      const parsed = parseLine(Buffer.from(line.slice(0, -1)), GENESIS);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.record.event, JSON.parse(JSON.stringify(event)));
      assert.equal(parsed.record.hash, head.hash);
    }),
  );
});

test('a change of any one byte of the log is found, in the line where it is', async (t) => {
  const directory = scratch(t);
  const file = await logOf(directory, 20);
  const bytes = readFileSync(file);
  fc.assert(
    fc.property(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ flip;
      writeFileSync(file, changed);
      const verified = verifyLog(file);
      const line = bytes.subarray(0, at).filter((byte) => byte === 10).length + 1;
      assert.ok(!verified.ok);
      assert.equal(verified.broken.line, line);
    }),
  );
});

test('a record that is taken out, put in twice or moved is found', async (t) => {
  const directory = scratch(t);
  const file = await logOf(directory, 10);
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const variants: readonly (readonly [string, readonly string[], number])[] = [
    ['taken out', lines.toSpliced(4, 1), 5],
    ['twice', lines.toSpliced(4, 0, lines[3] ?? ''), 5],
    ['moved', lines.toSpliced(4, 1).toSpliced(7, 0, lines[4] ?? ''), 5],
    ['the first taken out', lines.slice(1), 1],
  ];
  for (const [what, variant, line] of variants) {
    writeFileSync(file, variant.map((text) => `${text}\n`).join(''));
    const verified = verifyLog(file);
    assert.ok(!verified.ok, what);
    assert.equal(verified.broken.line, line, what);
  }
});

test('a record whose JSON says a key twice is refused, although its hash fits', async (t) => {
  const directory = scratch(t);
  const file = await logOf(directory, 1);
  const { hash } = await import('node:crypto');
  const body = `{"seq":1,"time":"${NOW}","prev":"${GENESIS.hash}","event":{"n":0},"event":{"n":1}}`;
  writeFileSync(file, `${body.slice(0, -1)},"hash":"${hash('sha256', body, 'hex')}"}\n`);
  const verified = verifyLog(file);
  assert.ok(!verified.ok);
  assert.match(verified.broken.reason, /not a record/);
});

test('a last line without an end is put aside, at whatever byte it was cut, and the log goes on', async (t) => {
  const directory = scratch(t);
  const file = await logOf(directory, 3);
  const whole = readFileSync(file);
  const begin = whole.lastIndexOf(10, whole.length - 2) + 1;
  for (const cut of [begin + 1, begin + 40, whole.length - 1]) {
    writeFileSync(file, whole.subarray(0, cut));
    const owner = keeper();
    const made = await openJournal({ directory, mostBytes: 1e6, owner, now: () => new Date() });
    assert.ok(made.ok);
    assert.equal(owner.events.length, 2);
    assert.deepEqual(readFileSync(made.tornFile ?? ''), whole.subarray(begin, cut));
    await made.journal.append({ n: 'next' }, NOW);
    await made.journal.close();
    const verified = verifyLog(directory);
    assert.ok(verified.ok);
    assert.equal(verified.count, 3);
  }
});

test('a torn end is told by verifying, and is no break', async (t) => {
  const directory = scratch(t);
  const file = await logOf(directory, 3);
  appendFileSync(file, '{"seq":4,');
  const verified = verifyLog(directory);
  assert.ok(verified.ok);
  assert.equal(verified.tornBytes, 9);
});

test('a file that grows too large is followed by one that names it, and the chain goes through all files', async (t) => {
  const directory = scratch(t);
  const owner = keeper();
  const journal = await opened(directory, owner, 2000);
  for (let n = 0; n < 60; n++) await journal.append({ n }, NOW);
  const { head } = journal;
  await journal.close();
  const files = readdirSync(directory).filter((name) => name.endsWith('.jsonl'));
  assert.ok(files.length > 2, files.join(' '));
  const verified = verifyLog(directory);
  assert.ok(verified.ok);
  assert.deepEqual(verified.last, head);
  assert.equal(verified.first, 1);
  const begin: unknown = JSON.parse(readFileSync(join(directory, files[1] ?? ''), 'utf8').split('\n')[0] ?? '');
  assert.partialDeepStrictEqual(begin, { event: { continued: files[0] } });

  const again = keeper();
  const reopened = await opened(directory, again, 2000);
  assert.deepEqual(reopened.head, head);
  assert.deepEqual(again.events.at(-1), { n: 59 });
  await reopened.close();

  rmSync(join(directory, files[0] ?? ''));
  const later = verifyLog(directory);
  assert.ok(later.ok);
  assert.ok(later.first > 1);
  truncateSync(join(directory, files[1] ?? ''), 10);
  const cut = verifyLog(directory);
  assert.ok(!cut.ok);
});

test('a log whose older file was changed is refused at the start', async (t) => {
  const directory = scratch(t);
  const journal = await opened(directory, keeper(), 2000);
  for (let n = 0; n < 20; n++) await journal.append({ n }, NOW);
  await journal.close();
  const before = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .at(-2);
  const file = join(directory, before ?? '');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"n":(\d)/, '"n":9$1'));
  const made = await openJournal({ directory, mostBytes: 2000, owner: keeper(), now: () => new Date() });
  assert.ok(!made.ok);
  assert.equal(made.broken.file, file);
});

test('many who append at once share few writes, and each is answered when its record is on disk', async (t) => {
  const directory = scratch(t);
  const journal = await opened(directory, keeper());
  const records = await Promise.all(Array.from({ length: 500 }, (_, n) => journal.append({ n }, NOW)));
  assert.deepEqual(
    records.map(({ seq }) => seq),
    Array.from({ length: 500 }, (_, at) => at + 1),
  );
  const verified = verifyLog(directory);
  assert.ok(verified.ok);
  assert.equal(verified.count, 500);
  await journal.close();
});

test('where the owner cannot take a record, or the file cannot be written, nothing more is answered', async (t) => {
  const directory = scratch(t);
  const failures: string[] = [];
  const owner: JournalOwner = { ...keeper(), onFailure: (reason) => failures.push(reason) };
  const journal = await opened(directory, owner);
  await journal.append({ n: 1 }, NOW);
  await journal.close();
  await assert.rejects(journal.append({ n: 2 }, NOW), /closed/);
  const bigint = await opened(directory, owner);
  await assert.rejects(bigint.append({ n: 1n }, NOW), /cannot be written/);
  await assert.rejects(bigint.append({ n: 3 }, NOW), /cannot be written/);
  assert.equal(failures.length, 1);
});

test('only one can have the lock of a directory', (t) => {
  const directory = scratch(t);
  const unlock = lockDirectory(directory);
  assert.ok(unlock !== undefined);
  assert.equal(lockDirectory(directory), undefined);
  unlock();
  const again = lockDirectory(directory);
  assert.ok(again !== undefined);
  again();
});
