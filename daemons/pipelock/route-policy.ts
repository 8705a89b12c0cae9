import { formatProblem } from '../../config/problem.ts';
import { hostsOf, injectableHeaders } from '../routes/listing.ts';
import { loadRoutes } from '../routes/load.ts';
import type { RoutePolicy } from './generator.ts';

/** What the routes of egress say to pipelock, or everything that is wrong with the file, one line each. */
export type ReadPolicy =
  | { readonly ok: true; readonly policy: RoutePolicy }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads routes.yaml as egress does. Never rejects. */
export async function readRoutePolicy(file: string): Promise<ReadPolicy> {
  const loaded = await loadRoutes(file);
  if (!loaded.ok) return { ok: false, problems: loaded.problems.map(formatProblem) };
  const { routes } = loaded;
  return { ok: true, policy: { hosts: hostsOf(routes), injectedHeaders: injectableHeaders(routes) } };
}

/** What holds while there are no routes to go by: nothing may leave. */
export const NO_ROUTES: RoutePolicy = { hosts: [], injectedHeaders: [] };
