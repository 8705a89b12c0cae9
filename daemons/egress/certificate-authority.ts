import { generateKeyPairSync } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { readOrMakeAuthority } from './authority-store.ts';
import { createIssuer } from './certificate.ts';

/** The per-bottle authority that lets egress end an agent's TLS. */
export interface CertificateAuthority {
  /** SHA-256 of the certificate that agents trust, as `openssl x509 -fingerprint -sha256` prints it. */
  readonly fingerprint: string;
  /** The certificate that agents trust, in PEM. */
  readonly certificate: string;
  readonly certificateFile: string;
  /**
   * Key and certificate for a host: a canonical name, or an address (IPv6 without brackets). Made when first asked for, kept for
   * the hosts asked for last, made anew before it ends.
   */
  contextFor(host: string): SecureContext;
  /** The same in PEM. */
  credentialsFor(host: string): Credentials;
}

export interface Credentials {
  readonly key: string;
  readonly cert: string;
}

const hour_ms = 3_600_000;
/** Short, since nobody can revoke it; long enough that no clock in the bottle is that wrong. */
const leafLifetime_ms = 48 * hour_ms;
/** A certificate is replaced while it still has this long to go, so that no client is shown one about to end. */
const renewalMargin_ms = 12 * hour_ms;
/** Hosts kept: more than an agent talks to, and with 40 KiB each a bound on what one that makes up names can cost. */
const cachedHosts = 1000;

interface CachedContext {
  readonly credentials: Credentials;
  readonly context: SecureContext;
  readonly renewAt: number;
}

/**
 * Opens the authority in `directory` (absolute), or makes it there. Throws what `readOrMakeAuthority` throws. `clock` tells
 * milliseconds since 1970.
 */
export async function openCertificateAuthority(directory: string, clock = Date.now): Promise<CertificateAuthority> {
  const { key, certificate, certificateFile } = await readOrMakeAuthority(directory, clock());
  // One key for all leaves: a key a host would cost more and protect nothing, since all of them lie in this process.
  const { privateKey: leafKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leafKeyPem = leafKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const issuer = createIssuer(commonNameOf(certificate.subject), key, leafKey);
  const authorityEnd = certificate.validToDate.getTime();
  const cache = new Map<string, CachedContext>();

  const make = (host: string, now: number): CachedContext => {
    const notAfter = Math.min(now + leafLifetime_ms, authorityEnd);
    const cert = issuer.serverCertificate({
      host,
      address: addressBytes(host),
      commonName: host,
      notBefore: new Date(now - hour_ms),
      notAfter: new Date(notAfter),
    });
    const credentials = { key: leafKeyPem, cert };
    const context = createSecureContext({ ...credentials, minVersion: 'TLSv1.2' });
    return { credentials, context, renewAt: notAfter - renewalMargin_ms };
  };

  const entryFor = (host: string): CachedContext => {
    const now = clock();
    let entry = cache.get(host);
    if (entry !== undefined) cache.delete(host);
    if (entry === undefined || entry.renewAt <= now) entry = make(host, now);
    cache.set(host, entry);
    if (cache.size > cachedHosts) {
      const [oldest] = cache.keys();
      if (oldest !== undefined) cache.delete(oldest);
    }
    return entry;
  };

  return {
    fingerprint: certificate.fingerprint256,
    certificate: certificate.toString(),
    certificateFile,
    contextFor: (host) => entryFor(host).context,
    credentialsFor: (host) => entryFor(host).credentials,
  };
}

/** The one name in a subject of ours: `CN=…`. */
function commonNameOf(subject: string): string {
  return subject.replace(/^CN=/, '');
}

function addressBytes(host: string): Uint8Array | undefined {
  if (isIPv6(host)) return ipv6Bytes(host);
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return Buffer.from(host.split('.').map(Number));
  return undefined;
}

/** 16 bytes of an address that `isIPv6` took and that was written in RFC 5952's canonical form, possibly with a dotted tail. */
function ipv6Bytes(host: string): Uint8Array {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  const text =
    dotted === null
      ? host
      : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [left = '', right] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0');
  const bytes = Buffer.alloc(16);
  [...head, ...zeros, ...tail].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  });
  return bytes;
}
