import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../log/log.ts';
import type { GateConfig } from '../config/load.ts';
import { gitEnvironment } from '../git/environment.ts';
import { runGit } from '../git/process.ts';
import type { Settings } from '../settings.ts';
import { mirrorPath } from './mirror.ts';

/** Each push and each fetch leaves a pack; with more than this many a mirror is packed anew. */
const MANY_PACKS = 30;
/** Each pack makes everything that git does a little slower, and an agent in a loop makes thousands. */
const EVERY_MS = 3_600_000;
const MOST_MS = 3_600_000;

/**
 * Packs the mirrors anew where that is due: at start and once an hour, one after the other. git does so beside fetches
 * and pushes safely (git-gc(1), "NOTES": what is younger than the prune date stays). Resolves when `signal` comes.
 */
export async function maintain(
  settings: Settings,
  config: () => GateConfig,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const name of config().repos.keys()) {
      const path = mirrorPath(settings, name);
      if (signal.aborted || packsIn(path) <= MANY_PACKS) continue;
      const started = performance.now();
      const ran = await runGit(['gc', '--quiet', '--prune=1.week.ago'], {
        cwd: path,
        env: gitEnvironment(settings),
        timeout: MOST_MS,
        signal,
      });
      const fields = { event: 'maintained', repo: name, duration_ms: Math.round(performance.now() - started) };
      if (ran.ok) log('info', `${name}: the mirror was packed anew`, fields);
      else if (!signal.aborted)
        log('warn', `${name}: the mirror could not be packed anew; it is tried again in an hour`, fields);
    }
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

function packsIn(path: string): number {
  const folder = join(path, 'objects', 'pack');
  return existsSync(folder) ? readdirSync(folder).filter((entry) => entry.endsWith('.pack')).length : 0;
}
