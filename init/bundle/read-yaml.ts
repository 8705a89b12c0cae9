import type { Node } from './node.ts';
import { readPlainYaml } from './plain-yaml.ts';
import type { Finding } from './problem.ts';

/** What a YAML text holds: a tree without faults of syntax, or every fault found. */
export type YamlText =
  | { readonly ok: true; readonly root: Node; readonly findings: readonly Finding[] }
  | { readonly ok: false; readonly findings: readonly Finding[] };

/**
 * Reads one YAML document. An ordinary bundle file is read by the small reader in plain-yaml.ts; anything else is the full
 * parser's, which is loaded only then: loading it would take a tenth of the time to the first spawn. Never rejects.
 */
export async function readYaml(text: string): Promise<YamlText> {
  const plain = readPlainYaml(text);
  if (plain !== undefined) return { ok: true, root: plain, findings: [] };
  const { readAnyYaml } = await import('./yaml.ts');
  return readAnyYaml(text);
}
