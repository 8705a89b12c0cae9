import type { ToolState } from '../tools/state.ts';
import { type Changes, createChanges } from './changes.ts';
import type { Connection, StartTool } from './connection.ts';
import { createLegacyPool, type LegacyPool, NotLegacy } from './legacy-pool.ts';
import { createModernOverLegacy, type ModernOverLegacy } from './modern-over-legacy.ts';
import { callModern, createLoggers, type ModernLink, openModern } from './modern-tool.ts';
import { OWN_PARAMS } from './opening.ts';
import { type OwnSession, openOwnSession } from './own-session.ts';
import { CODE } from './protocol.ts';
import { createPulse, type PulseOptions } from './pulse.ts';
import { createStateSeal } from './request-state.ts';
import { type Client, type Endpoint, nowhere, type Route, type Upstream } from './route.ts';
import { failure, type Outcome, type RpcError } from './rpc.ts';
import { openSessionOverModern } from './session-over-modern.ts';
import { openSharedSession } from './shared-session.ts';
import { createStarter } from './starter.ts';
import { traceEnvironment } from './trace.ts';

export interface ToolOptions {
  readonly name: string;
  readonly start: StartTool;
  /** The tool remembers nothing between calls: its processes are shared. */
  readonly isStateless: boolean;
  /** Processes at once, beside the one that all share. */
  readonly maxProcesses: number;
  /** A process that nobody called for so long is ended. Milliseconds. */
  readonly idleTimeout: number;
  /** How long a tool may be silent during a call. Milliseconds. */
  readonly callTimeout: number;
  /** How long a call waits for the answers of a client of 2026-07-28. Milliseconds. */
  readonly patience: number;
  /** How a shared process that hangs is found. */
  readonly health: Pick<PulseOptions, 'interval' | 'timeout' | 'retries'>;
  /** Called when a process is started because one before it had failed. */
  readonly onRestart: () => void;
  /** Called when a shared process gives no sign of life and is ended; another is started. */
  readonly onHung: () => void;
}

/** One tool, for clients of both eras, whichever it speaks itself. */
export interface ToolEndpoint extends Endpoint {
  readonly name: string;
  state(): ToolState;
  restarts(): number;
  stop(): Promise<void>;
}

const SWEEP_MS = 1000;

type Failed = { readonly error: RpcError };

