import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QUARANTINE_PREFIX } from './mirror.ts';

/** Between two programs that work with a quarantine there is none for a moment: only one that is unused twice is dead. */
const APART_MS = 2000;

/**
 * Removes the quarantines of a mirror that no program works with any more, while other pushes may be under way. git removes its own, but not
 * when a signal ends it; and where a push or a fetch is always under way, nobody would ever do it. Never rejects.
 */
export async function removeDeadQuarantines(mirror: string): Promise<void> {
  const objects = join(mirror, 'objects');
  const first = await unused(objects);
  if (first.length === 0) return;
  await sleep(APART_MS, undefined, { ref: false });
  const still = new Set(await unused(objects));
  for (const name of first) {
    if (still.has(name)) await rm(join(objects, name), { recursive: true, force: true }).catch(() => {});
  }
}

async function unused(objects: string): Promise<readonly string[]> {
  const quarantines = (await namesIn(objects))?.filter((name) => name.startsWith(QUARANTINE_PREFIX)) ?? [];
  if (quarantines.length === 0) return [];
  const environments = await environmentsOfPrograms();
  return quarantines.filter((name) => !environments.some((environment) => environment.includes(`/${name}`)));
}

/**
 * git tells each program that it starts for a push where the quarantine is (GIT_QUARANTINE_PATH, git-receive-pack(1)). Programs of others
 * cannot be read (proc_pid_environ(5)), and are none of git's here. Without /proc every quarantine counts as used.
 */
async function environmentsOfPrograms(): Promise<readonly string[]> {
  const programs = (await namesIn('/proc'))?.filter((name) => /^\d+$/.test(name)) ?? [];
  if (programs.length === 0) return [`/${QUARANTINE_PREFIX}`];
  return Promise.all(programs.map((pid) => readFile(join('/proc', pid, 'environ'), 'latin1').catch(() => '')));
}

function namesIn(directory: string): Promise<readonly string[] | undefined> {
  return readdir(directory).catch(() => undefined);
}
