import { randomBytes } from 'node:crypto';
import { isObject, type JsonObject, objectOf, textOf } from '../policy/json.ts';
import type { Changes } from './changes.ts';
import { createInputs, type Inputs } from './inputs.ts';
import type { LegacyLink, LegacyPool } from './legacy-pool.ts';
import { can, usableCapabilities } from './opening.ts';
import { CACHEABLE, CODE, INTERACTIVE, META, MODERN, NEEDED_CAPABILITY, REMOVED } from './protocol.ts';
import type { StateSeal } from './request-state.ts';
import { nowhere, type Route } from './route.ts';
import { failure, metaOf, type Notification, type Outcome, type Request, type RpcError, withMeta } from './rpc.ts';
import { asked, declined } from './url-elicitation.ts';

/** Serves clients of 2026-07-28 with a tool that only speaks 2025. */
export interface ModernOverLegacy {
  call(route: Route): Promise<Outcome>;
  /** Ends the call that has waited longest for its client, so that another finds a process. */
  makeRoom(): void;
  /** A question of the process that callers share. */
  onCommonRequest(request: Request): Outcome;
  stop(): void;
}

export interface ModernOverLegacyOptions {
  readonly pool: LegacyPool;
  readonly changes: Changes;
  readonly seal: StateSeal;
  /** How long a call waits for its client's answers. Milliseconds. */
  readonly patience: number;
  readonly timeout: number | undefined;
  /** The tool remembers: all calls of an agent go to its own process. */
  readonly isStateful: boolean;
}

/** What a tool asks at once, with `Promise.all`, comes in one go; so long is waited for more. Milliseconds. */
const GATHER_MS = 5;
/** How long a tool has to end a call that was answered for it. Milliseconds. */
const LATE_MS = 1000;

/** A call that a tool works on, over as many rounds as it asks for. */
interface Running {
  readonly link: LegacyLink;
  readonly inputs: Inputs;
  readonly abort: AbortController;
  route: Route;
  outcome: Outcome | undefined;
  /** Its process belongs to others again, or is gone. */
  isOver: boolean;
  late: NodeJS.Timeout | undefined;
  /** Called when it has ended or asked. */
  wake: () => void;
}

