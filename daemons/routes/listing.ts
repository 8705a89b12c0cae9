import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import * as z from 'zod/mini';
import { type Route, type Routes, routesSchema } from './schema.ts';

/** The header that the credential of a route goes out in, as it is written. */
export function authHeaderOf(route: Route): string {
  return route.auth_header ?? 'Authorization';
}

/**
 * Headers, in lower case, that only egress may write: it strips them from every request of the agent, whatever the route.
 */
export function injectableHeaders({ routes }: Routes): readonly string[] {
  const own = routes
    .filter(({ token_env }) => token_env !== undefined)
    .map((route) => authHeaderOf(route).toLowerCase());
  return [...new Set(['authorization', 'proxy-authorization', ...own])];
}

/** Hosts of the routes, each once, in the order of the file; with `*.` where the route has it, addresses without brackets. */
export function hostsOf({ routes }: Routes): readonly string[] {
  return [...new Set(routes.map(({ host }) => host))];
}

/** Names of the credentials that the routes need, each once. */
export function credentialNamesOf({ routes }: Routes): readonly string[] {
  return [...new Set(routes.flatMap(({ token_env = [] }) => token_env))];
}

/** The routes in the keys of routes.yaml, without the keys that say what holds anyway. Read again, they are the same routes. */
export function routesToValue(routes: Routes): z.input<typeof routesSchema> {
  const encoded = z.encode(routesSchema, routes);
  return { ...encoded, routes: encoded.routes.map(withoutDefaults) };
}

/** {@link routesToValue} as YAML. */
export function routesToYaml(routes: Routes): string {
  return stringify(routesToValue(routes), { lineWidth: 0, aliasDuplicateObjects: false });
}

type FileRoute = z.input<typeof routesSchema>['routes'][number];

const PLAIN_ROUTE = z.encode(routesSchema, z.decode(routesSchema, { routes: [{ host: 'plain.invalid' }] })).routes[0];

function withoutDefaults({ host, ...rest }: FileRoute): FileRoute {
  const defaults = new Map(Object.entries(PLAIN_ROUTE ?? {}));
  const told = Object.entries(rest).filter(
    ([key, value]) => value !== undefined && !isDeepStrictEqual(value, defaults.get(key)),
  );
  return { host, ...Object.fromEntries(told) };
}
