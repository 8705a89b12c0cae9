import type { Authority } from '../authority/authority.ts';
import { formatHost } from '../authority/authority.ts';
import { allValues, connectionOptions, type RawHeaders } from '../http/headers.ts';
import { foldedName, isMisspeltFraming, METHOD_OVERRIDES, REWRITING_HEADERS, SECOND_PATH } from './headers.ts';
import { matchesWhole } from './pattern.ts';
import { mayOverride, overridesIn } from './query.ts';
import type { HeaderRule, Match, PathRule, Route, Routes } from './schema.ts';
import { parseTarget, type Target } from './target.ts';

/** What of a request decides on its route. */
export interface RouteQuestion {
  readonly scheme: 'http' | 'https';
  readonly authority: Authority;
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: RawHeaders;
  /** A handshake: its method counts as GET, also where it came as an extended CONNECT (RFC 8441). */
  readonly isWebSocket: boolean;
}

export type RouteVerdict = RouteMatch | RouteRefusal;

export interface RouteMatch {
  readonly kind: 'match';
  readonly route: Route;
  /** What was matched. */
  readonly path: string;
  /** What has to be sent in place of the target that came: `path` and the query. */
  readonly target: string;
}

export interface RouteRefusal {
  readonly kind: 'refused';
  readonly status: 400 | 403 | 414;
  readonly code: RouteRefusalCode;
  /** One line about this request, which tells nothing of the routes. */
  readonly reason: string;
}

export type RouteRefusalCode =
  | 'host-not-allowed'
  | 'scheme-not-allowed'
  | 'port-not-allowed'
  | 'path-not-allowed'
  | 'method-not-allowed'
  | 'headers-not-allowed'
  | 'websocket-not-allowed'
  | 'rewriting-header'
  | 'method-malformed'
  | 'target-too-long'
  | 'target-malformed'
  | 'path-ambiguous';

/** The first route that allows a request, or why none does. Pure; never throws. */
export function matchRoute(routes: Routes, question: RouteQuestion): RouteVerdict {
  const { host } = question.authority;
  const ofHost = routes.routes.filter((route) => holdsHost(route.host, host));
  if (ofHost.length === 0) return refused(403, 'host-not-allowed', `no route allows the host ${formatHost(host)}`);
  const reading = readRequest(question);
  if ('kind' in reading) return reading;
  let furthest: Miss = 'scheme';
  for (const route of ofHost) {
    const miss = missOf(route, reading);
    if (miss === undefined) {
      const { path, query } = reading.target;
      return { kind: 'match', route, path, target: path + query };
    }
    if (MISSES.indexOf(miss) > MISSES.indexOf(furthest)) furthest = miss;
  }
  return refusalOf(furthest, reading);
}

/** Whether the host of a route, perhaps with a wildcard, stands for this canonical host. */
export function holdsHost(pattern: string, host: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : pattern === host;
}

/** Whether a path in normal form is allowed by a rule. */
export function matchesPath(rule: PathRule, path: string): boolean {
  if (rule.type === 'RegularExpression') return matchesWhole(rule.pattern, path);
  if (rule.type === 'Exact') return path === rule.value;
  return rule.value === '/' || path === rule.value || (path.startsWith(rule.value) && path[rule.value.length] === '/');
}

/** A request that has only one meaning. */
interface Reading {
  readonly question: RouteQuestion;
  readonly target: Target;
  readonly method: string;
  /** The method, and those that a framework might take in its place. */
  readonly methods: readonly string[];
  /** Folded names of the headers that name a path beside that of the request. */
  readonly otherPaths: readonly string[];
}

function readRequest(question: RouteQuestion): Reading | RouteRefusal {
  const method = question.isWebSocket && question.method === 'CONNECT' ? 'GET' : question.method;
  if (!METHOD.test(method))
    return refused(400, 'method-malformed', `${shown(method)} is not a method; methods are in upper case`);
  const target = parseTarget(question.target);
  if (!target.ok) {
    const subject = target.code === 'path-ambiguous' ? 'the path' : 'the request target';
    return refused(target.status, target.code, `${subject} ${target.reason}`);
  }
  const methods = [method];
  const otherPaths: string[] = [];
  for (let i = 0; i + 1 < question.headers.length; i += 2) {
    const name = foldedName(question.headers[i] ?? '');
    if (REWRITING_HEADERS.has(name))
      return refused(403, 'rewriting-header', `the header ${name} would change where the request goes`);
    if (isMisspeltFraming(question.headers[i] ?? ''))
      return refused(
        403,
        'rewriting-header',
        `the header ${name} is misspelt, and some servers would end the request by it`,
      );
    if (SECOND_PATH.test(name)) otherPaths.push(name);
    if (METHOD_OVERRIDES.has(name)) methods.push((question.headers[i + 1] ?? '').trim().toUpperCase());
  }
  if (mayOverride(target.query)) {
    const override = overridesIn(target.query);
    if (override.holdsHeaders)
      return refused(403, 'rewriting-header', 'a parameter of the query would put headers in after they are judged');
    methods.push(...override.methods);
  }
  const impossible = methods.find((each) => !METHOD.test(each) || NEVER_ALLOWED.has(each));
  if (impossible !== undefined)
    return refused(403, 'method-not-allowed', `no route allows the method ${shown(impossible)}`);
  if (question.isWebSocket && method !== 'GET') return refused(400, 'method-malformed', 'a WebSocket begins with GET');
  return { question, target, method, methods, otherPaths };
}

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
/** What sends a request back to who asked would show the agent the credential in it. */
const NEVER_ALLOWED: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT']);

