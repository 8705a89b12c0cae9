import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';

/** Whose certificate it is and for how long. */
export interface Subject {
  readonly commonName: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A server, named as RFC 9110 4.3.4 wants it: in the subject's alternative name. `host` is canonical, IPv6 without brackets. */
export interface Server extends Subject {
  readonly host: string;
  /** 4 or 16 bytes where the host is an address, else undefined. */
  readonly address: Uint8Array | undefined;
}

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
const digitalSignature = bitString(Buffer.from([0x80]), 1);
const keyCertSignAndCrlSign = bitString(Buffer.from([0x06]), 7);
const serverAuth = objectIdentifier('1.3.6.1.5.5.7.3.1');

/** A certificate authority that signs its own certificate and servers below it, no other authority (RFC 5280 4.2.1.9). PEM. */
export function authorityCertificate(subject: Subject, privateKey: KeyObject): string {
  const publicKey = subjectPublicKeyInfo(privateKey);
  const issuer = distinguishedName(subject.commonName);
  const identifier = keyIdentifier(publicKey);
  return certificate(privateKey, issuer, subject, issuer, publicKey, [
    extension('2.5.29.19', true, sequence(boolean(true), integer(Buffer.from([0])))),
    extension('2.5.29.15', true, keyCertSignAndCrlSign),
    extension('2.5.29.14', false, octetString(identifier)),
  ]);
}

/** What makes servers' certificates: the issuer's name and key, with what repeats in each of them worked out once. */
export interface Issuer {
  /** The certificate of a server, signed by this issuer. PEM. */
  serverCertificate(server: Server): string;
}

/** Makes an issuer. `leafKey` is the key that all servers share. `commonName` is the one in the authority's certificate. */
export function createIssuer(commonName: string, authorityKey: KeyObject, leafKey: KeyObject): Issuer {
  const issuer = distinguishedName(commonName);
  const publicKey = subjectPublicKeyInfo(leafKey);
  const shared = [
    extension('2.5.29.19', true, sequence()),
    extension('2.5.29.15', true, digitalSignature),
    extension('2.5.29.37', false, sequence(serverAuth)),
    extension('2.5.29.14', false, octetString(keyIdentifier(publicKey))),
    extension('2.5.29.35', false, sequence(implicit(0, keyIdentifier(subjectPublicKeyInfo(authorityKey))))),
  ];
  return {
    serverCertificate(server) {
      const name =
        server.address === undefined ? implicit(2, Buffer.from(server.host, 'latin1')) : implicit(7, server.address);
      // A common name holds 64 characters (RFC 5280, ub-common-name); a longer host stands in the alternative name only.
      const isNamed = server.host.length <= 64;
      const subject = isNamed ? distinguishedName(server.commonName) : sequence();
      return certificate(authorityKey, issuer, server, subject, publicKey, [
        ...shared,
        extension('2.5.29.17', !isNamed, sequence(name)),
      ]);
    },
  };
}

function certificate(
  signer: KeyObject,
  issuer: Buffer,
  { notBefore, notAfter }: Subject,
  subject: Buffer,
  publicKey: Buffer,
  extensions: Buffer[],
): string {
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    ecdsaWithSha256,
    issuer,
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey,
    explicit(3, sequence(...extensions)),
  );
  const signature = sign('sha256', toBeSigned, signer);
  return pem(sequence(toBeSigned, ecdsaWithSha256, bitString(signature)));
}

/** 127 random bits, never zero: more than the 64 that guard against a forged prefix, fewer than the 20 octets allowed (RFC 5280 4.1.2.2). */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))));
}

function extension(identifier: string, isCritical: boolean, value: Buffer): Buffer {
  const flag = isCritical ? [boolean(true)] : [];
  return sequence(objectIdentifier(identifier), ...flag, octetString(value));
}

function subjectPublicKeyInfo(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

/** RFC 5280 4.2.1.2, method (1), of the whole key info: any value that is unique to the key serves. */
function keyIdentifier(publicKey: Buffer): Buffer {
  return createHash('sha1').update(publicKey).digest();
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
