import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { createE2bManager } from '../../../../daemons/mcp-bridge/tools/e2b.ts';
import { createLineReader, createMessageReader } from '../../../../daemons/mcp-bridge/tools/lines.ts';
import { createLocalManager } from '../../../../daemons/mcp-bridge/tools/local.ts';
import { StartError } from '../../../../daemons/mcp-bridge/tools/process.ts';
import { fixture, listen, oddSeconds } from './fixture.ts';

const manager = createLocalManager({ instance: `local-${oddSeconds()}`, variables: process.env });

test('lines are the same wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 30 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      (texts, size) => {
        const lines = texts.map((text) => text.replaceAll('\n', '')).filter((line) => line !== '');
        const heard: string[] = [];
        const reader = createLineReader(
          10_000,
          (line) => heard.push(line.toString()),
          () => assert.fail(),
        );
        const bytes = Buffer.from(`${lines.join('\n')}\n`);
        for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
        reader.end();
        assert.deepEqual(
          heard,
          lines.map((line) => line.toWellFormed()),
        );
      },
    ),
  );
});

/** What is left is then what somebody holds. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  assert.ok(typeof collect === 'function');
  collect();
}

test('a line without end takes no memory', () => {
  let told = 0;
  const reader = createLineReader(
    1000,
    () => assert.fail(),
    (bytes, first, last) => {
      told = bytes;
      assert.ok(first.length <= 512 && last.length <= 512);
      assert.equal(last.at(-1), 0x7a);
    },
  );
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 2000; i++) reader.push(Buffer.alloc(65_536, 'x'));
  collectGarbage();
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 ** 2);
  reader.push(Buffer.from('z\n'));
  assert.equal(told, 2000 * 65_536 + 1);
});

test('a flood of noise is told ever less often, and does not hide the message behind it', () => {
  const told: number[] = [];
  const heard: unknown[] = [];
  const reader = createMessageReader({
    onMessage: (message) => heard.push(message),
    onDropped: ({ noise }) => told.push(noise),
    maxMessage: 1000,
    mask: (text) => text,
  });
  for (let i = 0; i < 1500; i++) reader.push(Buffer.from('{"not json\n'));
  reader.push(Buffer.from('{"id":1}\n'));
  assert.deepEqual(told, [1, 10, 100, 1000]);
  assert.deepEqual(heard, [{ id: 1 }]);
});

test('a limit on memory holds for the tool and all that it starts', async () => {
  const command = ['sh', '-c', 'printf \'{"limit":"%s"}\\n\' "$(sh -c "ulimit -d")"; read line'];
  const limits = { memory: 64 * 1024 ** 2, cpus: undefined, pids: undefined };
  const heard = await listen(manager, fixture('', '', { command, limits }));
  await heard.said(1);
  assert.deepEqual(heard.messages[0], { limit: '65536' });
  await heard.tool.stop();
});

test('a writer is told to wait for a tool that does not read, and is let go when the tool ends', async () => {
  const heard = await listen(manager, fixture('stubborn'));
  await heard.said(1);
  let taken = true;
  for (let i = 0; taken && i < 1000; i++) taken = heard.tool.send(`{"text":"${'x'.repeat(10_000)}"}`);
  assert.equal(taken, false);
  const drained = heard.tool.drained();
  await heard.tool.stop();
  await drained;
});

test('what is missing is told by name: the program, the folder', async () => {
  const start = (more: object) => listen(manager, fixture('echo', '', more));
  await assert.rejects(start({ command: ['no-such-program-here'] }), /there is no program no-such-program-here in /);
  await assert.rejects(start({ command: ['/etc/passwd'] }), /there is no program \/etc\/passwd/);
  await assert.rejects(start({ workingDir: '/no/such/folder' }), /its working_dir \/no\/such\/folder is no folder/);
});

test('without its key or its package driver e2b says what to do', async () => {
  const log = (): void => {};
  const withoutKey = createE2bManager({ instance: 'x', apiKey: undefined, log });
  await assert.rejects(listen(withoutKey, fixture('echo')), /driver e2b needs a key: put it into the file E2B_API_KEY/);
  const withoutSdk = createE2bManager({ instance: 'x', apiKey: 'k', log });
  await assert.rejects(
    listen(withoutSdk, fixture('echo')),
    (error: unknown) =>
      error instanceof StartError && error.permanent && /needs the package e2b.*npm install e2b@2/.test(error.message),
  );
  const wrongSdk = createE2bManager({ instance: 'x', apiKey: 'k', log, loadSdk: async () => ({ Sandbox: {} }) });
  await assert.rejects(listen(wrongSdk, fixture('echo')), /this needs version 2/);
  await withoutKey.sweep();
});
