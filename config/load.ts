import type * as z from 'zod/mini';
import { readTextFile } from './files.ts';
import { type Node, toValue, type YamlText } from './node.ts';
import { capped, first, placed } from './places.ts';
import { type Finding, type Problem, problemOf } from './problem.ts';
import { readYaml } from './read-yaml.ts';
import { checkShape, type Words } from './shape.ts';

/** What a configuration file says, or everything that is wrong with it. */
export type LoadedConfig<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface ConfigOptions<T> extends Words {
  /** Rules beyond the schema, asked once the schema holds: the faults of `value`, which was made of `root`. */
  readonly check?: (value: T, root: Node) => Iterable<Finding>;
}

/** Reads a YAML file of at most 1 MiB and checks it by a schema. Never rejects: what is wrong is in the result, all of it. */
export async function loadConfig<S extends z.core.$ZodType>(
  file: string,
  schema: S,
  options: ConfigOptions<z.output<S>> = {},
): Promise<LoadedConfig<z.output<S>>> {
  const read = readTextFile(file);
  if (!read.ok) return { ok: false, problems: [problemOf(file, read.reason)] };
  return checkConfig(file, read.text, await readYaml(read.text), schema, options);
}

/** As {@link loadConfig}, of a text that is at hand; messages name it `file`. */
export async function parseConfig<S extends z.core.$ZodType>(
  file: string,
  text: string,
  schema: S,
  options: ConfigOptions<z.output<S>> = {},
): Promise<LoadedConfig<z.output<S>>> {
  return checkConfig(file, text, await readYaml(text), schema, options);
}

function checkConfig<S extends z.core.$ZodType>(
  file: string,
  text: string,
  yaml: YamlText,
  schema: S,
  options: ConfigOptions<z.output<S>>,
): LoadedConfig<z.output<S>> {
  if (!yaml.ok) return { ok: false, problems: placed(yaml.findings, file, text) };
  const shape = checkShape(schema, toValue(yaml.root), yaml.root, options);
  const findings = [...yaml.findings];
  if (shape.ok) findings.push(...first(options.check?.(shape.value, yaml.root) ?? []));
  else findings.push(...first(shape.findings));
  if (!shape.ok || findings.length > 0) {
    return { ok: false, problems: capped(placed(findings, file, text), file) };
  }
  return { ok: true, value: shape.value };
}