export function createModernOverLegacy(options: ModernOverLegacyOptions): ModernOverLegacy {
  const { pool, changes, seal } = options;
  const suspended = new Map<string, { running: Running; timer: NodeJS.Timeout }>();
  const unasked = new Map<Route, (outcome: Outcome) => void>();

  async function call(route: Route): Promise<Outcome> {
    if (REMOVED.has(route.method)) return failure(CODE.methodNotFound, `Method not found: ${route.method}`);
    try {
      return await dispatch(route);
    } catch (error) {
      return failure(CODE.internal, error instanceof Error ? error.message : String(error));
    }
  }

  async function dispatch(route: Route): Promise<Outcome> {
    const common = await pool.common();
    const finish = (outcome: Outcome): Outcome => modernized(route, outcome, common.said);
    if (route.method === 'server/discover') return finish({ result: discovered(common.said) });
    if (route.method === 'subscriptions/listen') return await changes.listen(route, objectOf(common.said.capabilities));
    if (!INTERACTIVE.has(route.method)) return finish(await plain(common, route));
    const refusal = declined(route.params.inputResponses);
    if (refusal !== undefined) return refusal;
    const { requestState } = route.params;
    if (requestState !== undefined) return finish(await resume(route, textOf(requestState)));
    const capabilities = usableCapabilities(objectOf(metaOf(route.params)[META.capabilities]));
    const wantsLog = metaOf(route.params)[META.logLevel] !== undefined;
    if (Object.keys(capabilities).length === 0 && !wantsLog && !options.isStateful)
      return finish(await withoutQuestions(common, route));
    return finish(await start(route, capabilities));
  }

  function plain(link: LegacyLink, route: Route): Promise<Outcome> {
    return link.connection.request({
      method: route.method,
      params: legacyParams(route.params),
      signal: route.signal,
      onNotification: route.notify,
      timeout: options.timeout,
    });
  }

  /** Over the shared process: its questions are refused, and where it is clear who caused one, that client hears why. */
  async function withoutQuestions(link: LegacyLink, route: Route): Promise<Outcome> {
    const { promise: refused, resolve } = Promise.withResolvers<Outcome>();
    unasked.set(route, resolve);
    try {
      return await Promise.race([plain(link, route), refused]);
    } finally {
      unasked.delete(route);
    }
  }

  function onCommonRequest(request: Request): Outcome {
    const [only, another] = unasked;
    const capability = NEEDED_CAPABILITY[request.method];
    if (only !== undefined && another === undefined && capability !== undefined) only[1](lacking(capability));
    return failure(CODE.methodNotFound, `The client cannot be asked (${request.method})`);
  }

  async function start(route: Route, capabilities: JsonObject): Promise<Outcome> {
    let running: Running | undefined;
    const inputs = createInputs(() => running?.wake());
    inputs.give(route.params.inputResponses);
    const holder = {
      onNotification: (notification: Notification) => {
        const isLog = notification.method === 'notifications/message';
        if (isLog && running !== undefined && metaOf(running.route.params)[META.logLevel] !== undefined)
          running.route.notify(notification);
      },
      onRequest: (request: Request) =>
        running === undefined
          ? Promise.resolve(failure(CODE.methodNotFound, 'Nothing was called'))
          : question(request, running),
    };
    const link = await pool.lease({ ...capabilities }, holder, route.signal, route.caller.agent);
    if (route.signal.aborted) {
      // It was started for nothing, and has heard nothing: another finds it ready.
      pool.giveBack(link);
      return failure(CODE.internal, 'The request was cancelled');
    }
    running = {
      link,
      inputs,
      abort: new AbortController(),
      route,
      outcome: undefined,
      isOver: false,
      late: undefined,
      wake: nowhere,
    };
    const current = running;
    await setLogLevel(link, textOf(metaOf(route.params)[META.logLevel]));
    void link.connection
      .request({
        method: route.method,
        params: legacyParams(route.params),
        signal: current.abort.signal,
        onNotification: (notification) => progress(current, notification),
        timeout: options.timeout === undefined ? undefined : options.timeout + options.patience,
      })
      .then((outcome) => {
        if (current.outcome === undefined) end(current, outcome);
        else giveUp(current);
      });
    return await round(current);

    function question(request: Request, current: Running): Promise<Outcome> {
      const capability = NEEDED_CAPABILITY[request.method];
      if (capability === undefined || current.outcome !== undefined)
        return Promise.resolve(failure(CODE.methodNotFound, `Method not found: ${request.method}`));
      if (capabilities[capability] !== undefined) return inputs.ask(request);
      end(current, lacking(capability));
      return Promise.resolve(failure(CODE.methodNotFound, `The client has not declared ${capability}`));
    }
  }

  async function setLogLevel(link: LegacyLink, level: string): Promise<void> {
    if (level === '' || level === link.logLevel || !can(link.said, 'logging')) return;
    link.logLevel = level;
    await link.connection.request({
      method: 'logging/setLevel',
      params: { level },
      signal: AbortSignal.timeout(10_000),
      onNotification: nowhere,
      timeout: undefined,
    });
  }

  /** Until the tool has answered, or has asked and says no more. */
  async function round(running: Running): Promise<Outcome> {
    const { route } = running;
    const leave = (): void => drop(running);
    route.signal.addEventListener('abort', leave, { once: true });
    if (route.signal.aborted) leave();
    while (running.outcome === undefined && !running.inputs.hasOpen()) await changed(running);
    if (running.outcome === undefined) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    route.signal.removeEventListener('abort', leave);
    return running.outcome ?? suspend(running);
  }

  function changed(running: Running): Promise<void> {
    return new Promise((resolve) => {
      running.wake = resolve;
    });
  }

  function suspend(running: Running): Outcome {
    const handle = randomBytes(16).toString('base64url');
    const timer = setTimeout(() => {
      suspended.delete(handle);
      drop(running);
    }, options.patience);
    timer.unref();
    suspended.set(handle, { running, timer });
    const requestState = seal.mint(handle, running.route);
    return { result: { resultType: 'input_required', inputRequests: running.inputs.open(), requestState } };
  }

  async function resume(route: Route, state: string): Promise<Outcome> {
    const handle = seal.open(state, route);
    const found = handle === undefined ? undefined : suspended.get(handle);
    if (handle === undefined || found === undefined)
      return failure(CODE.invalidParams, 'Invalid or expired requestState; make the call again without it');
    suspended.delete(handle);
    clearTimeout(found.timer);
    const { running } = found;
    running.route = route;
    running.inputs.give(route.params.inputResponses);
    return await round(running);
  }

  /** Its process goes back to the others, or, where the tool may still be at work, away. */
  function end(running: Running, outcome: Outcome): void {
    if (running.outcome !== undefined) return;
    running.outcome = outcome;
    running.inputs.abandon();
    const isAnswered = running.link.connection.pending() === 0;
    if (isAnswered || running.abort.signal.aborted) giveUp(running);
    else {
      // Refused what it asked for, a tool mostly answers at once, and its process is good for the next call.
      running.late = setTimeout(() => {
        running.abort.abort();
        giveUp(running);
      }, LATE_MS);
    }
    running.wake();
  }

  function giveUp(running: Running): void {
    if (running.isOver) return;
    running.isOver = true;
    clearTimeout(running.late);
    const isSettled = !running.abort.signal.aborted && running.link.connection.pending() === 0;
    if (isSettled) pool.giveBack(running.link);
    else pool.discard(running.link);
  }

  function drop(running: Running): void {
    running.abort.abort();
    end(running, failure(CODE.internal, 'The request was cancelled'));
  }

  return {
    call,
    onCommonRequest,
    makeRoom() {
      const [oldest] = suspended;
      if (oldest === undefined) return;
      suspended.delete(oldest[0]);
      clearTimeout(oldest[1].timer);
      drop(oldest[1].running);
    },
    stop() {
      for (const { running, timer } of suspended.values()) {
        clearTimeout(timer);
        drop(running);
      }
      suspended.clear();
    },
  };
}

