import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeKnownSecrets } from '../known-secrets/file.ts';
import { fingerprintsOf } from '../known-secrets/fingerprints.ts';
import type { NamedSecret } from '../known-secrets/forms.ts';
import type { Settings } from './settings.ts';

/** Tells the daemons that scan what to look for. Their users differ from ours, so that they can read the fingerprints and nothing else. */
export interface SecretFiles {
  /** Rejects with a sentence where a file cannot be written. */
  publish(secrets: readonly NamedSecret[]): Promise<void>;
  /**
   * From now on pipelock does not look for this credential: the operator lets it pass somewhere, and where that is only egress knows, which
   * looks at every request before pipelock does. Holds until egress ends. Rejects as `publish` does.
   */
  pass(credential: string): Promise<void>;
}

export function createSecretFiles({
  knownSecretsFile,
  pipelockSecretsFile,
}: Pick<Settings, 'knownSecretsFile' | 'pipelockSecretsFile'>): SecretFiles {
  const passing = new Set<string>();
  let current: readonly NamedSecret[] = [];
  const forPipelock = (): Promise<void> =>
    write(
      current.filter(({ name }) => !passing.has(name)),
      pipelockSecretsFile,
    );
  return {
    async publish(secrets) {
      current = secrets;
      await write(secrets, knownSecretsFile);
      await forPipelock();
    },
    async pass(credential) {
      if (passing.has(credential)) return;
      passing.add(credential);
      try {
        await forPipelock();
      } catch (error) {
        passing.delete(credential);
        throw error;
      }
    },
  };
}

async function write(secrets: readonly NamedSecret[], file: string | undefined): Promise<void> {
  if (file === undefined) return;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeKnownSecrets(file, fingerprintsOf(secrets));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the fingerprints of the credentials cannot be written: ${reason}`, { cause });
  }
}
