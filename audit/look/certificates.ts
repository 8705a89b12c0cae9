import { X509Certificate } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { readTextFile } from '../../config/files.ts';
import type { Bundle, DaemonSpec } from '../../init/bundle/schema.ts';
import type { CertificateFacts } from '../certificates.ts';
import { askJson, askText, textIn } from './http.ts';

/** The authority of egress, and the copy of its certificate that agents mount. */
export async function lookAtCertificates({ daemons }: Bundle): Promise<readonly CertificateFacts[]> {
  const found = Object.entries(daemons).map(async ([daemon, { environment, healthcheck }]) => {
    const { EGRESS_DATA: data, EGRESS_CERTIFICATE_DIRECTORY: published } = environment;
    if (!data) return [];
    const files = [join(data, 'ca', 'certificate.pem'), ...(published ? [join(published, 'certificate.pem')] : [])];
    const health = healthcheck?.http === undefined ? undefined : await askJson(healthcheck.http);
    const inForce = textIn(health, 'ca_sha256')?.replaceAll(':', '').toLowerCase();
    const facts = files.map((file) => ({ daemon, file, found: lookAt(file), inForce }));
    return Promise.all(
      facts.map(async (one) => (one.found.kind === 'unknown' ? { ...one, ...(await inUse(healthcheck)) } : one)),
    );
  });
  return (await Promise.all(found)).flat();
}

/** egress shows the certificate that it goes by, also to who may not read its directory; nothing where it does not answer. */
async function inUse(healthcheck: DaemonSpec['healthcheck']): Promise<Pick<CertificateFacts, 'found'> | undefined> {
  if (healthcheck?.http === undefined) return undefined;
  const { host, port } = healthcheck.http;
  const headers = { host: 'egress.internal' };
  const pem = await askText({ host, port, path: 'http://egress.internal/ca.pem', headers });
  const found = pem === undefined ? undefined : read(pem);
  return found === undefined ? undefined : { found };
}

/** Whose directory it is could put anything there: only a regular file is read, of at most 1 MiB. */
function lookAt(file: string): CertificateFacts['found'] {
  const text = readTextFile(file);
  if (text.ok) return read(text.text) ?? { kind: 'invalid' };
  if (text.fault === 'missing') return { kind: 'absent' };
  return isOther(file) ? { kind: 'invalid' } : { kind: 'unknown', reason: text.reason };
}

/** It can be seen, and holds no text or is no file at all. */
function isOther(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function read(pem: string): CertificateFacts['found'] | undefined {
  try {
    const { validToDate, fingerprint256 } = new X509Certificate(pem);
    const sha256 = fingerprint256.replaceAll(':', '').toLowerCase();
    return { kind: 'certificate', validTo: validToDate.getTime(), sha256 };
  } catch {
    return undefined;
  }
}
