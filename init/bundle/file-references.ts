import { dirname, resolve } from 'node:path';
import type { FileText } from '../../config/files.ts';
import { child, type Entry, entriesOf, type Node } from '../../config/node.ts';
import { type Finding, formatPath, type Path, type Problem, quote } from '../../config/problem.ts';
import { parseEnvFile, parseRawEnvFile } from './env-file.ts';
import type { Variables } from './interpolate.ts';
import { secretUses, textOf } from './references.ts';

/** Where relative paths of a bundle start, and how its files are read. */
export interface Surroundings {
  /** Absolute. */
  readonly directory: string;
  readonly environment: Variables;
  readonly readFile: (path: string) => FileText;
  /** Whether it is a fault where a secret cannot be had. */
  readonly needsSecrets: boolean;
}

/** The directory from which the relative paths of a bundle file count: its own. */
export function directoryOf(file: string): string {
  return dirname(resolve(file));
}

/** What the files that a bundle names hold, and what is wrong with them: in the bundle file, or in the named one. */
export interface FileReferences {
  /** Variables of the `env_file`s, by daemon; a later file wins. */
  readonly variables: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly findings: readonly Finding[];
  readonly problems: readonly Problem[];
}

/** Reads the `env_file`s of these daemons, and looks whether their secrets can be had. Values go into no message. */
export function readFileReferences(root: Node, daemons: readonly Entry[], around: Surroundings): FileReferences {
  const findings: Finding[] = [];
  const problems: Problem[] = [];
  const variables = new Map<string, ReadonlyMap<string, string>>();
  for (const daemon of daemons) {
    const merged = new Map<string, string>();
    for (const file of envFilesOf(daemon)) {
      for (const [name, value] of readEnvFile(file, around, findings, problems)) merged.set(name, value);
    }
    variables.set(daemon.key, merged);
  }
  if (!around.needsSecrets) return { variables, findings, problems };
  const used = new Set(daemons.flatMap(secretUses).map((use) => use.name));
  for (const secret of entriesOf(child(root, 'secrets'))) {
    if (used.has(secret.key)) findings.push(...secretFaults(secret, around));
  }
  return { variables, findings, problems };
}

interface EnvFileReference {
  readonly written: string;
  readonly required: boolean;
  readonly raw: boolean;
  readonly offset: number;
  readonly path: Path;
}

function envFilesOf(daemon: Entry): readonly EnvFileReference[] {
  const node = child(daemon.value, 'env_file');
  const path = ['daemons', daemon.key, 'env_file'];
  if (node?.kind === 'list') return node.items.flatMap((item, index) => envFileOf(item, [...path, index]));
  return node === undefined ? [] : envFileOf(node, path);
}

function envFileOf(node: Node, path: Path): readonly EnvFileReference[] {
  const named = node.kind === 'map' ? child(node, 'path') : node;
  const written = textOf(named);
  if (named === undefined || written === undefined) return [];
  const required = child(node, 'required');
  return [
    {
      written,
      required: !(required?.kind === 'scalar' && required.value === false),
      raw: textOf(child(node, 'format')) === 'raw',
      offset: named.offset,
      path,
    },
  ];
}

function readEnvFile(
  { written, required, raw, offset, path }: EnvFileReference,
  around: Surroundings,
  findings: Finding[],
  problems: Problem[],
): ReadonlyMap<string, string> {
  const none = new Map<string, string>();
  const file = around.readFile(resolve(around.directory, written));
  if (!file.ok) {
    if (required || file.fault !== 'missing') {
      findings.push({ offset, path: formatPath(path), message: `the file ${quote(written)} ${file.reason}` });
    }
    return none;
  }
  const parsed = raw ? parseRawEnvFile(file.text) : parseEnvFile(file.text, around.environment);
  if (parsed.ok) return parsed.variables;
  problems.push({ file: written, line: parsed.line, column: 1, path: '', message: parsed.message });
  return none;
}

function secretFaults(secret: Entry, around: Surroundings): readonly Finding[] {
  const file = child(secret.value, 'file');
  const written = textOf(file);
  if (file !== undefined && written !== undefined) {
    const read = around.readFile(resolve(around.directory, written));
    if (read.ok || read.fault === 'not-text') return [];
    const path = formatPath(['secrets', secret.key, 'file']);
    return [{ offset: file.offset, path, message: `the file ${quote(written)} ${read.reason}` }];
  }
  const variable = child(secret.value, 'environment');
  const name = textOf(variable);
  if (variable === undefined || name === undefined || around.environment[name] !== undefined) return [];
  const path = formatPath(['secrets', secret.key, 'environment']);
  const hint = `set ${name} in the environment of bottled`;
  return [{ offset: variable.offset, path, message: `the variable ${quote(name)} is not set`, hint }];
}