function progress({ route }: Running, notification: Notification): void {
  const { progressToken } = metaOf(route.params);
  if (progressToken === undefined) return;
  route.notify({ ...notification, params: { ...notification.params, progressToken } });
}

/** Without what only the modern era has. */
function legacyParams(params: JsonObject): JsonObject {
  const {
    inputResponses: _responses,
    requestState: _state,
    ...rest
  } = withMeta(params, {
    [META.version]: undefined,
    [META.clientInfo]: undefined,
    [META.capabilities]: undefined,
    [META.logLevel]: undefined,
  });
  const { _meta, ...bare } = rest;
  return isObject(_meta) && Object.keys(_meta).length > 0 ? rest : bare;
}

function discovered(said: JsonObject): JsonObject {
  const { instructions } = said;
  return {
    supportedVersions: [MODERN],
    capabilities: objectOf(said.capabilities),
    ...(instructions === undefined ? {} : { instructions }),
  };
}

function lacking(capability: string): { readonly error: RpcError } {
  return failure(CODE.missingCapability, `The tool needs the client's capability "${capability}"`, {
    requiredCapabilities: { [capability]: {} },
  });
}

/** An outcome of 2025 in the words of 2026-07-28. */
function modernized({ method, params }: Route, outcome: Outcome, said: JsonObject): Outcome {
  if ('error' in outcome) {
    if (outcome.error.code === CODE.urlElicitationRequired && INTERACTIVE.has(method))
      return asked(params, outcome.error);
    if (outcome.error.code !== CODE.resourceNotFound) return outcome;
    const data = isObject(outcome.error.data) ? outcome.error.data : { uri: textOf(params.uri) };
    return failure(CODE.invalidParams, outcome.error.message, data);
  }
  const { result } = outcome;
  const kept =
    CACHEABLE.has(method) && result.resultType !== 'input_required' ? { ttlMs: 0, cacheScope: 'private' } : {};
  const identified = said.serverInfo === undefined ? result : withMeta(result, { [META.serverInfo]: said.serverInfo });
  return { result: { resultType: 'complete', ...kept, ...identified } };
}
