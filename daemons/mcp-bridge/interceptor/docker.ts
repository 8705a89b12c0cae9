import type { Enforcer } from '../policy/enforce.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../policy/json.ts';
import type { Exchange } from '../policy/judge.ts';
import { refusedResult } from '../policy/refusal.ts';

/**
 * The interceptor of the Docker MCP gateway (docker/mcp-gateway, pkg/interceptors). It posts each tools/call before it is made, and each
 * CallToolResult before it goes to the client. An empty body lets it go on; any other body is a CallToolResult that takes its place. It looks at
 * no status: an empty error would let the call pass, so that every refusal here is a 200 with words in it.
 */

/** Who and what a call is about. The gateway does not say; the operator does, in the URL: `/before?tool=github&agent=ci`. */
export interface Caller {
  readonly tool: string;
  readonly agent: string;
  readonly session: string;
}

/** The body of a 200; empty: go on. */
export type DockerAnswer = string;

const METHOD = 'tools/call';

/** What to answer to `before`. Never rejects. */
export async function answerBefore(
  body: string,
  caller: Caller,
  enforcer: Enforcer,
  signal?: AbortSignal,
): Promise<DockerAnswer> {
  const read = readRequest(parseJson(body));
  if (!read.ok) return refusal(`The call is blocked: ${read.fault}`);
  const verdict = await enforcer.check({ direction: 'request', ...caller, ...read.request }, signal);
  if (!verdict.pass) return refusal(verdict.message);
  if (verdict.isChanged) {
    const rule = JSON.stringify(verdict.decision.rule ?? '');
    return refusal(
      `The call is blocked: rule ${rule} changes its arguments, and the Docker MCP gateway lets nobody change those`,
    );
  }
  return '';
}

/** What to answer to `after`. Never rejects. */
export async function answerAfter(
  body: string,
  caller: Caller,
  enforcer: Enforcer,
  signal?: AbortSignal,
): Promise<DockerAnswer> {
  const result = parseJson(body);
  if (!isObject(result)) return refusal('The result is blocked: the gateway sent no CallToolResult');
  const exchange: Exchange = { direction: 'result', ...caller, method: METHOD, params: {}, result };
  const verdict = await enforcer.check(exchange, signal);
  if (!verdict.pass) return refusal(verdict.message);
  return verdict.isChanged ? JSON.stringify(verdict.result) : '';
}

/** The answer to anything that cannot be judged. */
export function refusal(message: string): DockerAnswer {
  return JSON.stringify(refusedResult(message));
}

type ReadRequest =
  | { readonly ok: true; readonly request: { readonly method: string; readonly params: JsonObject } }
  | { readonly ok: false; readonly fault: string };

/**
 * Older gateways send their Go struct (`Session`, `Params`, `Extra`), newer ones `{ method, params }`. Two spellings in one body could mean one
 * thing here and another there.
 */
function readRequest(body: JsonValue | undefined): ReadRequest {
  if (!isObject(body)) return { ok: false, fault: 'the gateway sent no JSON object' };
  const spellings = Object.keys(body).filter((key) => key.toLowerCase() === 'params');
  const [only, another] = spellings;
  if (another !== undefined) return { ok: false, fault: 'the gateway sent its params twice' };
  const params = only === undefined ? undefined : body[only];
  if (!isObject(params)) return { ok: false, fault: 'the gateway sent no params' };
  if (typeof params.name !== 'string') return { ok: false, fault: 'the gateway sent no name of a tool' };
  const { arguments: args = null } = params;
  if (args !== null && !isObject(args)) return { ok: false, fault: 'its arguments are no JSON object' };
  const { method = METHOD } = body;
  if (typeof method !== 'string') return { ok: false, fault: 'its method is no text' };
  return { ok: true, request: { method, params } };
}
