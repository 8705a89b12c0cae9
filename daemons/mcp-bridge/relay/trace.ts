import type { JsonObject } from '../policy/json.ts';
import { metaOf, withMeta } from './rpc.ts';

/** Names of trace context, the same as headers of HTTP and as keys of `_meta` (MCP 2026-07-28, basic, `_meta`). */
const NAMES = ['traceparent', 'tracestate', 'baggage'] as const;

type Name = (typeof NAMES)[number];

/** W3C Trace Context 3.2 and 3.3, W3C Baggage 3.3: their forms, and the lengths that everyone has to pass on. */
const FORMS: Readonly<Record<Name, RegExp>> = {
  traceparent: /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-[\x21-\x7e]{0,200})?$/,
  tracestate: /^[\x20-\x7e]{1,512}$/,
  baggage: /^[\x20-\x7e]{1,8192}$/,
};

/** What stands under these names and has the form that belongs to them. A state without its parent means nothing. */
function traceIn(named: Readonly<Record<string, unknown>>): Readonly<Partial<Record<Name, string>>> {
  const found: Partial<Record<Name, string>> = {};
  for (const name of NAMES) {
    const value = named[name];
    if (typeof value === 'string' && FORMS[name].test(value)) found[name] = value;
  }
  if (found.traceparent === undefined) delete found.tracestate;
  return found;
}

/** The trace of the HTTP request goes on in `_meta`; what the message brings of its own stays. `params` themselves where there is none. */
export function withTraceOf(headers: Readonly<Record<string, unknown>>, params: JsonObject): JsonObject {
  if (headers.traceparent === undefined && headers.baggage === undefined) return params;
  const { traceparent, tracestate, baggage } = traceIn(headers);
  const meta = metaOf(params);
  const parent = meta.traceparent === undefined && traceparent !== undefined ? { traceparent, tracestate } : {};
  const luggage = meta.baggage === undefined && baggage !== undefined ? { baggage } : {};
  const more = { ...parent, ...luggage };
  return Object.keys(more).length === 0 ? params : withMeta(params, more);
}

/** The trace of a request as variables (OpenTelemetry, environment variables as context propagation): for a process started for it. */
export function traceEnvironment(params: JsonObject): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(traceIn(metaOf(params))).map(([name, value]) => [name.toUpperCase(), value]),
  );
}
