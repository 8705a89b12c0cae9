import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readCredentials } from '../../../../daemons/egress/credentials.ts';

async function directoryOf(files: Record<string, string | Buffer>): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'egress-credentials-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

describe('credentials of egress', () => {
  it('come from files named EGRESS_TOKEN_* and CANARY; other files are not looked at', async () => {
    await using directory = await directoryOf({
      EGRESS_TOKEN_0: 'first',
      CANARY: 'bird',
      README: 'no',
      EGRESS_TOKENS: 'no',
    });
    const { credentials, problems } = await readCredentials(new Map(), directory.path);
    assert.deepEqual([...credentials.tokens], [['EGRESS_TOKEN_0', 'first']]);
    assert.equal(credentials.canary, 'bird');
    assert.deepEqual(problems, []);
  });

  it('come from a file where the environment holds one of the same name', async () => {
    await using directory = await directoryOf({ EGRESS_TOKEN_0: 'of the file' });
    const given = new Map([
      ['EGRESS_TOKEN_0', 'of the environment'],
      ['EGRESS_TOKEN_1', 'kept'],
    ]);
    const { credentials } = await readCredentials(given, directory.path);
    assert.deepEqual(Object.fromEntries(credentials.tokens), { EGRESS_TOKEN_0: 'of the file', EGRESS_TOKEN_1: 'kept' });
  });

  it('do not hold the line break at the end of their file', async () => {
    await using directory = await directoryOf({ EGRESS_TOKEN_0: 'one\n', EGRESS_TOKEN_1: 'two\r\n\n' });
    const { credentials } = await readCredentials(new Map(), directory.path);
    assert.deepEqual([...credentials.tokens.values()], ['one', 'two']);
  });

  for (const [what, content] of [
    ['a line break inside', 'first\nsecond'],
    ['a carriage return inside', 'first\r\nx-injected: 1'],
    ['a NUL', 'first\0'],
    ['a DEL', 'first\x7f'],
    ['nothing', ''],
    ['only a line break', '\n'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00])],
  ] as const) {
    it(`with ${what} are a problem, and are not used in the place of the environment's either`, async () => {
      await using directory = await directoryOf({ EGRESS_TOKEN_0: content });
      const { credentials, problems } = await readCredentials(new Map([['EGRESS_TOKEN_0', 'other']]), directory.path);
      assert.equal(credentials.tokens.size, 0);
      assert.equal(problems.length, 1);
      assert.ok(problems[0]?.startsWith(join(directory.path, 'EGRESS_TOKEN_0')));
      assert.ok(!problems[0]?.includes('first'));
    });
  }

  it('that are directories are a problem', async () => {
    await using directory = await directoryOf({});
    await mkdir(join(directory.path, 'EGRESS_TOKEN_0'));
    assert.match((await readCredentials(new Map(), directory.path)).problems[0] ?? '', /is a directory/);
  });

  it('in a directory that is not there are a problem', async () => {
    const { problems } = await readCredentials(new Map(), '/nonexistent/credentials');
    assert.deepEqual(problems, ['/nonexistent/credentials: the directory of credentials cannot be read (ENOENT)']);
  });
});
