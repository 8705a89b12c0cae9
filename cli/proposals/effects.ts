import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Effects, InForce } from '../../daemons/approval/apply.ts';
import { type Surroundings, waitInForce } from '../../daemons/approval/in-force.ts';
import { openJournal } from '../../daemons/approval/journal.ts';
import type { TargetName } from '../../daemons/approval/kinds.ts';
import { handOver } from '../../daemons/approval/rebuild.ts';
import { readTarget, writeTarget } from '../../daemons/approval/target-file.ts';
import type { Client } from '../client.ts';
import type { Place } from './place.ts';

/** How long a daemon may take until it goes by a new file. pipelock may have to start its engine anew for it. */
const DEADLINE_MS = 15_000;
/** Lines of a daemon's log that are looked at. */
const LINES = 500;

const statusSchema = z.object({ daemons: z.array(z.object({ name: z.string() })) });
const logLineSchema = z.object({ time: z.string(), message: z.string() });

/** What an approval does to this bottle: its files, and its daemons by way of the init. */
export function createEffects(place: Place, init: Client): Effects {
  const told = new Map<string, string>();
  let bundle: Promise<readonly string[] | undefined> | undefined;
  const read = (file: TargetName): string | undefined => readTarget(join(place.config, file));
  const surroundings: Surroundings = {
    egressPort: place.egressPort,
    pipelockHealthPort: place.pipelockHealthPort,
    pipelockGenerated: join(place.data, 'pipelock', 'pipelock.yaml'),
    read,
    logged,
    deadline_ms: DEADLINE_MS,
  };

  /** Undefined where the init cannot be asked: then every daemon is expected to be there. */
  function daemons(): Promise<readonly string[] | undefined> {
    bundle ??= init
      .ask('GET', '/v1/status')
      .then(({ body }) => statusSchema.safeParse(JSON.parse(body)).data?.daemons.map(({ name }) => name))
      .catch(() => undefined);
    return bundle;
  }

  async function isElsewhere(daemon: string): Promise<boolean> {
    return (await daemons())?.includes(daemon) === false;
  }

  async function reload(daemon: string): Promise<string | undefined> {
    if (await isElsewhere(daemon)) return undefined;
    told.set(daemon, new Date().toISOString());
    try {
      const body = { signal: 'HUP' };
      const { status } = await init.ask('POST', `/v1/daemons/${daemon}/signal`, { body });
      return status < 300 ? undefined : `could not be told to read it: the init answered ${status}`;
    } catch (error) {
      return `could not be told to read it: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  async function inForce(daemon: string, file: TargetName, text: string | undefined): Promise<InForce> {
    if (await isElsewhere(daemon)) return { ok: true, seen: `${daemon} is not in this bundle` };
    return waitInForce(surroundings, daemon, file, text, told.get(daemon) ?? '');
  }

  async function logged(daemon: string, since: string): Promise<readonly string[]> {
    const { body } = await init.ask('GET', `/v1/logs?daemon=${daemon}&lines=${LINES}`);
    return body.split('\n').flatMap((line) => {
      const parsed = line === '' ? undefined : logLineSchema.safeParse(JSON.parse(line)).data;
      return parsed !== undefined && parsed.time >= since ? [parsed.message] : [];
    });
  }

  return {
    journal: openJournal(join(place.data, 'approval')),
    read,
    write: (file, text) => writeTarget(join(place.config, file), text),
    reload,
    inForce,
    handOver: (approved) => handOver(join(place.data, 'rebuild'), approved, new Date()),
  };
}
