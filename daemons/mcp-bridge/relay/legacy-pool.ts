import type { JsonObject } from '../policy/json.ts';
import { type Connection, type ConnectionEvents, openConnection, type StartTool } from './connection.ts';
import { initialize, openingWith } from './opening.ts';
import { CODE } from './protocol.ts';
import { failure, type Notification, type Outcome, type Request } from './rpc.ts';
import { traceEnvironment } from './trace.ts';

/** What a holder of a lease hears. */
export interface Holder {
  readonly onNotification: (notification: Notification) => void;
  readonly onRequest: (request: Request, signal: AbortSignal) => Promise<Outcome>;
}

/** A process of a legacy tool. What it asks cannot be told apart by caller, so that who may be asked has it for itself meanwhile. */
export interface LegacyLink {
  readonly connection: Connection;
  /** What it answered to `initialize`. */
  readonly said: JsonObject;
  readonly key: string;
  readonly agent: string;
  holder: Holder | undefined;
  logLevel: string | undefined;
  /** When it was last given back. Milliseconds. */
  idleSince: number;
}

export interface LegacyPool {
  /** The process that any number of callers share who cannot be asked for anything. Rejects where it cannot be opened. */
  common(): Promise<LegacyLink>;
  /**
   * A process for one call at a time, opened with the caller's capabilities, and only ever lent to calls of the same agent. Rejects where
   * none can be had before `signal`.
   */
  lease(capabilities: JsonObject, holder: Holder, signal: AbortSignal, agent: string): Promise<LegacyLink>;
  /** The process that callers share, where one runs. */
  shared(): Connection | undefined;
  giveBack(link: LegacyLink): void;
  /** As {@link giveBack} for a process that may still work for its holder: it is ended. */
  discard(link: LegacyLink): void;
  /** Ends what has not been used for `idle` milliseconds. */
  sweep(idle: number, now: number): void;
  pending(): number;
  stop(): Promise<void>;
}

export interface LegacyPoolOptions {
  readonly tool: string;
  readonly start: StartTool;
  /** Processes for leases at once. */
  readonly max: number;
  /** The tool remembers: a client of an agent always gets the same process, and nobody's is taken away for another's. */
  readonly isStateful: boolean;
  /** What a process says to nobody in particular. */
  readonly onNotification: (notification: Notification, link: Connection) => void;
  /** A question of the process that callers share. */
  readonly onCommonRequest: (request: Request) => Outcome;
  /** Called when all processes are taken and another caller waits: may free one. */
  readonly onCrowded: () => void;
  /** The process that callers share does not open in the legacy era. */
  readonly onNotLegacy: () => void;
}

/** A tool refuses to speak the legacy era. */
export class NotLegacy extends Error {}

interface LegacyEvents extends Holder {
  readonly onEnd: () => void;
}

/** A process that has been started and has not been spoken to. */
interface Started {
  readonly connection: Connection;
  /** What it says from now on goes here. */
  readonly bind: (events: LegacyEvents) => void;
}

async function startLegacy(
  tool: string,
  start: StartTool,
  environment: Readonly<Record<string, string>> = {},
): Promise<Started> {
  let bound: LegacyEvents | undefined;
  const events: ConnectionEvents = {
    onNotification: (notification) => bound?.onNotification(notification),
    onRequest: (request, signal) => bound?.onRequest(request, signal) ?? Promise.resolve(nobody(request.method)),
    onEnd: () => bound?.onEnd(),
  };
  const connection = await openConnection(tool, start, events, environment);
  return {
    connection,
    bind(events) {
      bound = events;
    },
  };
}

/** Opens a tool for one session with the handshake of 2025. Rejects with {@link NotLegacy} where it refuses, otherwise as {@link StartTool} does. */
export async function openLegacy(
  tool: string,
  start: StartTool,
  opening: JsonObject,
  events: LegacyEvents,
): Promise<{ readonly connection: Connection; readonly said: JsonObject }> {
  return await shakeHands(await startLegacy(tool, start, traceEnvironment(opening)), opening, events);
}

async function shakeHands(
  { connection, bind }: Started,
  opening: JsonObject,
  events: LegacyEvents,
): Promise<{ readonly connection: Connection; readonly said: JsonObject }> {
  bind(events);
  const opened = await initialize(connection, opening);
  if (opened.ok) return { connection, said: opened.said };
  const hasEnded = connection.hasEnded();
  await connection.stop();
  throw hasEnded ? new Error(opened.error.message) : new NotLegacy(opened.error.message);
}

const COMMON = 'common';

