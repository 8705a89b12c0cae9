import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { chmod, link, lstat, mkdir, open, readFile, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { authorityCertificate } from './certificate.ts';

/** The key and certificate of a bottle's authority, as they lie in its data directory. */
export interface StoredAuthority {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  /** What agents are to trust: `certificate.pem`, readable by all who can enter the directory. */
  readonly certificateFile: string;
}

const keyName = 'key.pem';
const certificateName = 'certificate.pem';

const hour_ms = 3_600_000;
/** Longer than any bottle lives: an authority that ends takes every connection of its agent with it. */
const lifetime_ms = 10 * 365 * 24 * hour_ms;

/**
 * Reads a bottle's authority from `directory`, or makes it there, once, whoever comes first. The path is absolute and the
 * caller's: neither HOME nor the working directory has a say. Throws an error of one line that names the file and the remedy where
 * the key is readable by others, belongs to someone else, does not fit the certificate, or the certificate is over.
 */
export async function readOrMakeAuthority(directory: string, now = Date.now()): Promise<StoredAuthority> {
  if (!isAbsolute(directory)) {
    throw new Error(
      `the authority's directory '${directory}' is not absolute; give the whole path, e.g. /var/lib/bottled/egress/ca`,
    );
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await refuseOpenDirectory(directory);
  const keyFile = join(directory, keyName);
  const certificateFile = join(directory, certificateName);
  const key = await readKey(keyFile, certificateFile);
  if (!(await exists(certificateFile))) await writeOnce(certificateFile, newCertificate(key, now), 0o644);
  const certificate = await readCertificate(certificateFile);
  if (!certificate.checkPrivateKey(key)) {
    throw new Error(
      `${keyFile} does not fit ${certificateFile}; restore the pair, or remove both to make a new authority`,
    );
  }
  if (!certificate.ca || certificate.validToDate.getTime() <= now) {
    throw new Error(
      `${certificateFile} is not a valid authority any more; remove it to have it made anew from the same key`,
    );
  }
  return { key, certificate, certificateFile };
}

async function refuseOpenDirectory(directory: string): Promise<void> {
  const { mode, uid } = await lstat(directory);
  if ((mode & 0o022) !== 0) {
    throw new Error(
      `${directory} can be written by others (mode ${octal(mode)}), who could put their own key there; chmod 0700 it`,
    );
  }
  refuseStranger(directory, uid);
}

async function readKey(keyFile: string, certificateFile: string): Promise<KeyObject> {
  if (!(await exists(keyFile))) {
    if (await exists(certificateFile)) {
      throw new Error(
        `${keyFile} is missing but ${certificateFile} is there; restore the key, or remove both to make a new authority`,
      );
    }
    await writeOnce(keyFile, newKey(), 0o600);
  }
  const { mode, uid } = await lstatFile(keyFile);
  if ((mode & 0o077) !== 0) {
    throw new Error(
      `${keyFile} can be read by others (mode ${octal(mode)}); it may be known: remove it with its certificate, or chmod 0600 it`,
    );
  }
  refuseStranger(keyFile, uid);
  const text = await readFile(keyFile);
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Falls through to the one message for all that is no key of ours; the parser's own could quote the file.
  }
  throw new Error(
    `${keyFile} is not a P-256 private key in PEM; restore it, or remove it with its certificate to make a new authority`,
  );
}

async function readCertificate(file: string): Promise<X509Certificate> {
  await lstatFile(file);
  const text = await readFile(file);
  try {
    return new X509Certificate(text);
  } catch {
    throw new Error(`${file} is not a certificate in PEM; remove it to have it made anew from the key`);
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function newCertificate(key: KeyObject, now: number): string {
  const commonName = `bottled egress ${randomBytes(4).toString('hex')}`;
  return authorityCertificate(
    { commonName, notBefore: new Date(now - hour_ms), notAfter: new Date(now + lifetime_ms) },
    key,
  );
}

/** Creates a file whole or not at all, and leaves the one that somebody else created first. */
async function writeOnce(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.draft`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await chmod(draft, mode);
    await link(draft, file);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function lstatFile(file: string): Promise<{ mode: number; uid: number }> {
  const stats = await lstat(file);
  if (!stats.isFile()) throw new Error(`${file} is not a regular file; remove it`);
  return stats;
}

function refuseStranger(file: string, uid: number): void {
  const own = process.geteuid?.();
  if (own !== undefined && uid !== own && uid !== 0) {
    throw new Error(`${file} belongs to user ${uid}, not to this daemon's user ${own}; chown it`);
  }
}

function octal(mode: number): string {
  return `0${(mode & 0o777).toString(8)}`;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
