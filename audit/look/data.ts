import { lstatSync } from 'node:fs';
import type { Bundle } from '../../init/bundle/schema.ts';
import { readAccounts } from '../../init/child/accounts.ts';
import { resolveIdentity } from '../../init/child/identity.ts';
import { readStanding } from '../../init/child/standing.ts';
import type { DataFacts } from '../data.ts';
import type { InitProcess } from './processes.ts';

/** The data directories of a bundle as they are declared and as they are. */
export function lookAtData({ daemons }: Bundle, init: InitProcess): readonly DataFacts[] {
  // Who a daemon becomes is the init's doing, not that of who asks.
  const standing = { ...readStanding(), uid: init.uid, gid: init.gid };
  const accounts = readAccounts();
  return Object.entries(daemons).flatMap(([daemon, spec]) => {
    const { uid, gid } = resolveIdentity(spec, standing, accounts).identity;
    return spec.data.map(({ path, mode, backup }) => ({
      daemon,
      path,
      backup,
      declared: { mode, uid, gid },
      found: lookAt(path),
    }));
  });
}

function lookAt(path: string): DataFacts['found'] {
  try {
    const stat = lstatSync(path);
    if (!stat.isDirectory()) return { kind: 'other', is: stat.isSymbolicLink() ? 'a symbolic link' : 'a file' };
    return { kind: 'directory', mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
    return { kind: 'unknown', reason: `cannot be looked at (${code})` };
  }
}
