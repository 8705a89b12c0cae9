import { join } from 'node:path';
import { readTextFile } from '../../config/files.ts';
import { writeKnownSecrets } from '../known-secrets/file.ts';
import { fingerprintsOf } from '../known-secrets/fingerprints.ts';
import type { NamedSecret } from '../known-secrets/forms.ts';
import type { GateConfig, Repo } from './config/load.ts';
import type { Settings } from './settings.ts';

/** The fingerprints of what this daemon itself holds: its own credentials do not leave through it either. */
export function ownSecretsFile(settings: Pick<Settings, 'data'>): string {
  return join(settings.data, 'known-secrets.json');
}

/** Writes them anew. Names the secrets that could not be read. Rejects on a full disk. */
export async function writeOwnSecrets(settings: Settings, config: GateConfig): Promise<readonly string[]> {
  const secrets: NamedSecret[] = [];
  const unread: string[] = [];
  for (const name of new Set([...config.repos.values()].flatMap(secretsOf))) {
    const file = readTextFile(join(settings.credentials ?? '/nonexistent', name));
    if (file.ok) secrets.push({ name, value: file.text.trim() });
    else unread.push(`${name} ${file.reason}`);
  }
  await writeKnownSecrets(ownSecretsFile(settings), fingerprintsOf(secrets), 0o600);
  return unread;
}

function secretsOf({ access }: Repo): readonly string[] {
  const name = access.kind === 'ssh' ? access.identity : access.kind === 'https' ? access.token : undefined;
  return name === undefined ? [] : [name];
}
