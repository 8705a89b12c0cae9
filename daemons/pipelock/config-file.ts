import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toYaml } from './generator.ts';
import type { PipelockConfig } from './pipelock-config.ts';

/** The generated configuration on disk. */
export interface ConfigFile {
  /** The file that the engine reads and, if it is the real one, watches. */
  readonly path: string;
  /** Writes a candidate, lets `check` judge it, and puts it in place only if that finds no fault. Returns the faults. */
  install(config: PipelockConfig, check: (file: string) => Promise<readonly string[]>): Promise<readonly string[]>;
}

/**
 * A configuration file in `directory`, which is made where it is missing. Throws where it cannot be. Candidates lie in a directory of
 * their own, since pipelock watches the directory of its file.
 */
export function configFile(directory: string): ConfigFile {
  const path = join(directory, 'pipelock.yaml');
  const workshop = join(directory, 'candidate');
  const candidate = join(workshop, 'pipelock.yaml');
  mkdirSync(workshop, { recursive: true, mode: 0o700 });
  return {
    path,
    async install(config, check) {
      rmSync(candidate, { force: true });
      writeFileSync(candidate, toYaml(config), { mode: 0o600, flag: 'wx' });
      const faults = await check(candidate);
      // A rename within one file system: a reader sees the old file or the new one, never a part.
      if (faults.length === 0) renameSync(candidate, path);
      return faults;
    },
  };
}
