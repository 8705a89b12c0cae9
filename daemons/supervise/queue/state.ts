import type { Proposal } from '../proposal.ts';
import type { QueueEvent } from './event.ts';

/** One proposal with what only supervise knows of it. */
export interface Entry {
  readonly proposal: Proposal;
  readonly currentHash: string;
  readonly cancelled: number;
  readonly ended: string | null;
}

/** The queue: all of it comes out of the log, by {@link reduce}. */
export interface State {
  /** By id, oldest first: those that are open, and the last of those that have ended. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** How many proposals there ever were. */
  readonly created: number;
  /** Reports that were taken in and may still lie in their directory: the newest of them. */
  readonly taken: ReadonlySet<string>;
  /** When the last incident happened that was taken in, RFC 3339; undefined where none was. */
  readonly lastIncident: string | undefined;
}

export const EMPTY: State = { entries: new Map(), created: 0, taken: new Set(), lastIncident: undefined };

/** How many proposals are kept after their end, and how many characters of theirs; older ones are in the log only. */
const MOST_ENDED = 200;
const MOST_ENDED_CHARACTERS = 8 * 1024 * 1024;
const MOST_TAKEN = 1000;

/** The state after `event`, which happened at `time` (RFC 3339). A string says why it cannot have happened. */
export function reduce(state: State, event: QueueEvent, time: string): State | string {
  switch (event.type) {
    case 'continued':
      return {
        entries: new Map(),
        created: event.created,
        taken: new Set(event.taken),
        lastIncident: event.lastIncident,
      };
    case 'carried': {
      const { proposal, currentHash, cancelled, ended } = event;
      return withEntry(state, { proposal, currentHash, cancelled, ended });
    }
    case 'proposed': {
      if (state.entries.has(event.id)) return `proposes ${event.id}, which is there already`;
      const { type, currentHash, report, ...asked } = event;
      const proposal: Proposal = {
        ...asked,
        status: 'pending',
        created: time,
        times: 1,
        decision: null,
        outcome: null,
        opinion: null,
      };
      const entry: Entry = { proposal, currentHash, cancelled: 0, ended: null };
      const taken = withEntry(withTaken(state, report), entry);
      return { ...withIncident(taken, proposal, proposal.facts.time), created: state.created + 1 };
    }
    default:
      return change(state, event, time);
  }
}

type Change = Exclude<QueueEvent, { readonly type: 'continued' | 'carried' | 'proposed' }>;

function change(state: State, event: Change, time: string): State | string {
  const entry = state.entries.get(event.id);
  // What ended long ago is not kept, and a late word about it changes nothing.
  if (entry === undefined) return state;
  const { proposal } = entry;
  const put = (changed: Partial<Proposal>, more: Partial<Entry> = {}): State =>
    withEntry(state, { ...entry, ...more, proposal: { ...proposal, ...changed } });
  switch (event.type) {
    case 'repeated':
      return withIncident(withTaken(put({ times: event.times }), event.report), proposal, event.time);
    case 'decided': {
      if (proposal.status !== 'pending') return `decides ${event.id}, which is ${proposal.status}`;
      if (event.shown !== proposal.shown) return `decides ${event.id} as something else than what was shown`;
      const { verdict, by, reason, final } = event;
      const isEnd = !(isApplicable(proposal) && (verdict === 'approved' || verdict === 'modified'));
      return put({ status: verdict, decision: { verdict, by, reason, final, time } }, { ended: isEnd ? time : null });
    }
    case 'outcome': {
      if (!isToBeApplied(proposal)) return `applies ${event.id}, which is ${proposal.status}`;
      const { result, detail, diff } = event;
      return put(
        { status: result, outcome: { result, detail, diff, time } },
        { ended: result === 'applied' ? time : null },
      );
    }
    case 'opinion': {
      const { risk, reason, model } = event;
      // It comes when it comes: what was decided meanwhile was decided without it.
      return proposal.status === 'pending' ? put({ opinion: { risk, reason, model, time } }) : state;
    }
    case 'expired':
    case 'stale':
      if (proposal.status !== 'pending') return `ends ${event.id}, which is ${proposal.status}`;
      return put({ status: event.type }, { ended: time });
    case 'task-cancelled':
      return put({}, { cancelled: event.cancelled });
  }
}

/** Whether an approval is followed by a change of a file. */
export function isApplicable({ target }: Pick<Proposal, 'target'>): boolean {
  return target !== '';
}

/** Whether who asked can be told how it ended: by an end, or by an attempt to apply it that failed. */
export function isAnswered(proposal: Proposal): boolean {
  if (proposal.status === 'pending') return false;
  return !(isApplicable(proposal) && (proposal.status === 'approved' || proposal.status === 'modified'));
}

/** Whether the operator's side may say what came of applying it. */
export function isToBeApplied({ status }: Proposal): boolean {
  return status === 'approved' || status === 'modified' || status === 'failed';
}

/** Events out of which alone {@link reduce} rebuilds the state, for the beginning of a new file of the log. */
export function carryOver(
  { entries, created, taken, lastIncident }: State,
  before: { readonly file: string; readonly head: { readonly seq: number; readonly hash: string } },
): readonly QueueEvent[] {
  const carried = [...entries.values()].map((entry): QueueEvent => ({ type: 'carried', ...entry }));
  const { file, head } = before;
  const kept = { created, taken: [...taken], ...(lastIncident === undefined ? {} : { lastIncident }) };
  return [{ type: 'continued', file, ...head, ...kept, carried: carried.length }, ...carried];
}

function withEntry(state: State, entry: Entry): State {
  const entries = new Map(state.entries).set(entry.proposal.id, entry);
  if (entry.ended !== null) forget(entries);
  return { ...state, entries };
}

/** Lets go of those that ended first, where they are too many or too long. */
function forget(entries: Map<string, Entry>): void {
  const ended = [...entries.values()]
    .filter(({ ended }) => ended !== null)
    .sort((a, b) => ((a.ended ?? '') < (b.ended ?? '') ? -1 : 1));
  let characters = ended.reduce((sum, { proposal }) => sum + sizeOf(proposal), 0);
  let kept = ended.length;
  for (const { proposal } of ended) {
    if (kept <= MOST_ENDED && (characters <= MOST_ENDED_CHARACTERS || kept === 1)) return;
    entries.delete(proposal.id);
    characters -= sizeOf(proposal);
    kept--;
  }
}

/** About how many characters a proposal holds. */
export function sizeOf({ justification, current, proposed, decision, facts }: Proposal): number {
  const lengths = Object.values(facts).reduce((sum, value) => sum + value.length, 0);
  return justification.length + current.length + proposed.length + (decision?.final?.length ?? 0) + lengths;
}

function withTaken(state: State, report: string | undefined): State {
  if (report === undefined) return state;
  const taken = [...state.taken, report];
  return { ...state, taken: new Set(taken.slice(-MOST_TAKEN)) };
}

function withIncident(state: State, { kind }: Proposal, time: string | undefined): State {
  if (kind !== 'incident' || time === undefined || time <= (state.lastIncident ?? '')) return state;
  return { ...state, lastIncident: time };
}
