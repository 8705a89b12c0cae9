import { join } from 'node:path';
import type { Settings } from '../settings.ts';

export type Environment = Readonly<Record<string, string>>;

/**
 * The whole environment of every git process: nothing of the container's own reaches it, so that no proxy variable, no
 * configuration of a user and no GIT_* of a caller can change what git does.
 */
export function gitEnvironment(settings: Pick<Settings, 'data' | 'path'>, extra: Environment = {}): Environment {
  return {
    PATH: settings.path,
    HOME: settings.data,
    LANG: 'C',
    LC_ALL: 'C',
    TZ: 'UTC',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: globalConfig(settings.data),
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    ...extra,
  };
}

/** The one configuration file above those of the mirrors; {@link GLOBAL_CONFIG} is what it holds. */
export function globalConfig(data: string): string {
  return join(data, 'gitconfig');
}

/** The operator named the mirrors' upstreams: one on this machine may well belong to another user (git-config(1), safe.directory). */
export const GLOBAL_CONFIG = '[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n';

/** Configuration for one git process by its environment: above every file, and in no argument list. */
export function withConfig(entries: readonly (readonly [key: string, value: string])[]): Environment {
  const all: Record<string, string> = { GIT_CONFIG_COUNT: String(entries.length) };
  for (const [index, [key, value]] of entries.entries()) {
    all[`GIT_CONFIG_KEY_${index}`] = key;
    all[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return all;
}
