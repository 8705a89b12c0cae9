import type { Enforcer, Verdict } from '../policy/enforce.ts';
import { isList, isObject, type JsonObject, type JsonValue, objectOf, parseJson, textOf } from '../policy/json.ts';
import type { Direction } from '../policy/judge.ts';
import { refusedResult } from '../policy/refusal.ts';
import type { CallBudget } from './call-budget.ts';
import { CODE, INTERACTIVE } from './protocol.ts';
import type { Caller, Client, Endpoint, Route, Upstream } from './route.ts';
import { failure, INEXACT, type Notification, type Outcome, type Request, type RpcError } from './rpc.ts';
import { createTasks, isAboutTask, type Origin, tellsOfTask } from './tasks.ts';

/** Blocked by the policy: a code of our own, outside what JSON-RPC reserves (2026-07-28, error codes). */
export const BLOCKED = 403;
/** Too many calls of this tool. */
const TOO_MANY = 429;

export interface GuardOptions {
  readonly tool: string;
  /** The one in force now. */
  readonly enforcer: () => Enforcer;
  readonly budget: CallBudget;
  /** Called with each request of the tool to a client that was judged. */
  readonly onInspected: (verdict: 'passed' | 'blocked') => void;
}

const INITIALIZE = 'initialize';

/** Of a request what its outcome is judged by. */
type Asked = Origin & { readonly caller: Caller; readonly signal: AbortSignal | undefined };

/** A tool behind the policy: what clients ask, what the tool answers, tells and asks, is judged one by one. */
export function createGuard(endpoint: Endpoint, options: GuardOptions): Endpoint {
  const { tool, budget } = options;
  const tasks = createTasks();

  function check(
    direction: Direction,
    caller: Caller,
    method: string,
    params: JsonObject,
    signal: AbortSignal | undefined,
    result?: JsonValue,
  ): Verdict | Promise<Verdict> {
    const base = { direction, tool, method, params: plain(params), ...caller };
    return options.enforcer().check(result === undefined ? base : { ...base, result: plain(result) }, signal);
  }

  async function guarded(route: Route, call: (route: Route) => Promise<Outcome>): Promise<Outcome> {
    const { caller, method, params, signal } = route;
    const isCall = INTERACTIVE.has(method);
    const refusal = isCall ? budget.enter(caller.agent) : undefined;
    if (refusal !== undefined) return failure(TOO_MANY, refusal);
    try {
      const origin = isAboutTask(method) ? tasks.originOf(caller, params.taskId) : undefined;
      if (isAboutTask(method) && origin === undefined)
        return failure(CODE.invalidParams, 'Invalid params: no task of this caller has this taskId');
      const checked = check('request', caller, method, params, signal);
      const verdict = checked instanceof Promise ? await checked : checked;
      if (!verdict.pass) return refused(method, verdict.message);
      const told = inOrder((notification) => judgeNotification(notification, caller, route.notify, signal));
      const passed = { ...route, params: verdict.isChanged ? verdict.params : params, notify: told.send };
      const outcome = await call(passed);
      await told.done();
      if ('error' in outcome) return await judgeOutcome(passed, outcome);
      if (origin === undefined) {
        tasks.note(passed, outcome.result);
        return await judgeOutcome(passed, method === 'tasks/list' ? ownTasks(outcome.result, caller) : outcome);
      }
      if (method === 'tasks/result') return await judgeOutcome({ ...passed, ...origin }, outcome);
      return await judgeOutcome(passed, { result: await judgeEnd(outcome.result, caller, origin, signal) });
    } finally {
      if (isCall) budget.leave();
    }
  }

  /** Undefined where it was judged at once; `notify` hears it, as far as it passes. */
  function judgeNotification(
    notification: Notification,
    caller: Caller,
    notify: (notification: Notification) => void,
    signal?: AbortSignal,
  ): undefined | Promise<void> {
    const { method, params } = notification;
    if (tellsOfTask(params)) return judgeTaskNotification(notification, caller, notify, signal);
    const checked = check('result', caller, method, {}, signal, params);
    const pass = (verdict: Verdict): void => {
      if (!verdict.pass) return;
      notify(verdict.isChanged ? { ...notification, params: objectOf(verdict.result) } : notification);
    };
    if (checked instanceof Promise) return checked.then(pass);
    pass(checked);
    return undefined;
  }

  /** What a task asks and how it ended is judged as if its client had asked for it. */
  async function judgeTaskNotification(
    notification: Notification,
    caller: Caller,
    notify: (notification: Notification) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { method, params } = notification;
    const origin = tasks.originOf(caller, params.taskId);
    if (origin === undefined) return;
    const outcome: Outcome = { result: await judgeEnd(params, caller, origin, signal) };
    const judged = await judgeOutcome({ caller, method, params: {}, signal }, outcome);
    if ('result' in judged) notify({ ...notification, params: judged.result });
  }

  /** The task's state with what it ended with as the policy lets it pass: the result of what began it. */
  async function judgeEnd(
    state: JsonObject,
    caller: Caller,
    { method, params }: Origin,
    signal: AbortSignal | undefined,
  ): Promise<JsonObject> {
    const end = isObject(state.error)
      ? { error: errorFrom(state.error, { code: CODE.internal, message: 'The task failed' }) }
      : isObject(state.result)
        ? { result: state.result }
        : undefined;
    if (end === undefined) return state;
    const { result: _result, error: _error, ...rest } = state;
    const judged = await judgeOutcome({ caller, method, params, signal }, end);
    return 'result' in judged ? { ...rest, result: judged.result } : { ...rest, error: { ...judged.error } };
  }

  /** Of the tasks that the process knows, those of this caller. */
  function ownTasks(result: JsonObject, caller: Caller): Outcome {
    if (!isList(result.tasks)) return { result };
    const own = result.tasks.filter((task) => tasks.originOf(caller, objectOf(task).taskId) !== undefined);
    return { result: { ...result, tasks: own } };
  }

  async function judgeOutcome(asked: Asked, outcome: Outcome): Promise<Outcome> {
    const { caller, method, params, signal } = asked;
    if ('result' in outcome && isObject(outcome.result.inputRequests)) return await judgeInputs(asked, outcome.result);
    const said: JsonObject = 'result' in outcome ? outcome.result : { ...outcome.error };
    const checked = check('result', caller, method, params, signal, said);
    const verdict = checked instanceof Promise ? await checked : checked;
    if (!verdict.pass) return refused(method, verdict.message);
    if (!verdict.isChanged) return outcome;
    const result = objectOf(verdict.result);
    return 'result' in outcome ? { result } : { error: errorFrom(result, outcome.error) };
  }

  /** A result that asks: its questions one by one, and what stands beside them as any other result. */
  async function judgeInputs(asked: Asked, { inputRequests, ...rest }: JsonObject): Promise<Outcome> {
    const { caller, method, params, signal } = asked;
    const requests: [string, JsonValue][] = [];
    for (const [key, value] of Object.entries(objectOf(inputRequests))) {
      const request = objectOf(value);
      const own = { method: textOf(request.method), params: objectOf(request.params) };
      const verdict = await check('tool-request', caller, own.method, own.params, signal);
      options.onInspected(verdict.pass ? 'passed' : 'blocked');
      if (!verdict.pass) return refused(method, verdict.message);
      requests.push([key, verdict.isChanged ? { ...own, params: verdict.params } : own]);
    }
    const verdict = await check('result', caller, method, params, signal, rest);
    if (!verdict.pass) return refused(method, verdict.message);
    return { result: { ...objectOf(verdict.result), inputRequests: Object.fromEntries(requests) } };
  }

  function guardedClient(client: Client): Client {
    const told = inOrder((notification) => judgeNotification(notification, client.caller, client.notify));
    return { ...client, notify: told.send, ask };

    async function ask(
      { method, params }: Pick<Request, 'method' | 'params'>,
      about: Route | undefined,
    ): Promise<Outcome> {
      const verdict = await check('tool-request', client.caller, method, params, about?.signal);
      options.onInspected(verdict.pass ? 'passed' : 'blocked');
      if (!verdict.pass) return failure(BLOCKED, verdict.message);
      return await client.ask({ method, params: verdict.isChanged ? verdict.params : params }, about);
    }
  }

  async function open(client: Client): Promise<Upstream | { readonly error: RpcError }> {
    const { caller, opening } = client;
    const asked = await check('request', caller, INITIALIZE, opening, undefined);
    if (!asked.pass) return failure(BLOCKED, asked.message);
    const upstream = await endpoint.open(
      guardedClient(asked.isChanged ? { ...client, opening: asked.params } : client),
    );
    const outcome = 'error' in upstream ? { error: upstream.error } : { result: upstream.opened };
    const judged = await judgeOutcome({ caller, method: INITIALIZE, params: opening, signal: undefined }, outcome);
    if ('error' in upstream) return 'error' in judged ? judged : upstream;
    if ('error' in judged) {
      upstream.close();
      return judged;
    }
    return {
      opened: judged.result,
      call: (route) => guarded(route, upstream.call),
      tell(notification) {
        const { method, params } = notification;
        const checked = check('request', client.caller, method, params, undefined);
        const pass = (verdict: Verdict): void => {
          if (verdict.pass)
            upstream.tell(verdict.isChanged ? { ...notification, params: verdict.params } : notification);
        };
        if (checked instanceof Promise) void checked.then(pass);
        else pass(checked);
      },
      close: upstream.close,
    };
  }

  return { modern: (route) => guarded(route, endpoint.modern), open };
}