/** What keeps a route from matching, in the order in which it is looked at. */
const MISSES = ['scheme', 'port', 'path', 'encoded-slash', 'method', 'headers', 'websocket'] as const;
type Miss = (typeof MISSES)[number];

function missOf(route: Route, reading: Reading): Miss | undefined {
  const { scheme, authority, isWebSocket } = reading.question;
  if (!route.schemes.includes(scheme)) return 'scheme';
  if (!portsOf(route, scheme).includes(authority.port)) return 'port';
  const miss = missOfMatches(route.matches, reading);
  if (miss !== undefined && miss !== 'headers' && miss !== 'method') return miss;
  if (reading.target.hasEncodedSlash && !route.allow_encoded_slash) return 'encoded-slash';
  if (miss !== undefined) return miss;
  return isWebSocket && !route.websocket ? 'websocket' : undefined;
}

const DEFAULT_PORTS = { http: [80], https: [443] } as const;

/** The ports at which a route may be asked by a scheme. */
export function portsOf(route: Route, scheme: 'http' | 'https'): readonly number[] {
  return route.ports ?? DEFAULT_PORTS[scheme];
}

function missOfMatches(matches: readonly Match[] | undefined, reading: Reading): Miss | undefined {
  if (matches === undefined) return undefined;
  let furthest: Miss = 'path';
  for (const match of matches) {
    const miss = missOfMatch(match, reading);
    if (miss === undefined) return undefined;
    if (MISSES.indexOf(miss) > MISSES.indexOf(furthest)) furthest = miss;
  }
  return furthest;
}

function missOfMatch({ paths, methods, headers }: Match, reading: Reading): Miss | undefined {
  const { path } = reading.target;
  if (paths !== undefined && !paths.some((rule) => matchesPath(rule, path))) return 'path';
  if (methods !== undefined && !reading.methods.every((method) => methods.includes(method))) return 'method';
  // Nobody has said that these paths are allowed, unless by a rule for the header itself.
  const isJudged = (name: string) => headers?.some((rule) => foldedName(rule.name) === name) === true;
  if (paths !== undefined && !reading.otherPaths.every(isJudged)) return 'headers';
  return headers?.every((rule) => matchesHeader(rule, reading.question.headers)) === false ? 'headers' : undefined;
}

/**
 * A header that Connection names ends at this hop: upstream would not see what was matched. One that is spelled with `_` for `-`
 * is, to some servers, another value of the same header.
 */
function matchesHeader(rule: HeaderRule, headers: RawHeaders): boolean {
  const values = allValues(headers, rule.name);
  if (values.length === 0 || connectionOptions(headers).has(rule.name)) return false;
  const folded = foldedName(rule.name);
  const spellings = headers.filter((name, at) => at % 2 === 0 && foldedName(name) === folded).length;
  if (spellings > values.length) return false;
  const value = values.map((each) => each.trim()).join(', ');
  return rule.type === 'Exact' ? value === rule.value : matchesWhole(rule.pattern, value);
}

function refusalOf(miss: Miss, { question, target, method }: Reading): RouteRefusal {
  const { scheme, authority } = question;
  const host = formatHost(authority.host);
  const place = `${host}${shownPath(target.path)}`;
  switch (miss) {
    case 'scheme':
      return refused(403, 'scheme-not-allowed', `no route allows ${scheme} to ${host}`);
    case 'port':
      return refused(403, 'port-not-allowed', `no route allows port ${authority.port} of ${host}`);
    case 'path':
      return refused(403, 'path-not-allowed', `no route allows the path ${place}`);
    case 'encoded-slash':
      return refused(400, 'path-ambiguous', 'the path holds an encoded slash, which some servers take for a slash');
    case 'method':
      return refused(403, 'method-not-allowed', `no route allows ${method} on ${place}`);
    case 'headers':
      return refused(403, 'headers-not-allowed', `no route allows ${method} on ${place} with these headers`);
    case 'websocket':
      return refused(403, 'websocket-not-allowed', `no route allows a WebSocket on ${place}`);
  }
}

function refused(status: RouteRefusal['status'], code: RouteRefusalCode, reason: string): RouteRefusal {
  return { kind: 'refused', status, code, reason };
}

const LONGEST_SHOWN = 200;

function shownPath(path: string): string {
  return path.length > LONGEST_SHOWN ? `${path.slice(0, LONGEST_SHOWN)}…` : path;
}

function shown(word: string): string {
  return JSON.stringify(word.slice(0, 40)).replace(/[^ -~]/g, '?');
}
