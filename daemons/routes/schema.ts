import { METHODS } from 'node:http';
import type { RE2JS } from 're2js';
import * as z from 'zod/mini';
import { byteSize, key, port, refuse, rule, text } from '../../config/values.ts';
import { formatHost, parseHost } from '../authority/authority.ts';
import { authHeaderFault, headerMatchFault, TOKEN } from './headers.ts';
import { compilePattern } from './pattern.ts';
import { parseTarget } from './target.ts';

/**
 * The shape of `routes.yaml`. Decoding gives what requests are matched against: canonical hosts, paths in normal form, compiled
 * regular expressions, every default filled in. Encoding gives a value that decodes to the same.
 */

/** A rule for a path. */
export type PathRule = { readonly type: 'Exact' | 'Prefix'; readonly value: string } | PatternRule;

/** A rule for the value of one header; the name is in lower case. */
export type HeaderRule = { readonly name: string } & ({ readonly type: 'Exact'; readonly value: string } | PatternRule);

interface PatternRule {
  readonly type: 'RegularExpression';
  /** As it is written. */
  readonly value: string;
  readonly pattern: RE2JS;
}

/** TRACE would give an agent back the credential that egress put in; CONNECT is not a request for a path. */
const ROUTABLE_METHODS: readonly string[] = METHODS.filter((method) => method !== 'TRACE' && method !== 'CONNECT');

const MOST = { routes: 1000, matches: 64, items: 64, ports: 32 } as const;

function listOf<T extends z.core.$ZodType>(item: T, most: number) {
  return z.array(item).check(
    rule<z.core.output<T>[]>(
      (list) => list.length > 0,
      'is an empty list, which allows nothing; leave the key out to allow all',
    ),
    rule<z.core.output<T>[]>((list) => list.length <= most, `holds more than ${most} entries`),
  );
}

const host = z.codec(z.string().check(z.minLength(1)), z.string(), {
  decode: (written, payload) => {
    const isWildcard = written.startsWith('*.');
    const parsed = parseHost(isWildcard ? written.slice(2) : written);
    if (parsed === undefined) return refuse(payload, hostFault(written));
    if (!isWildcard) return parsed.host;
    if (parsed.isAddress) return refuse(payload, 'is not a host: an address has no names below it');
    if (!parsed.host.includes('.'))
      return refuse(payload, 'allows far too much; write at least two labels behind "*."');
    return `*.${parsed.host}`;
  },
  encode: formatHost,
});

function hostFault(written: string): string {
  if (written.includes('://')) return 'holds a scheme; write the host alone, and "schemes" where it is not https';
  if (written.includes('/')) return 'holds a path; write the host alone, and the path below "matches"';
  if (/^[^:]*:\d+$/.test(written)) return 'holds a port; write the host alone, and the port below "ports"';
  if (written.includes('*')) return 'is not a host; "*" can stand only for all labels in front: "*.example.com"';
  if (written.includes('%') && written.startsWith('['))
    return 'holds a zone, which means something on one machine only';
  return 'is not a host; write a name, an IPv4 address, or an IPv6 address in brackets';
}

const pathRule = z.codec(
  z.strictObject({
    type: key(
      z.enum(['Exact', 'Prefix', 'RegularExpression']),
      'Exact: this path. Prefix: this path and all below it, by whole segments. RegularExpression (RE2): matches the whole path.',
    ),
    value: key(z.string(), 'The path, without a query, or the regular expression.'),
  }),
  z.custom<PathRule>(),
  {
    decode: ({ type, value }, payload) => {
      if (type === 'RegularExpression') {
        const never = /^\^?[\w-]/.test(value) ? 'can match no path, since a path begins with "/"' : undefined;
        return patternRule(value, payload, never);
      }
      const target = parseTarget(percentEncoded(value));
      const fault = target.ok ? (target.query === '' ? undefined : QUERY) : target.reason;
      if (!target.ok || fault !== undefined) return refuseValue(payload, value, `is not a path: it ${fault}`);
      return { type, value: type === 'Prefix' ? withoutLastSlash(target.path) : target.path };
    },
    encode: ({ type, value }) => ({ type, value }),
  },
);

const QUERY = 'holds a query, and only paths are matched';

/** A path can be written in Unicode; requests carry it percent-encoded. */
function percentEncoded(path: string): string {
  return path.toWellFormed().replace(/[^ -~]+/g, encodeURIComponent);
}

/** A slash at the end of a prefix says nothing, as in the Gateway API. */
function withoutLastSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function patternRule(value: string, payload: z.core.ParsePayload, fault?: string): PatternRule {
  const compiled = compilePattern(value);
  if (compiled.ok && fault === undefined) return { type: 'RegularExpression', value, pattern: compiled.pattern };
  return refuseValue(payload, value, compiled.ok ? (fault ?? '') : compiled.fault);
}

function refuseValue(payload: z.core.ParsePayload, input: string, message: string): never {
  payload.issues.push({ code: 'custom', input, path: ['value'], message });
  return z.NEVER;
}

