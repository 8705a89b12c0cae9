import assert from 'node:assert/strict';
import { formatProblem } from '../../../config/problem.ts';
import { parseAuthority } from '../../../daemons/authority/authority.ts';
import { parseRoutes } from '../../../daemons/routes/load.ts';
import { matchRoute, type RouteVerdict } from '../../../daemons/routes/match.ts';
import type { Routes } from '../../../daemons/routes/schema.ts';

/** A request as it comes over the wire; what is not said is that of a plain GET. */
export interface Wire {
  readonly scheme?: 'http' | 'https';
  /** The authority as the agent writes it. */
  readonly host?: string;
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly isWebSocket?: boolean;
}

/** The routes of a text that has to be right. */
export async function routesOf(text: string): Promise<Routes> {
  const loaded = await parseRoutes('routes.yaml', text);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return loaded.routes;
}

/** The problems of a text that has to be wrong, a line each. */
export async function problemsOf(text: string): Promise<readonly string[]> {
  const loaded = await parseRoutes('routes.yaml', text);
  assert.ok(!loaded.ok, 'the routes are taken');
  return loaded.problems.map(formatProblem);
}

/** The verdict on a request; undefined where its host is none. */
export function judge(routes: Routes, wire: Wire): RouteVerdict | undefined {
  const { scheme = 'https', host = 'api.example.com', method = 'GET', target = '/', headers = [] } = wire;
  const authority = parseAuthority(host, scheme === 'https' ? 443 : 80);
  if (authority === undefined) return undefined;
  return matchRoute(routes, { scheme, authority, method, target, headers, isWebSocket: wire.isWebSocket ?? false });
}

/** The verdict in a word: `sent /path` (what goes upstream), the code of the refusal, or `no host`. */
export function outcome(routes: Routes, wire: Wire): string {
  const verdict = judge(routes, wire);
  if (verdict === undefined) return 'no host';
  return verdict.kind === 'match' ? `sent ${verdict.target}` : verdict.code;
}
