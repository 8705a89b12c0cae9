import { type FileText, readTextFile } from '../../config/files.ts';
import { child, entriesOf, type Node, ownKeys, toValue, type YamlText } from '../../config/node.ts';
import { capped, first, placed } from '../../config/places.ts';
import { type Finding, formatPath, type Path, type Problem, problemOf } from '../../config/problem.ts';
import { readYaml } from '../../config/read-yaml.ts';
import { checkShape } from '../../config/shape.ts';
import { AS_WRITTEN, BUNDLE_WORDS } from './bundle-words.ts';
import { directoryOf, readFileReferences } from './file-references.ts';
import { interpolateTree, type Variables } from './interpolate.ts';
import { checkReferences } from './references.ts';
import { type Bundle, bundleSchema } from './schema.ts';
import { select, wishOf } from './selection.ts';
import { settle } from './settle.ts';
import { warningsOf } from './warnings.ts';

/** A bundle that can run, or everything that keeps it from that. */
export type Loaded =
  | {
      readonly ok: true;
      readonly bundle: Bundle;
      readonly warnings: readonly Problem[];
      /** The file as it was read. */
      readonly text: string;
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface LoadOptions {
  /** As messages are to name it. Relative paths within count from its directory. */
  readonly file: string;
  /** The init's own environment: for interpolation, variables without a value, profiles and `BOTTLED_DAEMONS`. */
  readonly environment: Variables;
  /** Daemons to run; without it `BOTTLED_DAEMONS` decides, then the profiles. */
  readonly only?: readonly string[] | undefined;
  /** false: a secret that cannot be had is no fault, since nothing is to be started. Default true. */
  readonly needsSecrets?: boolean;
}

export interface CheckOptions extends LoadOptions {
  /** Reads an env file or a secret, by absolute path. */
  readonly readFile: (path: string) => FileText;
}

/** Reads and checks a bundle file, of at most 1 MiB. Never rejects: what is wrong is in the result, all of it. */
export async function loadBundle(options: LoadOptions): Promise<Loaded> {
  const file = readTextFile(options.file);
  if (file.ok) return checkBundle(file.text, await readYaml(file.text), { ...options, readFile: readTextFile });
  const hint = file.fault === 'missing' ? 'name another with -f FILE' : undefined;
  return { ok: false, problems: [problemOf(options.file, file.reason, hint)] };
}

/** Checks what a bundle file holds; `yaml` was read from `text`. Reads what it names by `readFile` only. Never throws. */
export function checkBundle(text: string, yaml: YamlText, options: CheckOptions): Loaded {
  const { file, environment } = options;
  if (!yaml.ok) return { ok: false, problems: placed(yaml.findings, file, text) };
  if (yaml.root.kind === 'scalar' && yaml.root.value === null && yaml.findings.length === 0) {
    return { ok: false, problems: [problemOf(file, 'is empty', 'name at least one daemon under "daemons:"')] };
  }
  const findings: Finding[] = [...yaml.findings];
  const own = withoutExtensions(yaml.root);
  const root = text.includes('$') ? interpolateTree(own, environment, findings) : own;
  if (holdsNul(root)) findings.push(...first(nulCharacters(root, [])));
  const shape = checkShape(bundleSchema, toValue(root, AS_WRITTEN), root, BUNDLE_WORDS);
  if (!shape.ok) findings.push(...first(notYetFound(shape.findings, findings)));
  findings.push(...first(checkReferences(root)));
  const daemons = entriesOf(child(root, 'daemons'));
  const selection = select(daemons, wishOf(options.only, environment), environment);
  const selected = daemons.filter((entry) => selection.names.has(entry.key));
  const { readFile, needsSecrets = true } = options;
  const around = { directory: directoryOf(file), environment, readFile, needsSecrets };
  const files = readFileReferences(root, selected, around);
  const problems = [...placed([...findings, ...files.findings], file, text), ...files.problems, ...selection.problems];
  if (!shape.ok || problems.length > 0) return { ok: false, problems: capped(problems, file) };
  const place = { ...around, selected: selection.names, variables: files.variables };
  const warnings = placed(warningsOf(shape.value, root, place), file, text);
  return { ok: true, bundle: settle(shape.value, place), warnings, text };
}

/** Keys that begin with `x-` are the author's own, at the top and in a daemon, as in Compose. */
function withoutExtensions(root: Node): Node {
  if (root.kind !== 'map') return root;
  const top = ownKeys(root);
  const entries = top.entries.map((entry) => {
    if (entry.key !== 'daemons' || entry.value.kind !== 'map') return entry;
    const daemons = entry.value.entries.map((daemon) =>
      daemon.value.kind === 'map' ? { ...daemon, value: ownKeys(daemon.value) } : daemon,
    );
    return { ...entry, value: { ...entry.value, entries: daemons } };
  });
  return { ...top, entries };
}

function holdsNul(node: Node): boolean {
  if (node.kind === 'scalar') return node.text.includes('\0');
  if (node.kind === 'list') return node.items.some(holdsNul);
  return node.entries.some((entry) => entry.key.includes('\0') || holdsNul(entry.value));
}

/** execve(2) ends every text at a NUL. */
function* nulCharacters(node: Node, path: Path): Generator<Finding> {
  if (node.kind === 'list') {
    for (const [index, item] of node.items.entries()) yield* nulCharacters(item, [...path, index]);
  } else if (node.kind === 'map') {
    for (const { key, keyOffset, value } of node.entries) {
      if (key.includes('\0')) yield { offset: keyOffset, path: formatPath(path), message: HOLDS_NUL };
      yield* nulCharacters(value, [...path, key]);
    }
  } else if (node.text.includes('\0')) yield { offset: node.offset, path: formatPath(path), message: HOLDS_NUL };
}

const HOLDS_NUL = 'holds a NUL character, which no program can be given';

/** What failed already at a place fails there again for no new reason. */
function* notYetFound(more: Iterable<Finding>, found: readonly Finding[]): Generator<Finding> {
  const places = new Set(found.map((finding) => finding.offset));
  for (const finding of more) if (!places.has(finding.offset)) yield finding;
}
