import type { ToolEnd } from './process.ts';
import { isUsable, OPENING, type SlotEvent, type SlotState, step } from './slot.ts';

/** What a slot holds once it is open. */
interface Held {
  readonly ended: Promise<ToolEnd>;
  stop(): Promise<unknown>;
}

export interface SlotsOptions<Value> {
  readonly most: number;
  /** Milliseconds; undefined: what is idle is kept. */
  readonly idleTimeout: number | undefined;
  readonly clock: () => number;
  readonly open: (key: string) => Promise<Value>;
  /** Called when a process has ended, asked or not, with the milliseconds that it was open. */
  readonly onEnd: (key: string, end: ToolEnd, lived: number) => void;
}

/** A share in a process, to be given back. */
export interface Taken<Value> {
  readonly value: Value;
  /** Calls `cut` when the process ends before this share is given back. */
  whenCut(cut: (end: ToolEnd) => void): void;
}

/** Processes by key. */
export interface Slots<Value> {
  /** Whether a process of this key is there, or on its way. */
  has(key: string): boolean;
  isFull(): boolean;
  /** Processes that are open. */
  count(): number;
  /** Opens one where none is there. Rejects as `open` does. */
  take(key: string): Promise<Taken<Value>>;
  giveBack(taken: Taken<Value>): void;
  drop(key: string): void;
  /** Ends all and waits until they are gone. */
  stop(): Promise<void>;
}

interface Slot<Value> {
  readonly key: string;
  state: SlotState;
  value: Value | undefined;
  opening: Promise<Value>;
  readonly gone: PromiseWithResolvers<void>;
  readonly cuts: Map<Taken<Value>, (end: ToolEnd) => void>;
}

/** How often it is looked for idle ones, in parts of the idle timeout, and at most. Milliseconds. */
const LOOKS = 4;
const LONGEST_LOOK_MS = 5000;

export function createSlots<Value extends Held>(options: SlotsOptions<Value>): Slots<Value> {
  const { clock, idleTimeout } = options;
  /** The one of each key that new calls get. */
  const current = new Map<string, Slot<Value>>();
  /** All that are not gone, those that are being stopped as well. */
  const all = new Set<Slot<Value>>();
  const holders = new WeakMap<Taken<Value>, Slot<Value>>();
  let looking: NodeJS.Timeout | undefined;

  function apply(slot: Slot<Value>, event: SlotEvent): void {
    const { state, close } = step(slot.state, event);
    slot.state = state;
    if (!isUsable(state) && current.get(slot.key) === slot) current.delete(slot.key);
    if (close) void slot.value?.stop();
    if (state.kind === 'gone' && all.delete(slot)) slot.gone.resolve();
    schedule();
  }

  function begin(key: string): Slot<Value> {
    const slot: Slot<Value> = {
      key,
      state: OPENING,
      value: undefined,
      opening: options.open(key),
      gone: Promise.withResolvers<void>(),
      cuts: new Map(),
    };
    current.set(key, slot);
    all.add(slot);
    slot.opening.then(
      (value) => opened(slot, value),
      () => apply(slot, { kind: 'ended' }),
    );
    return slot;
  }

  function opened(slot: Slot<Value>, value: Value): void {
    const since = clock();
    slot.value = value;
    apply(slot, { kind: 'opened', now: since });
    void value.ended.then((end) => {
      apply(slot, { kind: 'ended' });
      const cuts = [...slot.cuts.values()];
      slot.cuts.clear();
      options.onEnd(slot.key, end, clock() - since);
      for (const cut of cuts) cut(end);
    });
  }

  function schedule(): void {
    if (idleTimeout === undefined || looking !== undefined || all.size === 0) return;
    looking = setTimeout(
      () => {
        looking = undefined;
        const now = clock();
        for (const slot of all) apply(slot, { kind: 'look', now, idleTimeout });
        schedule();
      },
      Math.min(LONGEST_LOOK_MS, Math.ceil(idleTimeout / LOOKS) + 1),
    );
    looking.unref();
  }

  return {
    has: (key) => current.has(key),
    isFull: () => all.size >= options.most,
    count: () => [...all].filter(({ state }) => state.kind === 'open').length,
    async take(key) {
      const slot = current.get(key) ?? begin(key);
      apply(slot, { kind: 'take' });
      const value = await slot.opening;
      const taken: Taken<Value> = {
        value,
        whenCut(cut) {
          if (slot.state.kind === 'gone') void value.ended.then(cut);
          else slot.cuts.set(taken, cut);
        },
      };
      holders.set(taken, slot);
      return taken;
    },
    giveBack(taken) {
      const slot = holders.get(taken);
      if (slot === undefined) return;
      holders.delete(taken);
      slot.cuts.delete(taken);
      apply(slot, { kind: 'give-back', now: clock() });
    },
    drop(key) {
      const slot = current.get(key);
      if (slot !== undefined) apply(slot, { kind: 'drop' });
    },
    async stop() {
      const left = [...all];
      for (const slot of left) apply(slot, { kind: 'stop' });
      clearTimeout(looking);
      looking = undefined;
      await Promise.all(left.map(({ gone }) => gone.promise));
    },
  };
}
