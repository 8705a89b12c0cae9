import { type ConfigOptions, type LoadedConfig, loadConfig, parseConfig } from '../../config/load.ts';
import { formatPath, type Path, type Problem } from '../../config/problem.ts';
import { routesFaults, routesWarnings } from './rules.ts';
import { type Routes, routesSchema } from './schema.ts';

/** Routes that can be matched, or everything that is wrong with the file. */
export type LoadedRoutes =
  | {
      readonly ok: true;
      readonly routes: Routes;
      /** What is allowed but hardly meant. */
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads and checks routes.yaml. Never rejects: what is wrong is in the result, all of it. */
export async function loadRoutes(file: string): Promise<LoadedRoutes> {
  return withWarnings(file, await loadConfig(file, routesSchema, OPTIONS));
}

/** As {@link loadRoutes}, of a text that is at hand; messages name it `file`. */
export async function parseRoutes(file: string, text: string): Promise<LoadedRoutes> {
  return withWarnings(file, await parseConfig(file, text, routesSchema, OPTIONS));
}

function withWarnings(file: string, loaded: LoadedConfig<Routes>): LoadedRoutes {
  if (!loaded.ok) return loaded;
  const warnings = [...routesWarnings(loaded.value)].map(([path, message]) => ({
    file,
    line: 0,
    column: 0,
    path: formatPath(path),
    message,
  }));
  return { ok: true, routes: loaded.value, warnings };
}

const OPTIONS: ConfigOptions<Routes> = { check: routesFaults, unknownKey, isPrivate: mayHoldCredential };

/** Where someone may have written a credential itself instead of its name. */
function mayHoldCredential(path: Path): boolean {
  return path[2] === 'token_env' || path[2] === 'auth_scheme';
}

/** What to write in place of a key that other generations or tools have. */
function unknownKey(path: Path, key: string): { readonly message: string; readonly hint?: string } | undefined {
  if (path[0] !== 'routes' || path.length !== 2 || !Object.hasOwn(FOREIGN_KEYS, key)) return undefined;
  return FOREIGN_KEYS[key];
}

const FIRST_GENERATION = 'is a key of the first generation of this file';
const MATCHES = 'stands below "matches"';
const SCANNED_ANYWAY = 'is not a setting: pipelock scans every request and egress looks for its own credentials';

const FOREIGN_KEYS: Readonly<Record<string, { readonly message: string; readonly hint?: string }>> = {
  path_allowlist: {
    message: FIRST_GENERATION,
    hint: 'write matches: [{ paths: [{ type: Prefix, value: /repos }] }]',
  },
  tls_passthrough: {
    message: 'is refused: what stays encrypted cannot be judged, scanned or given a credential',
    hint: 'leave it out',
  },
  auth: { message: FIRST_GENERATION, hint: 'write auth_scheme: Bearer and token_env: EGRESS_TOKEN_0' },
  token_ref: { message: FIRST_GENERATION, hint: 'write token_env: EGRESS_TOKEN_0' },
  token: { message: 'is not taken from this file, which is no secret', hint: 'write token_env: EGRESS_TOKEN_0' },
  scheme: { message: 'is not a known key', hint: 'write schemes: [https], or auth_scheme: Bearer' },
  port: { message: 'is not a known key', hint: 'write ports: [8443]' },
  paths: { message: MATCHES, hint: 'write matches: [{ paths: [{ type: Prefix, value: /repos }] }]' },
  path: { message: MATCHES, hint: 'write matches: [{ paths: [{ type: Exact, value: /repos }] }]' },
  methods: { message: MATCHES, hint: 'write matches: [{ methods: [GET] }]' },
  method: { message: MATCHES, hint: 'write matches: [{ methods: [GET] }]' },
  headers: { message: MATCHES, hint: 'write matches: [{ headers: [{ name: Accept, value: application/json }] }]' },
  outbound_on_match: { message: 'stands below "dlp"', hint: 'write dlp: { outbound_on_match: block }' },
  inspect: { message: SCANNED_ANYWAY, hint: 'leave it out' },
  outbound_detectors: { message: SCANNED_ANYWAY, hint: 'leave it out' },
  inbound_detectors: { message: SCANNED_ANYWAY, hint: 'leave it out' },
};
