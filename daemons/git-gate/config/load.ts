import { digestOfFile } from '../../../config/digest.ts';
import { type LoadedConfig, loadConfig } from '../../../config/load.ts';
import { type Node, placeOf, placeOfKey } from '../../../config/node.ts';
import { type Finding, formatPath, type Path, quote } from '../../../config/problem.ts';
import { type HostKey, parseHostKeys } from './host-key.ts';
import { type GateFile, gateSchema, type Limits, type RepoEntry } from './schema.ts';
import type { Upstream } from './upstream-url.ts';

/** How to get at one upstream, and what may be done there. */
export interface Repo {
  readonly name: string;
  readonly upstream: Upstream;
  readonly access: Access;
  readonly rules: RepoRules;
}

/** What upstream asks for. Secrets are named, not held: they are read when they are used. */
export type Access =
  | { readonly kind: 'ssh'; readonly identity: string | undefined; readonly hostKeys: readonly HostKey[] }
  | {
      readonly kind: 'https';
      readonly token: string | undefined;
      readonly tokenUser: string;
      readonly caFile: string | undefined;
    }
  | { readonly kind: 'file' };

export interface RepoRules {
  readonly readOnly: boolean;
  readonly allowDelete: boolean;
  readonly allowForce: boolean;
  readonly tags: 'none' | 'create' | 'any';
  readonly protectedRefs: readonly string[];
  readonly allowLfs: boolean;
  /** Bytes. */
  readonly maxBlob: number;
}

/** `git-gate.yaml`, checked. */
export interface GateConfig {
  readonly repos: ReadonlyMap<string, Repo>;
  readonly limits: Limits;
  readonly allowed: ReadonlySet<string>;
  /** Whether a second engine scans too, where there is one. */
  readonly withSecondEngine: boolean;
  /** Of the file, by `config/digest.ts`; undefined where it vanished while it was read. */
  readonly digest: string | undefined;
}

/** Reads `git-gate.yaml`. Never rejects: what is wrong is in the result, all of it. */
export async function loadGateConfig(file: string): Promise<LoadedConfig<GateConfig>> {
  // Before the file is read: where it changes in between, the change is told, and both are read again.
  const digest = digestOfFile(file);
  const loaded = await loadConfig(file, gateSchema, {
    check: gateFaults,
    isPrivate: (path) => path[0] === 'repos' && (path[2] === 'token' || path[2] === 'identity'),
  });
  if (!loaded.ok) return loaded;
  const { repos, limits, allow, second_engine } = loaded.value;
  const made = new Map<string, Repo>();
  for (const [name, entry] of Object.entries(repos)) {
    const repo = repoOf(name, entry, limits);
    if (repo !== undefined) made.set(name, repo);
  }
  const allowed = new Set(allow.map((item) => item.fingerprint));
  return { ok: true, value: { repos: made, limits, allowed, withSecondEngine: second_engine === 'auto', digest } };
}

/** Undefined where {@link gateFaults} has found a fault. */
function repoOf(name: string, entry: RepoEntry, limits: Limits): Repo | undefined {
  const access = accessOf(entry, entry.url);
  if (access === undefined) return undefined;
  const rules = {
    readOnly: entry.read_only,
    allowDelete: entry.allow_delete,
    allowForce: entry.allow_force,
    tags: entry.tags,
    protectedRefs: entry.protected,
    allowLfs: entry.allow_lfs,
    maxBlob: entry.max_blob ?? limits.max_blob,
  };
  return { name, upstream: entry.url, access, rules };
}

function accessOf(entry: RepoEntry, upstream: Upstream): Access | undefined {
  if (upstream.kind === 'file') return { kind: 'file' };
  if (upstream.kind === 'https') {
    return { kind: 'https', token: entry.token, tokenUser: entry.token_user, caFile: entry.ca_file };
  }
  const keys = parseHostKeys(entry.host_key ?? '', upstream.host, upstream.port);
  return keys.ok ? { kind: 'ssh', identity: entry.identity, hostKeys: keys.keys } : undefined;
}

/** The faults that only several keys together show. `root` is what the file, or the section, was made of. */
export function* gateFaults({ repos }: GateFile, root: Node): Generator<Finding> {
  const places = new Map<string, string>();
  const spellings = new Map<string, string>();
  for (const [name, entry] of Object.entries(repos)) {
    const at = (key: string, message: string, hint?: string) => findingAt(root, ['repos', name, key], message, hint);
    const twin = spellings.get(name.toLowerCase());
    if (twin !== undefined) yield findingAtKey(root, ['repos', name], `differs from ${quote(twin)} only in case`);
    spellings.set(name.toLowerCase(), name);
    const upstream = entry.url;
    const other = places.get(upstream.place);
    if (other !== undefined) {
      yield at('url', `is the upstream of ${quote(other)} already`, 'one upstream is reached by one name only');
    }
    places.set(upstream.place, name);
    yield* checkAccess(entry, upstream, at);
  }
}

type At = (key: string, message: string, hint?: string) => Finding;

function* checkAccess(entry: RepoEntry, upstream: Upstream, at: At): Generator<Finding> {
  const only = (kind: Upstream['kind'], keys: readonly ('identity' | 'host_key' | 'token' | 'ca_file')[]) =>
    upstream.kind === kind ? [] : keys.filter((name) => entry[name] !== undefined);
  for (const name of [...only('ssh', ['identity', 'host_key']), ...only('https', ['token', 'ca_file'])]) {
    yield at(name, `does not go with an upstream over ${upstream.kind}`);
  }
  if (upstream.kind !== 'ssh') return;
  if (entry.host_key === undefined) {
    yield at(
      'host_key',
      'is missing',
      'pin the key of the host: ssh-keyscan prints it, compare it with what the host publishes',
    );
    return;
  }
  const keys = parseHostKeys(entry.host_key, upstream.host, upstream.port);
  if (!keys.ok) yield at('host_key', keys.message);
}

function findingAt(root: Node, path: Path, message: string, hint?: string): Finding {
  return { offset: placeOf(root, path), path: formatPath(path), message, hint };
}

function findingAtKey(root: Node, path: Path, message: string): Finding {
  return { offset: placeOfKey(root, path), path: formatPath(path), message };
}
