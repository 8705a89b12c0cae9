import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Effects, InForce } from '../../../daemons/approval/apply.ts';
import { openJournal } from '../../../daemons/approval/journal.ts';
import type { Approved } from '../../../daemons/approval/kinds.ts';
import { handOver } from '../../../daemons/approval/rebuild.ts';
import { readTarget, writeTarget } from '../../../daemons/approval/target-file.ts';

export const OLD = '# by hand\nroutes:\n  - host: a.example\n';
export const NEW = 'routes:\n  - host: a.example\n  - host: b.example\n';

export const approved: Approved = {
  id: 'p-7kq2',
  kind: 'egress-block',
  current: OLD,
  facts: {},
  wanted: NEW,
  reason: 'for the tests',
  by: 'operator',
};

/** A folder with routes.yaml in it. */
export function placeFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'approval-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'config'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(routesOf(directory), OLD);
  return directory;
}

export function routesOf(directory: string): string {
  return join(directory, 'config', 'routes.yaml');
}

export function textOf(directory: string): string {
  return readFileSync(routesOf(directory), 'utf8');
}

/** Real files, and daemons that go by any text but those that `refused` holds. */
export function effectsOn(directory: string, refused: readonly string[] = []): Effects & { readonly done: string[] } {
  const done: string[] = [];
  const judge = (daemon: string, text: string | undefined): InForce =>
    text !== undefined && refused.includes(text)
      ? { ok: false, reason: `${daemon}: it goes by other routes` }
      : { ok: true, seen: `${daemon} goes by it` };
  return {
    done,
    journal: openJournal(join(directory, 'data', 'approval')),
    read: (file) => readTarget(join(directory, 'config', file)),
    write(file, text) {
      done.push('write');
      writeTarget(join(directory, 'config', file), text);
    },
    async reload(daemon) {
      done.push(`reload ${daemon}`);
      return undefined;
    },
    inForce: async (daemon, _file, text) => judge(daemon, text),
    handOver: (what) => handOver(join(directory, 'data', 'rebuild'), what, new Date(0)),
  };
}
