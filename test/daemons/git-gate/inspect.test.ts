import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from '../../../daemons/git-gate/push/inspect.ts';
import type { Store } from '../../../daemons/git-gate/push/objects.ts';
import { openSecondOpinion } from '../../../daemons/git-gate/push/second-opinion.ts';
import type { Scanner, SecretFinding } from '../../../daemons/scanner/finding.ts';
import type { SecondEngine } from '../../../daemons/scanner/second-engine.ts';
import { AGENT_ENV, commit, must, scratch } from './world.ts';

const RULES = {
  readOnly: false,
  allowDelete: false,
  allowForce: false,
  tags: 'create',
  protectedRefs: [],
  allowLfs: false,
  maxBlob: 1024 ** 2,
} as const;

/** Finds so many secrets in everything. */
function findsIn(count: number): Scanner {
  const finding = (i: number): SecretFinding => ({
    rule: 'test',
    what: 'a secret',
    line: 1,
    column: 1,
    fingerprint: String(i),
    digest: String(i),
  });
  return {
    scan: async () => ({ ok: true, findings: Array.from({ length: count }, (_, i) => finding(i)), unlisted: 0 }),
    close: async () => {},
  };
}

test('of messages with secrets in them, however long, next to nothing is kept, and of findings a bounded number', async (t) => {
  const folder = scratch(t);
  await must(folder, 'init', '--quiet');
  const tip = await commit(folder, { 'a.txt': 'a' }, `Long\n\n${'lorem ipsum\n'.repeat(10_000)}`);
  const store: Store = { cwd: folder, env: AGENT_ENV, signal: new AbortController().signal };
  const commits = [{ id: tip, type: 'commit', size: await sizeOf(folder, tip), path: '' }] as const;
  const second = openSecondOpinion(undefined, folder, async () => undefined);

  const { found } = await inspect(commits, [], RULES, { scanner: findsIn(100), second }, store);
  assert.equal(found.length, 100);
  for (const { where } of found) assert.ok(JSON.stringify(where).length < 1000, JSON.stringify(where).slice(0, 200));

  const refs = Array.from({ length: 300 }, (_, i) => `refs/heads/${i}`);
  await assert.rejects(
    inspect(commits, refs, RULES, { scanner: findsIn(100), second }, store),
    /the push holds more than 20000 findings/,
  );
});

async function sizeOf(folder: string, id: string): Promise<number> {
  return Number(await must(folder, 'cat-file', '-s', id));
}

test('what the second engine reads is not written where the disk has no room for it', async (t) => {
  const engine: SecondEngine = {
    name: 'gitleaks',
    program: '/nonexistent',
    scanDirectory: async () => ({ ok: true, findings: [] }),
  };
  const second = openSecondOpinion(engine, scratch(t), async () => 'the disk is full');
  const piece = { bytes: Buffer.alloc(3 * 1024 ** 2), where: { kind: 'file', id: 'x', path: 'x' } } as const;
  await second.add(piece);
  await assert.rejects(second.add(piece), /the disk is full/);
});
