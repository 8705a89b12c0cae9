import assert from 'node:assert/strict';
import { readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { execaSync } from 'execa';
import fc from 'fast-check';
import { isTorn, readTarget, writeTarget } from '../../../daemons/approval/target-file.ts';
import { NEW, OLD, placeFor, routesOf } from './place.ts';

test("a draft that was left behind is in nobody's way", (t) => {
  const file = routesOf(placeFor(t));
  writeFileSync(join(dirname(file), '.routes.yaml.next'), 'half');
  writeTarget(file, NEW);
  assert.equal(readFileSync(file, 'utf8'), NEW);
  assert.deepEqual(readdirSync(dirname(file)), ['routes.yaml']);
});

test('a link stays a link: what it leads to is written', (t) => {
  const directory = placeFor(t);
  const link = join(directory, 'data', 'link.yaml');
  symlinkSync(routesOf(directory), link);
  writeTarget(link, NEW);
  assert.equal(realpathSync(link), realpathSync(routesOf(directory)));
  assert.equal(readFileSync(routesOf(directory), 'utf8'), NEW);
});

test('what cannot be read is not taken for a file that is not there', (t) => {
  const directory = placeFor(t);
  assert.equal(readTarget(join(directory, 'none.yaml')), undefined);
  assert.throws(() => readTarget(join(directory, 'config')), /is a directory/);
});

const canMount = execaSync('unshare', ['--mount', 'true'], { reject: false }).exitCode === 0;

test('a file that is a mount point itself is written in place', {
  skip: canMount ? false : 'needs a mount namespace',
}, (t) => {
  const directory = placeFor(t);
  const file = routesOf(directory);
  const outside = join(directory, 'data', 'outside.yaml');
  writeFileSync(outside, OLD);
  const module = new URL('../../../daemons/approval/target-file.ts', import.meta.url).href;
  const script = `const { writeTarget } = await import('${module}'); writeTarget('${file}', ${JSON.stringify(NEW)});`;
  const command = `mount --bind '${outside}' '${file}' && exec '${process.execPath}' --input-type=module -e "$0"`;
  execaSync('unshare', ['--mount', 'sh', '-c', command, script]);
  assert.equal(readFileSync(outside, 'utf8'), NEW);
  assert.equal(readFileSync(file, 'utf8'), OLD);
});

test('every state of an interrupted write in place is known for one, and no other text', () => {
  const text = fc.string({ maxLength: 30 });
  fc.assert(
    fc.property(text, text, fc.nat(30), (before, after, cut) => {
      const [old, made] = [Buffer.from(before), Buffer.from(after)];
      const at = Math.min(cut, made.length);
      const found = Buffer.concat([made.subarray(0, at), old.subarray(at)]);
      // Half a character is no text: such a file is looked at by a person.
      if (!Buffer.from(found.toString()).equals(found)) return;
      assert.equal(isTorn(found.toString(), before, after), true);
    }),
  );
  assert.equal(isTorn('routes: []\n', OLD, NEW), false);
});
