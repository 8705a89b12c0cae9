import type { Enforcer, Verdict } from '../policy/enforce.ts';
import { isObject, type JsonObject, type JsonValue, objectOf, parseJson, textOf } from '../policy/json.ts';
import type { Direction } from '../policy/judge.ts';
import { refusedResult } from '../policy/refusal.ts';
import type { CallBudget } from './call-budget.ts';
import { INTERACTIVE } from './protocol.ts';
import type { Caller, Client, Endpoint, Route, Upstream } from './route.ts';
import { failure, INEXACT, type Notification, type Outcome, type Request, type RpcError } from './rpc.ts';

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

/** A tool behind the policy: what clients ask, what the tool answers, tells and asks, is judged one by one. */
export function createGuard(endpoint: Endpoint, options: GuardOptions): Endpoint {
  const { tool, budget } = options;

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
      const checked = check('request', caller, method, params, signal);
      const verdict = checked instanceof Promise ? await checked : checked;
      if (!verdict.pass) return refused(method, verdict.message);
      const told = inOrder((notification) => judgeNotification(notification, route));
      const passed = { ...route, params: verdict.isChanged ? verdict.params : params, notify: told.send };
      const outcome = await call(passed);
      await told.done();
      return await judgeOutcome(passed, outcome);
    } finally {
      if (isCall) budget.leave();
    }
  }

  function judgeNotification(notification: Notification, route: Route): undefined | Promise<void> {
    const { method, params } = notification;
    const checked = check('result', route.caller, method, {}, route.signal, params);
    const pass = (verdict: Verdict): void => {
      if (!verdict.pass) return;
      route.notify(verdict.isChanged ? { ...notification, params: objectOf(verdict.result) } : notification);
    };
    if (checked instanceof Promise) return checked.then(pass);
    pass(checked);
    return undefined;
  }

  async function judgeOutcome(route: Route, outcome: Outcome): Promise<Outcome> {
    const { caller, method, params, signal } = route;
    if ('result' in outcome && isObject(outcome.result.inputRequests)) return await judgeInputs(route, outcome.result);
    const said: JsonObject = 'result' in outcome ? outcome.result : { ...outcome.error };
    const checked = check('result', caller, method, params, signal, said);
    const verdict = checked instanceof Promise ? await checked : checked;
    if (!verdict.pass) return refused(method, verdict.message);
    if (!verdict.isChanged) return outcome;
    const result = objectOf(verdict.result);
    return 'result' in outcome ? { result } : { error: errorFrom(result, outcome.error) };
  }

  /** A result that asks: its questions one by one, and what stands beside them as any other result. */
  async function judgeInputs(route: Route, { inputRequests, ...rest }: JsonObject): Promise<Outcome> {
    const requests: Record<string, JsonValue> = {};
    for (const [key, value] of Object.entries(objectOf(inputRequests))) {
      const request = objectOf(value);
      const method = textOf(request.method);
      const params = objectOf(request.params);
      const verdict = await check('tool-request', route.caller, method, params, route.signal);
      options.onInspected(verdict.pass ? 'passed' : 'blocked');
      if (!verdict.pass) return refused(route.method, verdict.message);
      requests[key] = verdict.isChanged ? { method, params: verdict.params } : { method, params };
    }
    const { caller, method, params, signal } = route;
    const verdict = await check('result', caller, method, params, signal, rest);
    if (!verdict.pass) return refused(method, verdict.message);
    return { result: { ...objectOf(verdict.result), inputRequests: requests } };
  }

  function guardedClient(client: Client): Client {
    const told = inOrder((notification) => {
      const checked = check('result', client.caller, notification.method, {}, undefined, notification.params);
      const pass = (verdict: Verdict): void => {
        if (!verdict.pass) return;
        client.notify(verdict.isChanged ? { ...notification, params: objectOf(verdict.result) } : notification);
      };
      if (checked instanceof Promise) return checked.then(pass);
      pass(checked);
      return undefined;
    });
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
    const upstream = await endpoint.open(guardedClient(client));
    if ('error' in upstream) return upstream;
    return {
      opened: upstream.opened,
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
