/** The life of one process of a tool, as data. Times are milliseconds since the epoch. */
export type SlotState =
  | { readonly kind: 'opening'; readonly users: number; readonly dropped: boolean }
  | {
      readonly kind: 'open';
      readonly users: number;
      readonly dropped: boolean;
      readonly since: number;
      readonly idleSince: number;
    }
  /** Being stopped. */
  | { readonly kind: 'closing' }
  | { readonly kind: 'gone' };

export type SlotEvent =
  /** Someone wants it. Only for one that {@link isUsable}. */
  | { readonly kind: 'take' }
  | { readonly kind: 'give-back'; readonly now: number }
  | { readonly kind: 'opened'; readonly now: number }
  /** It could not be opened, or has ended. */
  | { readonly kind: 'ended' }
  /** Nobody will want it again. */
  | { readonly kind: 'drop' }
  /** It ends now, whoever uses it. */
  | { readonly kind: 'stop' }
  /** Time has passed. */
  | { readonly kind: 'look'; readonly now: number; readonly idleTimeout: number };

export interface Step {
  readonly state: SlotState;
  /** Stop the process. */
  readonly close: boolean;
}

/** A slot for which a start has just begun. */
export const OPENING: SlotState = { kind: 'opening', users: 0, dropped: false };

/** Whether a new call may have it. */
export function isUsable(state: SlotState): boolean {
  return (state.kind === 'opening' || state.kind === 'open') && !state.dropped;
}

/** What becomes of a slot. Pure. */
export function step(state: SlotState, event: SlotEvent): Step {
  if (event.kind === 'ended') return stay({ kind: 'gone' });
  switch (state.kind) {
    case 'opening':
      return whileOpening(state, event);
    case 'open':
      return whileOpen(state, event);
    case 'closing':
      // A process that was still being started when it was to stop is stopped as soon as it is there.
      return event.kind === 'opened' ? close() : stay(state);
    case 'gone':
      return stay(state);
  }
}

type Opening = Extract<SlotState, { readonly kind: 'opening' }>;
type Open = Extract<SlotState, { readonly kind: 'open' }>;

function whileOpening(state: Opening, event: SlotEvent): Step {
  switch (event.kind) {
    case 'take':
      return stay({ ...state, users: state.users + 1 });
    case 'give-back':
      return stay({ ...state, users: state.users - 1 });
    case 'drop':
      return stay({ ...state, dropped: true });
    case 'stop':
      return stay({ kind: 'closing' });
    case 'opened': {
      const { users, dropped } = state;
      if (dropped && users === 0) return close();
      return stay({ kind: 'open', users, dropped, since: event.now, idleSince: event.now });
    }
    default:
      return stay(state);
  }
}

function whileOpen(state: Open, event: SlotEvent): Step {
  switch (event.kind) {
    case 'take':
      return stay({ ...state, users: state.users + 1 });
    case 'give-back': {
      const users = state.users - 1;
      return users === 0 && state.dropped ? close() : stay({ ...state, users, idleSince: event.now });
    }
    case 'drop':
      return state.users === 0 ? close() : stay({ ...state, dropped: true });
    case 'stop':
      return close();
    case 'look':
      return state.users === 0 && event.now - state.idleSince >= event.idleTimeout ? close() : stay(state);
    default:
      return stay(state);
  }
}

function stay(state: SlotState): Step {
  return { state, close: false };
}

function close(): Step {
  return { state: { kind: 'closing' }, close: true };
}
