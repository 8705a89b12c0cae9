import { isList, isObject, type JsonObject, type JsonValue } from '../policy/json.ts';
import { INPUT_KEY } from './protocol.ts';
import { failure, metaOf, type Outcome, type Request, withMeta } from './rpc.ts';

/** What a tool asked for and has not got. */
interface Asked {
  readonly method: string;
  readonly params: JsonObject;
  readonly answer: (outcome: Outcome) => void;
}

/** The questions of one call of a legacy tool, collected so that its client gets them together. */
export interface Inputs {
  /** A question of the tool: resolves with what the client answers in a later round. */
  ask(request: Request): Promise<Outcome>;
  /** What the client brought along; what is not understood is left out. */
  give(responses: JsonValue | undefined): void;
  hasOpen(): boolean;
  /** As `inputRequests` of an InputRequiredResult. */
  open(): JsonObject;
  /** Nobody will answer any more. */
  abandon(): void;
}

const MOST_INPUTS = 32;

/** `onAsked` is called for each question that has no answer yet. */
export function createInputs(onAsked: () => void): Inputs {
  const asked = new Map<string, Asked>();
  let given: JsonObject = {};
  let count = 0;

  function ask(request: Request): Promise<Outcome> {
    count += 1;
    const key = keyOf(request, count);
    const before = given[key];
    if (before !== undefined && fits(request.method, before)) {
      const { [key]: _used, ...rest } = given;
      given = rest;
      return Promise.resolve({ result: before });
    }
    if (asked.size >= MOST_INPUTS) return Promise.resolve(failure(-32603, 'Too many questions at once'));
    return new Promise((resolve) => {
      asked.set(asked.has(key) ? `${key}-${count}` : key, {
        method: request.method,
        params: paramsOf(request),
        answer: resolve,
      });
      onAsked();
    });
  }

  function give(responses: JsonValue | undefined): void {
    if (!isObject(responses)) return;
    given = { ...given, ...responses };
    for (const [key, one] of asked) {
      const response = responses[key];
      if (response === undefined || !fits(one.method, response)) continue;
      asked.delete(key);
      one.answer({ result: response });
    }
  }

  return {
    ask,
    give,
    hasOpen: () => asked.size > 0,
    open: () => Object.fromEntries([...asked].map(([key, { method, params }]) => [key, { method, params }])),
    abandon() {
      for (const one of asked.values()) one.answer(failure(-32603, 'The client did not answer'));
      asked.clear();
    },
  };
}

/** The key that the tool names in `_meta`, or one that counts. */
function keyOf(request: Request, count: number): string {
  const named = metaOf(request.params)[INPUT_KEY];
  return typeof named === 'string' && /^[\w.-]{1,64}$/.test(named) ? named : `input-${count}`;
}

/** As 2026-07-28 has it: without the bridge's hint, and without the id of an elicitation, which that revision does not know. */
function paramsOf({ method, params }: Request): JsonObject {
  const { elicitationId: _id, ...rest } = withMeta(params, { [INPUT_KEY]: undefined, progressToken: undefined });
  const { _meta, ...bare } = rest;
  const clean = isObject(_meta) && Object.keys(_meta).length > 0 ? rest : bare;
  return method === 'elicitation/create' ? clean : { ...clean };
}

/** Whether a response is what that kind of question is answered with (2026-07-28, InputResponse). */
function fits(method: string, response: JsonValue): response is JsonObject {
  if (!isObject(response)) return false;
  if (method === 'elicitation/create') return ['accept', 'decline', 'cancel'].includes(String(response.action));
  if (method === 'sampling/createMessage') return typeof response.role === 'string' && response.content !== undefined;
  return isList(response.roots);
}
