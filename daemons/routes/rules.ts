import type { Node } from '../../config/node.ts';
import { placeOf } from '../../config/node.ts';
import { type Finding, formatPath, type Path, quote } from '../../config/problem.ts';
import { addressClass } from '../authority/address-class.ts';
import { injectableHeaders } from './listing.ts';
import { covers, overlaps } from './overlap.ts';
import type { Route, Routes } from './schema.ts';

/** What the schema cannot say: rules about several keys of a route, and about several routes. */
export function* routesFaults(routes: Routes, root: Node): Generator<Finding> {
  for (const [path, message, hint] of faults(routes)) {
    yield { offset: placeOf(root, path), path: formatPath(path), message, hint };
  }
}

/** What is allowed but hardly meant: the path of the key, and a sentence about it. */
export function* routesWarnings({ routes }: Routes): Generator<readonly [Path, string]> {
  for (const [index, route] of routes.entries()) {
    const { host, schemes, dlp } = route;
    if (dlp.outbound_on_match === 'supervise' && schemes.includes('http') && !isNearby(host)) {
      const path = ['routes', index, 'dlp', 'outbound_on_match'];
      yield [path, 'what a person lets pass here would go out in clear text; leave "http" out of schemes'];
    }
  }
}

type Fault = readonly [path: Path, message: string, hint?: string];

function* faults({ routes }: Routes): Generator<Fault> {
  const injected = new Set(injectableHeaders({ log: 0, routes }));
  for (const [index, route] of routes.entries()) {
    const path = ['routes', index];
    yield* addressFaults(route, path);
    yield* credentialFaults(route, path);
    yield* injectedHeaderFaults(route, path, injected);
  }
  const rules = routes.flatMap(({ matches = [] }) =>
    matches.flatMap(({ paths = [], headers = [] }) => [...paths, ...headers]),
  );
  const instructions = rules.reduce((sum, rule) => sum + ('pattern' in rule ? rule.pattern.programSize() : 0), 0);
  if (instructions > MOST_INSTRUCTIONS) {
    yield [
      ['routes'],
      `hold regular expressions of ${instructions} instructions in all, ${MOST_INSTRUCTIONS} are allowed`,
      'use prefixes',
    ];
  }
  if (rules.length > MOST_RULES)
    yield [['routes'], `hold ${rules.length} rules for paths and headers in all, ${MOST_RULES} are allowed`];
  else yield* pairFaults(routes);
}

/** One request may run all of them; this bounds its time to less than a second. */
const MOST_INSTRUCTIONS = 10_000;

/** Each pair of them may have to be compared. */
const MOST_RULES = 2000;

function* addressFaults({ host }: Route, path: Path): Generator<Fault> {
  const kind = addressClass(host);
  if (kind === 'metadata') {
    yield [
      [...path, 'host'],
      `${quote(host)} is where a cloud hands out credentials of the machine; no route can allow it`,
    ];
  } else if (NOWHERE.has(kind)) {
    yield [[...path, 'host'], `${quote(host)} is a ${kind} address, which is no server that a route can name`];
  }
}

const NOWHERE: ReadonlySet<string> = new Set(['unspecified', 'link-local', 'multicast', 'broadcast', 'reserved']);

function* credentialFaults(route: Route, path: Path): Generator<Fault> {
  const { host, token_env, auth_scheme, auth_header, schemes } = route;
  if (token_env === undefined) {
    for (const key of ['auth_scheme', 'auth_header'] as const) {
      if (route[key] !== undefined) yield [[...path, key], 'has no credential to put in', 'add token_env'];
    }
    return;
  }
  const own = [...path, 'token_env'];
  if (auth_scheme === undefined && auth_header === undefined) {
    yield [
      own,
      'does not say how the credential goes out',
      'add auth_scheme: Bearer, or the auth_header that holds it bare',
    ];
  }
  if (host.startsWith('*.')) {
    yield [
      own,
      `would go to every name below ${quote(host.slice(2))}, whoever it belongs to`,
      'give each host a route of its own',
    ];
  }
  if (schemes.includes('http') && !isNearby(host)) {
    yield [own, 'would go out in clear text', 'leave "http" out of schemes'];
  }
}

/** A private address, or a name that only the network around the bundle resolves. */
function isNearby(host: string): boolean {
  const kind = addressClass(host);
  return kind === 'invalid' ? !host.includes('.') : kind === 'private' || kind === 'loopback' || kind === 'shared';
}

function* injectedHeaderFaults({ matches = [] }: Route, path: Path, injected: ReadonlySet<string>): Generator<Fault> {
  for (const [m, { headers = [] }] of matches.entries()) {
    for (const [h, { name }] of headers.entries()) {
      const place = [...path, 'matches', m, 'headers', h, 'name'];
      if (injected.has(name))
        yield [place, `${quote(name)} is an auth_header: egress takes it from nobody, so no route can ask for it`];
    }
  }
}

function* pairFaults(routes: readonly Route[]): Generator<Fault> {
  for (const [later, route] of routes.entries()) {
    for (const [earlier, other] of routes.slice(0, later).entries()) {
      if (covers(other, route)) {
        yield [
          ['routes', later],
          `is never reached: routes[${earlier}] comes first and allows all of it`,
          'join the two, or put this one first',
        ];
        break;
      }
      if (haveTwoCredentials(route, other) && overlaps(route, other)) {
        yield [
          ['routes', later, 'token_env'],
          `a request can match routes[${earlier}], too, which puts in another credential`,
          'give the two different paths or methods',
        ];
      }
    }
  }
}

function haveTwoCredentials(a: Route, b: Route): boolean {
  if (a.token_env === undefined || b.token_env === undefined) return false;
  const isSame =
    a.token_env === b.token_env &&
    a.auth_scheme === b.auth_scheme &&
    a.auth_header?.toLowerCase() === b.auth_header?.toLowerCase();
  return !isSame;
}
