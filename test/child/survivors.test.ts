import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { execa } from 'execa';
import { asProcessOne, noNamespace, notRoot } from '../posix/pid-namespace.ts';

const WARDEN = join(import.meta.dirname, 'fixtures/warden.ts');

const EVERYTHING = {
  before: { alone: 1, group: 2, escaped: 2, unmarked: 2, other: 1, over: 0 },
  survivors: ['alone', 'group', 'escaped', 'unmarked', 'other'],
  escapees: { alone: 0, group: 0, escaped: 2, unmarked: 2, other: 1, over: 0 },
  afterEach: [
    { alone: 0, group: 2, escaped: 2, unmarked: 2, other: 1, over: 0 },
    { alone: 0, group: 0, escaped: 2, unmarked: 2, other: 1, over: 0 },
    { alone: 0, group: 0, escaped: 0, unmarked: 2, other: 1, over: 0 },
    { alone: 0, group: 0, escaped: 0, unmarked: 0, other: 1, over: 0 },
    { alone: 0, group: 0, escaped: 0, unmarked: 0, other: 0, over: 0 },
    { alone: 0, group: 0, escaped: 0, unmarked: 0, other: 0, over: 0 },
  ],
};

test('process 1 finds and kills all that a daemon left behind, and nothing of another daemon', {
  skip: noNamespace,
}, async () => {
  const [file, argv] = asProcessOne([process.execPath, WARDEN]);
  assert.deepEqual(JSON.parse((await execa(file, argv)).stdout), EVERYTHING);
});

test('so does a subreaper that is not process 1', { skip: notRoot }, async () => {
  assert.deepEqual(JSON.parse((await execa(process.execPath, [WARDEN])).stdout), EVERYTHING);
});

test('orphans of another user are known by that user where the kernel hides their environment', {
  skip: noNamespace,
}, async () => {
  const withoutPtrace = ['setpriv', '--bounding-set=-sys_ptrace', process.execPath, WARDEN];
  const [file, argv] = asProcessOne(withoutPtrace);
  assert.deepEqual(JSON.parse((await execa(file, argv)).stdout), EVERYTHING);
});

test('under the /proc of another namespace nothing is taken for a survivor', { skip: noNamespace }, async () => {
  const script = `
    const { findSurvivors } = await import(${JSON.stringify(join(import.meta.dirname, '../../init/child/survivors.ts'))});
    console.log(findSurvivors([{ leader: 1, mark: 'x' }]).size);
  `;
  const { stdout } = await execa('unshare', ['--fork', '--pid', process.execPath, '--input-type=module', '-e', script]);
  assert.equal(stdout, '0');
});
