import { didYouMean, type Path, quote } from '../../config/problem.ts';
import { piecesOf } from '../../daemons/mcp-bridge/config/secrets.ts';
import { DAEMONS, type DaemonName, daemonsOf } from '../daemons.ts';
import type { Fault } from './fault.ts';
import type { Bottle } from './schema.ts';

/** One daemon's need of one secret. */
export interface SecretUse {
  readonly name: string;
  readonly daemon: DaemonName;
  /** The key that names it; undefined where the daemon takes it under a name of its own, if it is there. */
  readonly path: Path | undefined;
}

/** Secrets that a daemon takes under a name of its own. */
const OWN_NAMES: readonly (readonly [name: string, daemon: DaemonName])[] = [
  ['CANARY', 'egress'],
  ['MCP_BRIDGE_TOKEN', 'mcp-bridge'],
];

/** Which daemon uses which secret, each pair once, in the order of the chain and then of the names. */
export function secretUsesOf(bottle: Bottle): readonly SecretUse[] {
  const selected = new Set(daemonsOf(bottle));
  const uses = new Map<string, SecretUse>();
  for (const use of [...named(bottle), ...taken(bottle)]) {
    const key = `${DAEMONS.indexOf(use.daemon)} ${use.name}`;
    if (selected.has(use.daemon) && !uses.has(key)) uses.set(key, use);
  }
  return [...uses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
}

/** Secrets that are used and not defined. */
export function* secretFaults(bottle: Bottle): Generator<Fault> {
  const known = Object.keys(bottle.secrets);
  for (const { name, path } of named(bottle)) {
    if (path === undefined || Object.hasOwn(bottle.secrets, name)) continue;
    const hint = didYouMean(name, known) ?? `add it: secrets: { ${name}: { file: ./secrets/${name} } }`;
    yield { path, message: `needs ${quote(name)}, which "secrets" does not have`, hint };
  }
}

/** Secrets that nobody uses: they reach no container. */
export function* secretWarnings(bottle: Bottle): Generator<Fault> {
  const used = new Set(secretUsesOf(bottle).map(({ name }) => name));
  if (bottle.model?.token !== undefined) used.add(bottle.model.token);
  for (const name of Object.keys(bottle.secrets)) {
    if (used.has(name)) continue;
    yield { path: ['secrets', name], message: 'is used by nobody, so no container gets it', ofKey: true };
  }
}

function* named({ egress, git, mcp }: Bottle): Generator<SecretUse> {
  for (const [index, { token_env: name }] of egress.routes.entries()) {
    if (name !== undefined) yield { name, daemon: 'egress', path: ['egress', 'routes', index, 'token_env'] };
  }
  for (const [repo, entry] of Object.entries(git?.repos ?? {})) {
    for (const key of ['identity', 'token'] as const) {
      const name = entry[key];
      if (name !== undefined) yield { name, daemon: 'git-gate', path: ['git', 'repos', repo, key] };
    }
  }
  for (const [index, { environment }] of (mcp?.tools ?? []).entries()) {
    for (const [variable, value] of Object.entries(environment)) {
      const path = ['mcp', 'tools', index, 'environment', variable];
      const parsed = piecesOf(value);
      for (const piece of parsed.ok ? parsed.pieces : []) {
        if ('secret' in piece) yield { name: piece.secret, daemon: 'mcp-bridge', path };
      }
    }
  }
}

function* taken({ secrets }: Bottle): Generator<SecretUse> {
  for (const [name, daemon] of OWN_NAMES) {
    if (Object.hasOwn(secrets, name)) yield { name, daemon, path: undefined };
  }
}
