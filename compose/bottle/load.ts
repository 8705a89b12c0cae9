import { dirname, resolve } from 'node:path';
import { readTextFile } from '../../config/files.ts';
import { type Node, ownKeys, toValue } from '../../config/node.ts';
import { capped, first, placed } from '../../config/places.ts';
import { type Finding, type Path, type Problem, problemOf } from '../../config/problem.ts';
import { readYaml } from '../../config/read-yaml.ts';
import { checkShape, type Words } from '../../config/shape.ts';
import { modelFaults, modelWarnings } from '../model/faults.ts';
import type { WrittenBottle } from '../plan.ts';
import { type Engine, engineFaults, engineWarnings } from './engine.ts';
import { type Fault, findingOf } from './fault.ts';
import { mountFaults, type Surroundings } from './mounts.ts';
import { type Bottle, bottleSchema } from './schema.ts';
import { secretFaults, secretWarnings } from './secret-uses.ts';
import { sectionFaults, sectionWarnings } from './sections.ts';
import { toolFaults, toolWarnings } from './tools.ts';
import { variableFaults, variableWarnings } from './variables.ts';

/** A bottle that can be rendered, or everything that keeps it from that. */
export type LoadedBottle =
  | {
      readonly ok: true;
      readonly bottle: Bottle;
      readonly written: WrittenBottle;
      /** What is allowed but hardly meant. */
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface BottleOptions {
  readonly engine: Engine;
  /** The directory where the rendered files go. Default: that of the bottle. */
  readonly output?: string;
}

/**
 * Reads and checks a bottle file, of at most 1 MiB, with all that its daemons would say of their sections. There is no interpolation: a "$"
 * is a "$". Never rejects: what is wrong is in the result, all of it.
 */
export async function loadBottle(file: string, options: BottleOptions): Promise<LoadedBottle> {
  const read = readTextFile(file);
  if (read.ok) return parseBottle(file, read.text, options);
  const hint = read.fault === 'missing' ? 'name another with -f FILE' : undefined;
  return { ok: false, problems: [problemOf(file, read.reason, hint)] };
}

/** As {@link loadBottle}, of a text that is at hand; messages name it `file`, and relative paths count from its directory. */
export async function parseBottle(file: string, text: string, options: BottleOptions): Promise<LoadedBottle> {
  const yaml = await readYaml(text);
  if (!yaml.ok) return { ok: false, problems: placed(yaml.findings, file, text) };
  const root = yaml.root.kind === 'map' ? ownKeys(yaml.root) : yaml.root;
  const value = toValue(root, AS_WRITTEN);
  const shape = checkShape(bottleSchema, value, root, WORDS);
  const findings = [...yaml.findings];
  const path = resolve(file);
  const around = { file: path, output: resolve(options.output ?? dirname(path)) };
  findings.push(...first(shape.ok ? faultsOf(shape.value, root, around, options.engine) : shape.findings));
  if (!shape.ok || findings.length > 0) {
    return { ok: false, problems: capped(placed(findings, file, text), file) };
  }
  const warnings = [...warningsOf(shape.value, options.engine)].map((fault) => findingOf(root, fault));
  return { ok: true, bottle: shape.value, written: recordOf(value), warnings: placed(warnings, file, text) };
}

/** Keys whose scalars are taken as they are written: `VERSION: 1.10` stays "1.10". */
const AS_WRITTEN: ReadonlySet<string> = new Set(['environment', 'driver_opts']);

function* faultsOf(bottle: Bottle, root: Node, around: Surroundings, engine: Engine): Generator<Finding> {
  yield* sectionFaults(bottle, root);
  for (const fault of crossFaults(bottle, around, engine)) yield findingOf(root, fault);
}

function* crossFaults(bottle: Bottle, around: Surroundings, engine: Engine): Generator<Fault> {
  yield* secretFaults(bottle);
  yield* toolFaults(bottle);
  yield* variableFaults(bottle);
  yield* modelFaults(bottle);
  yield* mountFaults(bottle, around);
  yield* engineFaults(bottle, engine);
}

function* warningsOf(bottle: Bottle, engine: Engine): Generator<Fault> {
  yield* sectionWarnings(bottle);
  yield* secretWarnings(bottle);
  yield* toolWarnings(bottle);
  yield* variableWarnings(bottle);
  yield* modelWarnings(bottle);
  yield* engineWarnings(bottle, engine);
}

function recordOf(value: unknown): WrittenBottle {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

const WORDS: Words = { unknownKey, isPrivate };

/** Where someone may have written a credential itself instead of its name. */
function isPrivate(path: Path): boolean {
  if (path[0] === 'agent' || path[0] === 'sidecars') return path[1] === 'environment';
  if (path[0] === 'egress') return path[3] === 'token_env' || path[3] === 'auth_scheme';
  if (path[0] === 'git') return path[3] === 'token' || path[3] === 'identity';
  if (path[0] === 'mcp') return path[3] === 'environment';
  if (path[0] === 'model') return path[1] === 'environment' || path[1] === 'token';
  return path[0] === 'secrets';
}

/** What to say of keys that Compose has and a bottle has not. */
function unknownKey(path: Path, key: string): Pick<Finding, 'message' | 'hint'> | undefined {
  const [section] = path;
  if (path.length === 0 && key === 'daemons') {
    return { message: 'is a key of a bundle, the file of one container', hint: 'bottled check FILE checks it' };
  }
  if (path.length === 0 && key === 'services') {
    return {
      message: 'is a key of a Compose file, which is rendered from this one',
      hint: 'write agent: and sidecars:',
    };
  }
  if (path.length !== 1 || (section !== 'agent' && section !== 'sidecars')) return undefined;
  return Object.hasOwn(COMPOSE_KEYS, key) ? COMPOSE_KEYS[key] : undefined;
}

const GUARD = { message: 'is not a setting: it is one of the guards that the renderer puts in', hint: 'leave it out' };
const NO_WAY_IN = { message: 'is not a setting: nobody reaches a bottle from outside', hint: 'leave it out' };

const COMPOSE_KEYS: Readonly<Record<string, Pick<Finding, 'message' | 'hint'>>> = {
  cap_add: GUARD,
  cap_drop: GUARD,
  dns: GUARD,
  extra_hosts: GUARD,
  network_mode: GUARD,
  networks: GUARD,
  pid: GUARD,
  privileged: GUARD,
  security_opt: GUARD,
  devices: GUARD,
  ports: NO_WAY_IN,
  expose: NO_WAY_IN,
  depends_on: GUARD,
  build: { message: 'is not a setting', hint: 'build the image first and name it under image' },
  env_file: { message: 'is not a setting', hint: 'write the variables under environment; credentials under "secrets"' },
  secrets: { message: 'is not a setting here', hint: 'write them at the top: each reaches the daemon that uses it' },
};
