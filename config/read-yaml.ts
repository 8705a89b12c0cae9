import type { YamlText } from './node.ts';
import { readPlainYaml } from './plain-yaml.ts';

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
