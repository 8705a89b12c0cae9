import { join } from 'node:path';
import { isAsShown, shownOf } from '../../daemons/approval/change.ts';
import { KINDS } from '../../daemons/approval/kinds.ts';
import { readTarget } from '../../daemons/approval/target-file.ts';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { type Client, createClient } from '../client.ts';
import type { Arguments } from '../verb.ts';
import type { Verbs } from '../verbs.ts';
import { type Place, placeOf, superviseSocket } from './place.ts';
import { createSupervise, type Supervise } from './supervise.ts';

export type Values = Arguments<Verbs['proposals']>['values'];

/** What the actions work with. */
export interface Desk {
  readonly values: Values;
  readonly supervise: Supervise;
  readonly place: Place;
  /** The init, by which daemons are told. */
  readonly init: Client;
}

export function openDesk(values: Values): Desk {
  const supervise = createSupervise(superviseSocket(values['supervise-socket'], process.env));
  return { values, supervise, place: placeOf(process.env), init: createClient(values.socket) };
}

/** The file that a proposal is about, as it is now, or what the proposal shows of it. */
export interface Held {
  /** Empty where there is no such file. */
  readonly text: string;
  /** It is not what the proposal was made for, or it cannot be read: why, for a person. */
  readonly doubt: string | undefined;
}

/** Reads it; where that cannot be or it has changed, the text is the one that the proposal tells. */
export async function heldFor({ kind, target, current }: Proposal, { config }: Place): Promise<Held> {
  const { writes } = KINDS[kind];
  if (target === '' || writes === undefined || writes === 'git-gate.yaml') return { text: current, doubt: undefined };
  try {
    const text = readTarget(join(config, writes)) ?? '';
    if (await isAsShown(kind, current, text)) return { text: shownOf(kind, text), doubt: undefined };
    return { text: current, doubt: `${writes} has changed since this was proposed` };
  } catch (error) {
    return { text: current, doubt: error instanceof Error ? error.message : String(error) };
  }
}