const headerRule = z.codec(
  z.strictObject({
    name: key(
      z.string().check((payload) => {
        const message = TOKEN.test(payload.value) ? headerMatchFault(payload.value.toLowerCase()) : NOT_A_HEADER;
        if (message !== undefined) payload.issues.push({ code: 'custom', input: payload.value, message });
      }),
      'The header, in any case. Where it comes more than once, its values are joined by ", " first.',
    ),
    value: key(text, 'What its value must be.'),
    type: key(z._default(z.enum(['Exact', 'RegularExpression']), 'Exact'), 'How the value is compared, with case.'),
  }),
  z.custom<HeaderRule>(),
  {
    decode: ({ name, type, value }, payload) => {
      if (type === 'Exact') return { name: name.toLowerCase(), type, value: value.trim() };
      return { name: name.toLowerCase(), ...patternRule(value, payload) };
    },
    encode: ({ name, type, value }) => ({ name, type, value }),
  },
);

const NOT_A_HEADER = 'is not the name of a header';

const method = z.codec(z.string(), z.string(), {
  decode: (written, payload) => {
    const upper = written.toUpperCase();
    if (upper === 'TRACE') return refuse(payload, 'is not allowed: its answer would show the agent the credential');
    if (upper === 'CONNECT')
      return refuse(payload, 'is not a method of a route: tunnels are opened for every host of a route');
    return ROUTABLE_METHODS.includes(upper) ? upper : refuse(payload, 'is not an HTTP method', ROUTABLE_METHODS);
  },
  encode: (name) => name,
});

const match = z.strictObject({
  paths: key(z.optional(listOf(pathRule, MOST.items)), 'One of these must match the path. Without it every path does.'),
  methods: key(
    z.optional(listOf(method, MOST.items)),
    'One of these must be the method, in any case here. GET does not imply HEAD. Without it every method but TRACE is allowed.',
  ),
  headers: key(z.optional(listOf(headerRule, MOST.items)), 'All of these must match.'),
});

const dlp = z.strictObject({
  outbound_on_match: key(
    z._default(z.enum(['block', 'redact', 'supervise']), 'block'),
    'What happens to a request that holds a credential of egress. block: 403. redact: the credential becomes stars. supervise: the operator is asked, and the request waits.',
  ),
});

const headerToken = z.string().check(z.regex(TOKEN, 'is not one word'));

const authHeader = z.string().check((payload) => {
  const name = payload.value.toLowerCase();
  const message = TOKEN.test(name) ? authHeaderFault(name) : NOT_A_HEADER;
  if (message !== undefined) payload.issues.push({ code: 'custom', input: payload.value, message });
});

const route = z.strictObject({
  host: key(
    host,
    'A name, "*.example.com" for every name below example.com (not itself), an IPv4 address, or an IPv6 address in brackets.',
  ),
  schemes: key(
    z._default(listOf(z.enum(['https', 'http']), 2), ['https']),
    'By which scheme it may be asked. ws counts as http, wss as https.',
  ),
  ports: key(z.optional(listOf(port, MOST.ports)), 'At which ports. Without it 443 for https and 80 for http.'),
  matches: key(
    z.optional(listOf(match, MOST.matches)),
    'A request must match one of these entries, with all that the entry says. Without it every request to the host does.',
  ),
  token_env: key(
    z.optional(
      z
        .string()
        .check(
          z.regex(
            /^EGRESS_TOKEN_[A-Z0-9_]{1,64}$/,
            'is not the name of a credential: it must be EGRESS_TOKEN_ with 1 to 64 of A-Z, 0-9 and _',
          ),
        ),
    ),
    'The credential to put in: the name of a file in the directory of credentials of egress, or of a variable. Never its value.',
  ),
  auth_scheme: key(
    z.optional(headerToken),
    'The word in front of the credential: Bearer, token, Basic. For Basic the credential is user:password, plain or in base64.',
  ),
  auth_header: key(
    z.optional(authHeader),
    'The header that the credential goes out in. Default Authorization. Without an auth_scheme its value is the bare credential.',
  ),
  websocket: key(z._default(z.boolean(), false), 'true: WebSocket handshakes that match are let through, too.'),
  allow_encoded_slash: key(
    z._default(z.boolean(), false),
    'true: a path may hold %2F, as npm asks for scoped packages and GitLab for projects. It is part of its segment, never a separator.',
  ),
  max_body: key(
    z.optional(byteSize),
    'The largest body of a request: bytes or "10mb". Without it the limit of egress holds.',
  ),
  dlp: key(z.prefault(dlp, {}), 'What egress does about its own credentials in what goes out.'),
});

/** The whole file. */
export const routesSchema = z.strictObject({
  log: key(
    z._default(z.literal([0, 1, 2]), 0),
    'What is logged of traffic. 0: nothing. 1: what was refused. 2: every request and answer, with headers.',
  ),
  routes: key(
    z
      .array(route)
      .check(rule<unknown[]>((list) => list.length <= MOST.routes, `holds more than ${MOST.routes} routes`)),
    'What is allowed; all else is refused. The first route that matches decides. An empty list refuses everything.',
  ),
});

/** What is allowed, checked and ready to be matched. */
export type Routes = z.output<typeof routesSchema>;

/** One route. `host` is canonical, an IPv6 address without brackets. */
export type Route = Routes['routes'][number];

/** One entry of `matches`. */
export type Match = NonNullable<Route['matches']>[number];
