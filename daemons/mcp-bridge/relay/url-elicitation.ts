import { isList, isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../policy/json.ts';
import { CODE, META } from './protocol.ts';
import { failure, metaOf, type Outcome, type RpcError } from './rpc.ts';

/** Under such keys the bridge asks a client of 2026-07-28 to visit what a tool of 2025 demanded by an error. */
const KEY = 'bottled-url-';
const MOST_URLS = 32;

/**
 * The error by which a tool of 2025 says that a page has to be visited first (-32042; 2025-11-25, elicitation), in the words of 2026-07-28:
 * questions in URL mode, to be answered with the call made again. A client that cannot open pages hears which capability it lacks.
 */
export function asked(params: JsonObject, error: RpcError): Outcome {
  const { elicitation } = objectOf(metaOf(params)[META.capabilities]);
  if (!isObject(objectOf(elicitation).url))
    return failure(CODE.missingCapability, error.message, { requiredCapabilities: { elicitation: { url: {} } } });
  const { elicitations } = objectOf(error.data);
  const urls = (isList(elicitations) ? elicitations : []).slice(0, MOST_URLS).map(objectOf);
  const requests = urls.flatMap(({ url, message }, at) =>
    typeof url === 'string'
      ? [[`${KEY}${at + 1}`, { method: 'elicitation/create', params: { mode: 'url', url, message: textOf(message) } }]]
      : [],
  );
  if (requests.length === 0) return { error: { ...error, code: CODE.internal } };
  return { result: { resultType: 'input_required', inputRequests: Object.fromEntries(requests) } };
}

/** What is answered where the user would not visit a page; undefined where the call may go on. */
export function declined(responses: JsonValue | undefined): Outcome | undefined {
  const actions = Object.entries(objectOf(responses)).filter(([key]) => key.startsWith(KEY));
  if (actions.every(([, response]) => objectOf(response).action === 'accept')) return undefined;
  return failure(CODE.internal, 'The tool needs a page to be visited first, and the user declined');
}
