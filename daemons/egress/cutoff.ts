import { lstatSync } from 'node:fs';
import type { Log } from '../log/log.ts';
import { INTROSPECTION_HOST } from './introspection.ts';
import type { Judge, Refused } from './verdict.ts';

/** Whether an operator has cut the agent off. */
export interface Cutoff {
  isOn(): boolean;
}

export interface CutoffOptions {
  /** While anything is at this path, be it a broken link, nothing leaves. */
  readonly file: string;
  /** Told when the cutoff begins; what is under way has to end then. */
  readonly begun: () => void;
  readonly log: Log;
}

/** What every request gets meanwhile. */
const CUT_OFF: Refused = {
  kind: 'refused',
  status: 503,
  code: 'cutoff',
  reason: 'the operator has cut this bottle off; nothing leaves it until the operator lifts that',
};

/** Refuses every request but those that egress answers by itself: these do not leave the bottle. */
export function whileCutOff(judge: Judge): Judge {
  return (question) => (question.authority.host === INTROSPECTION_HOST ? judge(question) : CUT_OFF);
}

/** What `bottled status` shows of it. */
export const CUTOFF_WARNING = 'CUTOFF: every request is refused until an operator says "bottled cutoff off"';

/**
 * How often the file is looked for: what an operator says counts within 100 ms. Looked for rather than watched, since not every file
 * system tells of changes (NFS, virtiofs) and a directory can be replaced; one look takes a few microseconds.
 */
const LOOK_EVERY_MS = 25;

/** Looks now, and from then on. Never throws. */
export function watchCutoff({ file, begun, log }: CutoffOptions): Cutoff {
  let on = isThere(file);
  if (on) tell();
  setInterval(() => {
    const was = on;
    on = isThere(file);
    if (on === was) return;
    if (on) begun();
    tell();
  }, LOOK_EVERY_MS).unref();

  function tell(): void {
    if (on) log('warn', `egress: ${CUTOFF_WARNING} (${file})`, { event: 'egress_cutoff', file });
    else log('info', 'egress: the cutoff is lifted; routes decide again', { event: 'egress_cutoff_lifted', file });
  }

  return { isOn: () => on };
}

/** A place that cannot be looked at counts as cut off. */
function isThere(file: string): boolean {
  try {
    return lstatSync(file, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