export function createToolEndpoint(options: ToolOptions): ToolEndpoint {
  const { name, callTimeout: timeout } = options;
  const starter = createStarter(options.start, options.onRestart);
  const loggers = createLoggers();
  const links = new Map<string, Promise<ModernLink | undefined>>();
  const lastUse = new Map<string, number>();
  const sessions = new Set<OwnSession>();
  let opening = 0;
  let speaksModern = true;
  let speaksLegacy = true;

  const changes: Changes = createChanges(async (method, uri) => {
    try {
      const { connection } = await pool.common();
      const signal = AbortSignal.timeout(timeout);
      return await connection.request({ method, params: { uri }, signal, onNotification: nowhere, timeout });
    } catch (error) {
      return cannotStart(error);
    }
  });
  const pool: LegacyPool = createLegacyPool({
    tool: name,
    start: starter.start,
    max: options.maxProcesses,
    isStateful: !options.isStateless,
    onNotification: (notification) => changes.emit(notification),
    onCommonRequest: (request) => overLegacy.onCommonRequest(request),
    onCrowded: () => overLegacy.makeRoom(),
    onNotLegacy: () => {
      // Perhaps it was only slow when it was asked for the modern era.
      speaksModern = true;
    },
  });
  const overLegacy: ModernOverLegacy = createModernOverLegacy({
    pool,
    changes,
    seal: createStateSeal(options.patience),
    patience: options.patience,
    timeout,
    isStateful: !options.isStateless,
  });
  const pulse = {
    ...options.health,
    callTimeout: timeout,
    onHung: (connection: Connection) => void replace(connection),
  };
  const pulses = options.isStateless
    ? [
        createPulse({
          ...pulse,
          target: async () => {
            const link = await links.get('')?.catch(() => undefined);
            return link?.connection.hasEnded() === false ? link.connection : undefined;
          },
          question: { method: 'server/discover', params: OWN_PARAMS },
          onAbsent: () => (starter.state().kind === 'failing' ? void reopen() : undefined),
        }),
        createPulse({
          ...pulse,
          target: async () => pool.shared(),
          question: { method: 'ping', params: {} },
          onAbsent: nowhere,
        }),
      ]
    : [];
  const sweeper = setInterval(sweep, Math.min(SWEEP_MS, options.idleTimeout));
  sweeper.unref();

  async function replace(connection: Connection): Promise<void> {
    starter.noteFailure('it gives no sign of life');
    options.onHung();
    await connection.stop();
    await reopen();
  }

  /** As a caller would. What goes wrong is in the state of the starter. */
  async function reopen(): Promise<void> {
    try {
      if ((await modernLink('')) === undefined) await pool.common();
    } catch {
      // Tried again after the next interval, or by the next caller.
    }
  }

  async function modern(route: Route): Promise<Outcome> {
    return await modernFor(options.isStateless ? '' : `agent ${route.caller.agent}`, route);
  }

  /** `scope` names the process that a tool which remembers has for this caller. */
  async function modernFor(scope: string, route: Route): Promise<Outcome> {
    try {
      const link = await modernLink(scope);
      if (link === undefined) return await overLegacy.call(route);
      lastUse.set(scope, Date.now());
      const outcome = await callModern(link, loggers, route, timeout);
      lastUse.set(scope, Date.now());
      return outcome;
    } catch (error) {
      return cannotStart(error);
    }
  }

  async function modernLink(
    scope: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ModernLink | undefined> {
    if (!speaksModern) return undefined;
    const known = links.get(scope);
    const link = await known;
    if (link !== undefined && !link.connection.hasEnded()) return link;
    if (links.get(scope) !== known) return await modernLink(scope, environment);
    if (links.size >= options.maxProcesses && !links.has(scope))
      throw new Error(`all ${options.maxProcesses} processes are in use; try again later`);
    const opened = openModern(name, starter.start, loggers, environment);
    links.set(scope, opened);
    try {
      const fresh = await opened;
      if (fresh === undefined) {
        speaksModern = false;
        links.delete(scope);
      }
      return fresh;
    } catch (error) {
      links.delete(scope);
      throw error;
    }
  }

  async function open(client: Client): Promise<Upstream | Failed> {
    try {
      if (speaksLegacy)
        return await (options.isStateless ? openSharedSession({ pool, changes, client, timeout }) : openOwn(client));
      return await openOverModern(client);
    } catch (error) {
      if (!(error instanceof NotLegacy)) return cannotStart(error);
      speaksLegacy = false;
      return await openOverModern(client).catch(cannotStart);
    }
  }

  async function openOwn(client: Client): Promise<Upstream> {
    if (!mayStart()) throw new Error(`it has ${options.maxProcesses} sessions, as many as it may; try again later`);
    opening += 1;
    try {
      const session = await openOwnSession({ tool: name, start: starter.start, client, timeout, mayStart });
      sessions.add(session);
      return {
        ...session,
        close() {
          sessions.delete(session);
          session.close();
        },
      };
    } finally {
      opening -= 1;
    }
  }

  /** A session whose process was ended for being idle takes up no room. */
  function mayStart(): boolean {
    return [...sessions].filter((session) => session.hasProcess()).length + opening < options.maxProcesses;
  }

  async function openOverModern(client: Client): Promise<Upstream> {
    const scope = options.isStateless ? '' : `session ${client.caller.session}`;
    const link = await modernLink(scope, options.isStateless ? {} : traceEnvironment(client.opening));
    if (link === undefined) {
      speaksModern = true;
      speaksLegacy = true;
      throw new Error('it speaks neither MCP 2026-07-28 nor 2025-11-25');
    }
    const upstream = openSessionOverModern(client, link.said, (route) => modernFor(scope, route));
    return {
      ...upstream,
      close() {
        upstream.close();
        if (scope !== '') void endLink(scope);
      },
    };
  }

  async function endLink(scope: string): Promise<void> {
    const link = links.get(scope);
    links.delete(scope);
    lastUse.delete(scope);
    await (await link?.catch(() => undefined))?.connection.stop();
  }

  function cannotStart(error: unknown): Failed {
    const reason = error instanceof Error ? error.message : String(error);
    return failure(CODE.internal, `The tool "${name}" cannot be used: ${reason}`);
  }

  function sweep(): void {
    const now = Date.now();
    pool.sweep(options.idleTimeout, now);
    if (options.isStateless) return;
    for (const session of sessions) session.sweep(options.idleTimeout, now);
    for (const [scope, link] of links) void sweepLink(scope, link, now);
  }

  async function sweepLink(scope: string, opened: Promise<ModernLink | undefined>, now: number): Promise<void> {
    const link = await opened.catch(() => undefined);
    const isIdle = now - (lastUse.get(scope) ?? now) >= options.idleTimeout;
    if (link !== undefined && isIdle && link.connection.pending() === 0 && links.get(scope) === opened)
      await endLink(scope);
  }

  return {
    name,
    modern,
    open,
    state: starter.state,
    restarts: starter.restarts,
    async stop() {
      clearInterval(sweeper);
      for (const end of pulses) end();
      overLegacy.stop();
      for (const session of sessions) session.close();
      await Promise.all([pool.stop(), ...[...links.keys()].map(endLink)]);
    },
  };
}
