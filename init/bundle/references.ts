import { child, type Entry, entriesOf, type Node } from '../../config/node.ts';
import { didYouMean, type Finding, formatPath, type Path, quote, quoteAll } from '../../config/problem.ts';
import { startOrder } from './order.ts';

/** A name that the file uses for a daemon or a secret, with its place. */
export interface Reference {
  readonly name: string;
  readonly offset: number;
  readonly path: Path;
}

/** A daemon named in `depends_on`. */
export interface DependencyReference extends Reference {
  readonly condition: string;
  readonly required: boolean;
}

/**
 * What is wrong between the parts of a bundle that may each be right in shape: unknown names, cycles, conditions that
 * can never hold. Works on whatever is readable, so that these faults are told together with those of shape. Lazy: a reader who has
 * enough stops asking.
 */
export function* checkReferences(root: Node): Generator<Finding> {
  const daemons = entriesOf(child(root, 'daemons'));
  const known = new Map(daemons.map((entry) => [entry.key, entry.value]));
  const secrets = new Set(entriesOf(child(root, 'secrets')).map((entry) => entry.key));
  for (const daemon of daemons) yield* dependencyFaults(daemon, known);
  yield* cycleFaults(daemons, known);
  for (const daemon of daemons) for (const use of secretUses(daemon)) yield* unknown(use, secrets, 'secret');
  for (const daemon of daemons) yield* renamedDirectories(daemon, child(root, 'secrets'));
  for (const target of signalTargets(root)) yield* unknown(target, known, 'daemon');
  for (const target of exitCodeDaemon(root)) yield* unknown(target, known, 'daemon');
}

function* unknown(
  { name, offset, path }: Reference,
  known: ReadonlySet<string> | ReadonlyMap<string, unknown>,
  kind: 'daemon' | 'secret',
): Generator<Finding> {
  if (known.has(name)) return;
  const all = [...known.keys()];
  const listed = all.length === 0 ? `there is no ${kind} at all` : `known are ${quoteAll(all)}`;
  const hint = [didYouMean(name, all), listed].filter((part) => part !== undefined).join(' ');
  yield { offset, path: formatPath(path), message: `${quote(name)} is no ${kind} of this bundle`, hint };
}

/** The dependencies that a daemon names, in either form that Compose has. */
export function dependenciesOf(daemon: Entry): readonly DependencyReference[] {
  const node = child(daemon.value, 'depends_on');
  const path = ['daemons', daemon.key, 'depends_on'];
  const plain = namesIn(node, path).map((reference) => ({
    ...reference,
    condition: 'service_started',
    required: true,
  }));
  const long = entriesOf(node).map((entry) => ({
    name: entry.key,
    offset: entry.keyOffset,
    path: [...path, entry.key],
    condition: textOf(child(entry.value, 'condition')) ?? 'service_started',
    required: !isFalse(child(entry.value, 'required')),
  }));
  return [...plain, ...long];
}

const NEVER_COMPLETES = new Set(['always', 'unless-stopped']);

function* dependencyFaults(daemon: Entry, known: ReadonlyMap<string, Node>): Generator<Finding> {
  for (const dependency of dependenciesOf(daemon)) {
    const { name, offset, path, condition } = dependency;
    const restart = textOf(child(known.get(name), 'restart'));
    if (name === daemon.key) {
      yield { offset, path: formatPath(path), message: `${quote(name)} depends on itself` };
    } else if (
      condition === 'service_completed_successfully' &&
      restart !== undefined &&
      NEVER_COMPLETES.has(restart)
    ) {
      const message = `${quote(name)} never completes: its restart is ${quote(restart)}`;
      const hint = 'give it restart: "no" or "on-failure", or wait for service_healthy';
      yield { offset, path: formatPath(path), message, hint };
    } else yield* unknown(dependency, known, 'daemon');
  }
}

function* cycleFaults(daemons: readonly Entry[], known: ReadonlyMap<string, Node>): Generator<Finding> {
  const needs = new Map(daemons.map((daemon) => [daemon.key, dependenciesOf(daemon)]));
  const needsOf = (name: string): readonly string[] =>
    (needs.get(name) ?? []).map((dependency) => dependency.name).filter((need) => need !== name);
  for (const cycle of startOrder([...known.keys()], needsOf).cycles) {
    const [first = '', second = ''] = cycle;
    const edge = needs.get(first)?.find((dependency) => dependency.name === second);
    const path = formatPath(['daemons', first, 'depends_on']);
    yield {
      offset: edge?.offset ?? 0,
      path,
      message: `the dependencies form a cycle: ${[...cycle, first].join(' → ')}`,
      hint: 'take one of them out',
    };
  }
}

/** The secrets that a daemon uses. */
export function secretUses(daemon: Entry): readonly Reference[] {
  const node = child(daemon.value, 'secrets');
  const path = ['daemons', daemon.key, 'secrets'];
  const long = node?.kind === 'list' ? node.items : [];
  return [
    ...namesIn(node, path),
    ...long.flatMap((item, index) => namesIn(child(item, 'source'), [...path, index, 'source'])),
  ];
}

/** Each file of a directory is a secret under its own name: there is none that `target` could give it. */
function* renamedDirectories(daemon: Entry, secrets: Node | undefined): Generator<Finding> {
  const uses = child(daemon.value, 'secrets');
  for (const [index, use] of uses?.kind === 'list' ? uses.items.entries() : []) {
    const target = child(use, 'target');
    const source = textOf(child(use, 'source'));
    if (target === undefined || source === undefined) continue;
    if (child(child(secrets, source), 'directory') === undefined) continue;
    yield {
      offset: target.offset,
      path: formatPath(['daemons', daemon.key, 'secrets', index, 'target']),
      message: `${quote(source)} is a directory, whose files keep their names`,
      hint: 'leave target out',
    };
  }
}

function signalTargets(root: Node): readonly Reference[] {
  return entriesOf(child(root, 'signals')).flatMap((signal) =>
    ['signal', 'restart'].flatMap((action) => namesIn(child(signal.value, action), ['signals', signal.key, action])),
  );
}

function exitCodeDaemon(root: Node): readonly Reference[] {
  const node = child(root, 'exit_code');
  const text = textOf(node);
  if (node === undefined || text === undefined || !text.startsWith('from:')) return [];
  return [{ name: text.slice('from:'.length), offset: node.offset, path: ['exit_code'] }];
}

/** The profiles of a daemon. */
export function profilesOf(daemon: Entry): readonly string[] {
  return namesIn(child(daemon.value, 'profiles'), []).map((profile) => profile.name);
}

/** The texts of a list, or the one text, with their places. */
function namesIn(node: Node | undefined, path: Path): readonly Reference[] {
  if (node?.kind === 'list') return node.items.flatMap((item, index) => namesOf(item, [...path, index]));
  return node === undefined ? [] : namesOf(node, path);
}

function namesOf(node: Node, path: Path): readonly Reference[] {
  const name = textOf(node);
  return name === undefined ? [] : [{ name, offset: node.offset, path }];
}

function isFalse(node: Node | undefined): boolean {
  return node?.kind === 'scalar' && node.value === false;
}

/** The text that a node is; undefined where it is something else. */
export function textOf(node: Node | undefined): string | undefined {
  return node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
}