/** A refused call of a tool is told as its result, which a model reads; anything else as an error. */
function refused(method: string, message: string): Outcome {
  if (method !== 'tools/call') return failure(BLOCKED, message);
  return { result: { resultType: 'complete', ...refusedResult(message) } };
}

function errorFrom(said: JsonObject, before: RpcError): RpcError {
  const message = typeof said.message === 'string' ? said.message : before.message;
  return said.data === undefined ? { code: before.code, message } : { code: before.code, message, data: said.data };
}

/** Numbers as the policy understands them: one that a double does not hold is judged as the nearest that it does. */
function plain<Value extends JsonValue>(value: Value): Value {
  if (!isObject(value)) return value;
  const text = JSON.stringify(value);
  if (!INEXACT.test(text)) return value;
  const parsed = parseJson(text);
  // What was an object is one still.
  return (isObject(parsed) ? parsed : {}) as Value;
}

/** Notifications go on in their order, also where some have to wait for their verdict. */
function inOrder(judge: (notification: Notification) => undefined | Promise<void>): {
  readonly send: (notification: Notification) => void;
  readonly done: () => Promise<void>;
} {
  let last: Promise<void> | undefined;
  return {
    send(notification) {
      if (last !== undefined) {
        last = last.then(() => judge(notification));
        return;
      }
      const judged = judge(notification);
      if (judged === undefined) return;
      last = judged;
    },
    done: async () => {
      await last;
    },
  };
}
