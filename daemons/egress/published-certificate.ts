import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Name of the file in the directory that agents mount. */
const NAME = 'certificate.pem';

/**
 * Puts the certificate that agents are to trust into a directory that holds nothing else, readable by all, as `certificate.pem`: whole or not at
 * all, and only where it is not there already. Throws an error of one line.
 */
export async function publishCertificate(directory: string, pem: string): Promise<void> {
  const file = join(directory, NAME);
  const draft = join(directory, `.${NAME}.draft`);
  try {
    if ((await published(file)) === pem) return;
    // Left over where an earlier start was killed.
    await rm(draft, { force: true });
    await writeFile(draft, pem, { flag: 'wx', mode: 0o644 });
    // The umask must not decide who can read it.
    await chmod(draft, 0o644);
    await rename(draft, file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `EGRESS_CERTIFICATE_DIRECTORY: the certificate cannot be put into ${directory}: ${reason}; without it no agent can trust egress`,
      { cause },
    );
  }
}

/** What is there now; undefined where nothing is. */
async function published(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