export function createLegacyPool(options: LegacyPoolOptions): LegacyPool {
  const links = new Set<LegacyLink>();
  const waiting = new Set<() => void>();
  let opening = 0;
  let shared: Promise<LegacyLink> | undefined;
  let sharedLink: LegacyLink | undefined;
  let spare: { readonly started: Promise<Started | undefined>; since: number } | undefined;
  let isStopped = false;

  async function open(key: string, agent: string, capabilities: JsonObject): Promise<LegacyLink> {
    let link: LegacyLink | undefined;
    const { connection, said } = await shakeHands(await startedAlready(), openingWith(capabilities), {
      onNotification(notification) {
        if (isForHolder(notification) && link?.holder !== undefined) link.holder.onNotification(notification);
        else if (link !== undefined) options.onNotification(notification, link.connection);
      },
      onRequest(request, signal) {
        if (link?.holder !== undefined) return link.holder.onRequest(request, signal);
        return Promise.resolve(key === COMMON ? options.onCommonRequest(request) : nobody(request.method));
      },
      onEnd() {
        if (link === undefined) return;
        links.delete(link);
        wake();
      },
    });
    link = { connection, said, key, agent, holder: undefined, logLevel: undefined, idleSince: Date.now() };
    connection.notify('notifications/initialized', {});
    keepSpare();
    return link;
  }

  /** The one that was started ahead, so that a caller with other capabilities does not wait for a process to start. */
  async function startedAlready(): Promise<Started> {
    const taken = spare;
    spare = undefined;
    const ready = await taken?.started;
    if (ready !== undefined && !ready.connection.hasEnded()) return ready;
    return await startLegacy(options.tool, options.start);
  }

  function keepSpare(): void {
    if (spare !== undefined || isStopped) return;
    const started = startLegacy(options.tool, options.start).catch(() => undefined);
    spare = { started, since: Date.now() };
  }

  async function endSpare(): Promise<void> {
    const ended = spare;
    spare = undefined;
    await (await ended?.started)?.connection.stop();
  }

  function common(): Promise<LegacyLink> {
    shared ??= openShared();
    return shared;
  }

  async function openShared(): Promise<LegacyLink> {
    try {
      sharedLink = await open(COMMON, '', {});
      return sharedLink;
    } catch (error) {
      shared = undefined;
      if (error instanceof NotLegacy) options.onNotLegacy();
      throw error;
    }
  }

  async function lease(
    capabilities: JsonObject,
    holder: Holder,
    signal: AbortSignal,
    agent: string,
  ): Promise<LegacyLink> {
    const key = JSON.stringify([agent, capabilities]);
    for (;;) {
      const free = [...links].find(
        (link) => link.key === key && link.holder === undefined && !link.connection.hasEnded(),
      );
      if (free !== undefined) return hold(free, holder);
      const isTaken = options.isStateful && [...links].some((link) => link.key === key);
      if (!isTaken && links.size + opening < options.max) return await openLeased(key, agent, capabilities, holder);
      if (!isTaken && options.isStateful)
        throw new Error(`all ${options.max} processes of the tool "${options.tool}" are in use; try again later`);
      const other = options.isStateful ? undefined : [...links].find((link) => link.holder === undefined);
      if (other !== undefined) {
        links.delete(other);
        void other.connection.stop();
        continue;
      }
      await room(signal);
    }
  }

  async function openLeased(key: string, agent: string, capabilities: JsonObject, holder: Holder): Promise<LegacyLink> {
    opening += 1;
    try {
      const link = await open(key, agent, capabilities);
      links.add(link);
      return hold(link, holder);
    } finally {
      opening -= 1;
      wake();
    }
  }

  function hold(link: LegacyLink, holder: Holder): LegacyLink {
    if (spare !== undefined) spare.since = Date.now();
    link.holder = holder;
    return link;
  }

  /** Resolves when it is worth looking for a process again. */
  function room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      function take(): void {
        waiting.delete(take);
        signal.removeEventListener('abort', leave);
        resolve();
      }
      function leave(): void {
        waiting.delete(take);
        reject(new Error('the request was cancelled while it waited for a process of the tool'));
      }
      signal.addEventListener('abort', leave, { once: true });
      waiting.add(take);
      options.onCrowded();
    });
  }

  function giveBack(link: LegacyLink): void {
    link.holder = undefined;
    link.idleSince = Date.now();
    wake();
  }

  function discard(link: LegacyLink): void {
    links.delete(link);
    link.holder = undefined;
    void link.connection.stop();
    wake();
  }

  /** One who waits is told that something changed; it looks again. */
  function wake(): void {
    const [first] = waiting;
    first?.();
  }

  return {
    async common() {
      const link = await common();
      if (!link.connection.hasEnded()) return link;
      shared = undefined;
      return await common();
    },
    shared: () => (sharedLink?.connection.hasEnded() === false ? sharedLink.connection : undefined),
    lease,
    giveBack,
    discard,
    sweep(idle, now) {
      if (spare !== undefined && now - spare.since >= idle) void endSpare();
      for (const link of links) {
        if (link.holder !== undefined || now - link.idleSince < idle) continue;
        links.delete(link);
        void link.connection.stop();
      }
    },
    pending: () => [...links].filter((link) => link.holder !== undefined).length,
    async stop() {
      isStopped = true;
      await endSpare();
      const open = shared === undefined ? [] : [await shared.catch(() => undefined)];
      await Promise.all([...links, ...open].map((link) => link?.connection.stop()));
    },
  };
}

/** Lines that belong to a call; the rest is of interest to every client. */
function isForHolder({ method }: Notification): boolean {
  return method === 'notifications/message' || method === 'notifications/elicitation/complete';
}

function nobody(method: string): Outcome {
  return failure(CODE.methodNotFound, `The client of this connection cannot be asked (${method})`);
}
