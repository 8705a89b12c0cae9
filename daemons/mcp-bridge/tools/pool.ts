import { afterCrash, afterFailure, type Backoff, NO_FAILURE, STEADY_MS, waitOf } from './backoff.ts';
import { describeEnd, StartError, type ToolEnd } from './process.ts';
import { createSlots, type Slots } from './slots.ts';

/** A tool's process that is ready to be spoken to. */
export interface Opened<Link> {
  readonly link: Link;
  /** Never rejects. */
  readonly ended: Promise<ToolEnd>;
  /** Again: the same end. Never rejects. */
  stop(): Promise<unknown>;
}

/** Why no process can be had now, for a person. */
export class ToolUnavailable extends Error {
  readonly why: 'busy' | 'failing' | 'ended' | 'stopped';
  /** Milliseconds until another try makes sense. */
  readonly retryAfter: number;

  constructor(why: ToolUnavailable['why'], message: string, retryAfter = 0) {
    super(message);
    this.name = 'ToolUnavailable';
    this.why = why;
    this.retryAfter = retryAfter;
  }
}

export interface PoolOptions<Link> {
  readonly tool: string;
  /** `stateless`: one process for all keys. */
  readonly life: 'session' | 'stateless';
  /** Processes at once, those that start or stop as well. */
  readonly maxSessions: number;
  /** Milliseconds without a call until a session's process is ended; one for all is kept. */
  readonly idleTimeout: number;
  /** Starts a process and shakes hands with it. Rejects where it dies before that is done. */
  readonly open: (key: string) => Promise<Opened<Link>>;
  readonly clock?: () => number;
}

/** What is known of a tool's processes, for probes and people. */
export type ToolState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'running'; readonly processes: number }
  /** `since` in milliseconds since the epoch. */
  | { readonly kind: 'failing'; readonly reason: string; readonly since: number };

/** The processes of one tool: started when they are needed, started again after a crash, ended when nobody needs them. */
export interface ToolPool<Link> {
  /**
   * Runs `call` with the process of `key`. Rejects with {@link ToolUnavailable} where none can be had, and as soon as the process ends under the
   * call. Waits at most 2 s for a tool that crashed lately.
   */
  use<T>(key: string, call: (link: Link) => Promise<T>): Promise<T>;
  /** The session is over: its process is ended once the calls that run are done or cut off. */
  drop(key: string): void;
  state(): ToolState;
  /** How often a process was started because one before it had failed. */
  restarts(): number;
  /** Ends all. Calls that run are cut off; later ones are refused. */
  stop(): Promise<void>;
}

/** Who calls waits no longer than this for a tool that crashed lately. */
const LONGEST_CALLER_WAIT_MS = 2000;

export function createToolPool<Link>(options: PoolOptions<Link>): ToolPool<Link> {
  const { tool, life, clock = Date.now } = options;
  const isShared = life === 'stateless';
  const slots: Slots<Opened<Link>> = createSlots({
    most: isShared ? 1 : options.maxSessions,
    idleTimeout: isShared ? undefined : options.idleTimeout,
    clock,
    open,
    onEnd,
  });
  let backoff: Backoff = NO_FAILURE;
  let restarts = 0;
  let revival: NodeJS.Timeout | undefined;
  let stopped = false;

  async function open(key: string): Promise<Opened<Link>> {
    if (backoff.failures > 0) restarts += 1;
    try {
      const opened = await options.open(key);
      if (!isShared) return opened;
      const steady = setTimeout(() => {
        backoff = NO_FAILURE;
      }, STEADY_MS);
      steady.unref();
      void opened.ended.then(() => clearTimeout(steady));
      return opened;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      backoff = afterFailure(backoff, reason, clock(), error instanceof StartError && error.permanent);
      throw new ToolUnavailable('failing', `the tool ${tool} cannot be started: ${reason}`, waitOf(backoff, clock()));
    }
  }

  function onEnd(key: string, end: ToolEnd, lived: number): void {
    if (end.asked || stopped) return;
    backoff = afterCrash(backoff, `it ${describeEnd(end)}`, lived, clock());
    if (isShared) revive(key);
  }

  /** What all share is started again before anybody asks, so that the next call does not wait for it. */
  function revive(key: string): void {
    clearTimeout(revival);
    revival = setTimeout(
      () => {
        if (stopped) return;
        void slots.take(key).then(
          (slot) => slots.giveBack(slot),
          () => revive(key),
        );
      },
      waitOf(backoff, clock()),
    );
    revival.unref();
  }

  async function waitForTurn(): Promise<void> {
    const wait = waitOf(backoff, clock());
    if (wait === 0) return;
    if (wait > LONGEST_CALLER_WAIT_MS) {
      const seconds = Math.ceil(wait / 1000);
      const reason = backoff.failing?.reason ?? 'it fails';
      throw new ToolUnavailable(
        'failing',
        `the tool ${tool} keeps failing (${reason}); it is tried again in ${seconds} s`,
        wait,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }

  return {
    async use(key, call) {
      const own = isShared ? '' : key;
      if (!slots.has(own)) await waitForTurn();
      if (stopped) throw new ToolUnavailable('stopped', `the tool ${tool} is being stopped`);
      if (!slots.has(own) && slots.isFull()) {
        throw new ToolUnavailable(
          'busy',
          `the tool ${tool} serves ${options.maxSessions} sessions already; close one, or wait until one has been idle for ${options.idleTimeout / 1000} s`,
          options.idleTimeout,
        );
      }
      const slot = await slots.take(own);
      try {
        const { promise: cut, reject } = Promise.withResolvers<never>();
        slot.whenCut((end) => reject(new ToolUnavailable('ended', endedText(tool, end))));
        return await Promise.race([call(slot.value.link), cut]);
      } finally {
        slots.giveBack(slot);
      }
    },
    drop: (key) => {
      if (!isShared) slots.drop(key);
    },
    state() {
      const processes = slots.count();
      if (processes > 0) return { kind: 'running', processes };
      return backoff.failing === undefined ? { kind: 'idle' } : { kind: 'failing', ...backoff.failing };
    },
    restarts: () => restarts,
    async stop() {
      stopped = true;
      clearTimeout(revival);
      await slots.stop();
    },
  };
}

function endedText(tool: string, end: ToolEnd): string {
  return `the tool ${tool} ${describeEnd(end)} before it answered; it is started again for the next call`;
}
