import { parseMount } from './mount.ts';
import { type BottlePlan, fromOutput } from './plan.ts';

/** What services are told in the same words on Compose and on Swarm. */

/** A mount of the bottle in the long form; `more` is said of directories of the host. */
export function mountOf(plan: BottlePlan, written: string, more: object = {}): object {
  const { kind, source, target, readOnly } = parseMount(written);
  const isBind = kind === 'bind';
  return {
    type: kind,
    source: isBind ? fromOutput(plan, source) : source,
    target,
    read_only: readOnly || undefined,
    ...(isBind ? more : {}),
  };
}

/** A shell script that reads one line of the init: a few milliseconds. Where it fails, Compose says so and ends nothing. */
export const HEALTHCHECK = {
  test: ['CMD', 'healthcheck'],
  interval: '2s',
  timeout: '3s',
  retries: 3,
  start_period: '30s',
} as const;

/** What an agent writes must not fill the disk. */
export const LOGGING = { driver: 'json-file', options: { 'max-size': '20m', 'max-file': '5' } } as const;

/** Bounds of the directories in memory that the bundle writes, in bytes. */
export const RUN_BYTES = 64 * 1024 ** 2;
export const TEMPORARY_BYTES = 512 * 1024 ** 2;
