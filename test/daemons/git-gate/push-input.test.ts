import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createPushInput, type PushBounds } from '../../../daemons/git-gate/serve/push-input.ts';

const COMMANDS = '000fold new ref0000';
const MEBIBYTE = 1024 ** 2;

function through(pieces: readonly (string | Buffer)[], bounds: Partial<PushBounds> = {}): Promise<string> {
  const input = createPushInput({
    mostCommands: 100,
    mostPack: 100 * MEBIBYTE,
    room: async () => undefined,
    onCut: () => {},
    ...bounds,
  });
  return text(Readable.from(pieces.map((piece) => Buffer.from(piece))).pipe(input));
}

test('a push passes as it is, however it is cut into pieces', async () => {
  const push = `${COMMANDS}PACK${'x'.repeat(1000)}`;
  assert.equal(await through([push]), push);
  assert.equal(await through([...push]), push);
});

test('only what comes before the pack counts as its list of refs', async () => {
  const reasons: string[] = [];
  const onCut = (reason: string) => void reasons.push(reason);
  await assert.rejects(through(['0065', 'a'.repeat(97), '0000PACK'], { onCut }));
  await assert.rejects(through(['0000PACK', 'a'.repeat(100)], { mostPack: 50, onCut }));
  assert.deepEqual(reasons, [
    'its list of refs has more than 100 bytes',
    'it has more than 50 bytes (limits.max_push)',
  ]);
});

test('a push is cut off when the disk fills up while it arrives', async () => {
  const pack = Buffer.alloc(MEBIBYTE);
  let looks = 0;
  const room = async () => {
    looks += 1;
    return looks > 2 ? 'the disk is full' : undefined;
  };
  await assert.rejects(
    through([COMMANDS, 'PACK', ...Array.from({ length: 20 }, () => pack)], { room }),
    /the disk is full/,
  );
  assert.equal(looks, 3);
});
