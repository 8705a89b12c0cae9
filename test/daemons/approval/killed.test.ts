import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { applyApproval } from '../../../daemons/approval/apply.ts';
import { approved, effectsOn, NEW, OLD, placeFor, textOf } from './place.ts';

const FIXTURE = fileURLToPath(new URL('./fixtures/apply-and-die.ts', import.meta.url));

async function applyUntil(directory: string, verdict: string, lastStep: number) {
  const { stdout, signal } = await execa(process.execPath, [FIXTURE, directory, verdict, String(lastStep)], {
    reject: false,
    timeout: 30_000,
  });
  return { signal, steps: stdout === '' ? undefined : Number(JSON.parse(stdout).steps) };
}

/** Kills at each step in turn, and applies again after each. Returns how many steps there were. */
async function killAtEachStep(t: TestContext, verdict: 'in force' | 'refused'): Promise<number> {
  for (let lastStep = 0; ; lastStep += 1) {
    const directory = placeFor(t);
    const { signal, steps } = await applyUntil(directory, verdict, lastStep);
    if (signal === undefined) return steps ?? 0;
    assert.equal(signal, 'SIGKILL');
    assert.ok([OLD, NEW].includes(textOf(directory)), `after step ${lastStep} the file is whole`);
    const { result, settle } = await applyApproval(approved, effectsOn(directory, verdict === 'refused' ? [NEW] : []));
    settle();
    assert.equal(result.result, verdict === 'refused' ? 'failed' : 'applied', `after step ${lastStep}`);
    assert.equal(textOf(directory), verdict === 'refused' ? OLD : NEW, `after step ${lastStep}`);
    assert.deepEqual(readdirSync(join(directory, 'config')), ['routes.yaml']);
    assert.equal(existsSync(join(directory, 'data', 'approval', 'routes.yaml.json')), false);
  }
}

test('killed at any step and run again, an approval ends as applied', async (t) => {
  assert.ok((await killAtEachStep(t, 'in force')) >= 10);
});

test('killed at any step and run again, an approval that does not come into force ends with the old text', async (t) => {
  assert.ok((await killAtEachStep(t, 'refused')) >= 14);
});
