import { isList, isObject, type JsonObject, type JsonValue, objectOf, textOf } from '../policy/json.ts';
import { OWN_PARAMS } from './opening.ts';
import { CODE } from './protocol.ts';
import { type Endpoint, type Headers, nowhere, type Route } from './route.ts';
import { failure, type Outcome } from './rpc.ts';

/**
 * Arguments that a client repeats in headers, since their schema says so (`x-mcp-header`; MCP 2026-07-28, Streamable HTTP, custom headers from
 * tool parameters). Who stands between client and bridge may have decided by the header, so that the body must say the same.
 */
export interface HeaderParameters {
  /** The tool, as it was; its lists are read on their way. */
  readonly endpoint: Endpoint;
  /** `guarded`, behind the check: its calls of 2026-07-28 whose headers disagree with their arguments fail with -32020. */
  checked(guarded: Endpoint): Endpoint;
}

/** One argument that has a header. */
interface Declaration {
  readonly path: readonly string[];
  /** In lower case, as Node names headers. */
  readonly header: string;
  readonly type: string;
}

/** Tools of one tool whose declarations are remembered; pages of its list that are read for them. */
const MOST_NAMES = 10_000;
const MOST_PAGES = 100;
const LIST_MS = 10_000;

export function createHeaderParameters(tool: Endpoint): HeaderParameters {
  const known = new Map<string, readonly Declaration[]>();
  let first: Promise<void> | undefined;

  function learn(outcome: Outcome): void {
    if ('error' in outcome || !isList(outcome.result.tools)) return;
    for (const entry of outcome.result.tools) {
      const { name, inputSchema } = objectOf(entry);
      const declarations = declarationsIn(objectOf(inputSchema));
      if (declarations.length === 0 || known.size >= MOST_NAMES) known.delete(textOf(name));
      else known.set(textOf(name), declarations);
    }
  }

  async function listing(route: Route): Promise<Outcome> {
    const outcome = await tool.modern(route);
    learn(outcome);
    return outcome;
  }

  /** The list is read once for who calls without having listed; from then on it is learned from what clients list. */
  async function readList({ caller }: Route): Promise<void> {
    const signal = AbortSignal.timeout(LIST_MS);
    let cursor: JsonValue | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const params = cursor === undefined ? OWN_PARAMS : { ...OWN_PARAMS, cursor };
      const outcome = await tool.modern({ caller, id: 0, method: 'tools/list', params, signal, notify: nowhere });
      learn(outcome);
      if ('error' in outcome) {
        first = undefined;
        return;
      }
      cursor = outcome.result.nextCursor;
      if (cursor === undefined) return;
    }
  }

  return {
    endpoint: {
      open: tool.open,
      modern: (route) => (route.method === 'tools/list' ? listing(route) : tool.modern(route)),
    },
    checked(guarded) {
      async function call(route: Route, headers: Headers): Promise<Outcome> {
        first ??= readList(route);
        await first;
        const declarations = known.get(textOf(route.params.name)) ?? [];
        return faultOf(declarations, objectOf(route.params.arguments), headers) ?? (await guarded.modern(route));
      }
      return {
        open: guarded.open,
        modern: (route) =>
          route.method === 'tools/call' && route.headers !== undefined
            ? call(route, route.headers)
            : guarded.modern(route),
      };
    },
  };
}

function faultOf(declarations: readonly Declaration[], given: JsonObject, headers: Headers): Outcome | undefined {
  for (const { path, header, type } of declarations) {
    const value = path.reduce<JsonValue | undefined>((at, key) => objectOf(at)[key], given);
    // Where the body has none, the header says nothing either.
    if (value === undefined || value === null) continue;
    const said = headers[header];
    if (typeof said !== 'string') return mismatch(`${header} is missing, and the body has this argument`);
    const decoded = decodeHeader(said);
    if (decoded === undefined) return mismatch(`${header} is not Base64, as it says`);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    const isSame = type === 'integer' && DECIMAL.test(decoded) ? Number(decoded) === Number(text) : decoded === text;
    if (!isSame) return mismatch(`${header} does not match the argument in the body`);
  }
  return undefined;
}

const DECIMAL = /^-?\d{1,15}(\.\d{1,15})?$/;
const PRIMITIVE: ReadonlySet<string> = new Set(['string', 'integer', 'number', 'boolean']);
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]{1,128}$/;
const DEEPEST = 16;

/** What a schema declares along `properties` alone; a declaration anywhere else, or that is wrong, is none. */
function declarationsIn(schema: JsonObject): readonly Declaration[] {
  const found = [...declarationsAt(schema, [])];
  const headers = found.map(({ header }) => header);
  return found.filter(({ header }, at) => headers.indexOf(header) === at);
}

function* declarationsAt(schema: JsonObject, path: readonly string[]): Generator<Declaration> {
  if (path.length > DEEPEST) return;
  for (const [key, value] of Object.entries(objectOf(schema.properties))) {
    if (!isObject(value)) continue;
    const name = value['x-mcp-header'];
    const type = textOf(value.type);
    const below = [...path, key];
    if (typeof name === 'string' && TOKEN.test(name) && PRIMITIVE.has(type))
      yield { path: below, header: `mcp-param-${name.toLowerCase()}`, type };
    yield* declarationsAt(value, below);
  }
}

/** A header's value, out of its Base64 form where it has that (2026-07-28, value encoding); undefined: it is malformed. */
export function decodeHeader(value: string): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded ? bytes.toString() : undefined;
}

export function mismatch(what: string): Outcome {
  return failure(CODE.headerMismatch, `Header mismatch: ${what}`);
}
