/** What the first bytes of a connection say: the server name of a TLS handshake, nothing yet, or that it is none. */
export type ServerName =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'more' }
  | { readonly kind: 'none'; readonly why: string };

/** A handshake message is at most this long; a record holds 16 KiB (RFC 8446, 5.1). */
export const MOST_HELLO_BYTES = 5 + 16 * 1024;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;

/** Reads the server name (RFC 6066, 3) out of a ClientHello (RFC 8446, 4.1.2) that lies in one record. Never throws. */
export function serverName(bytes: Buffer): ServerName {
  if (bytes.length < 5) return { kind: 'more' };
  if (bytes[0] !== HANDSHAKE || bytes[1] !== 3) return none('is not TLS');
  const length = bytes.readUInt16BE(3);
  if (length < 4 || length > 16 * 1024) return none('has a malformed handshake');
  if (bytes.length < 5 + length) return { kind: 'more' };
  try {
    return nameIn(bytes.subarray(5, 5 + length));
  } catch {
    return none('has a malformed handshake');
  }
}

function nameIn(record: Buffer): ServerName {
  const size = record.readUIntBE(1, 3);
  if (record[0] !== CLIENT_HELLO || size + 4 > record.length) return none('has a malformed handshake');
  let at = 4 + 2 + 32;
  at += 1 + record.readUInt8(at);
  at += 2 + record.readUInt16BE(at);
  at += 1 + record.readUInt8(at);
  const end = at + 2 + record.readUInt16BE(at);
  at += 2;
  while (at + 4 <= end) {
    const type = record.readUInt16BE(at);
    const length = record.readUInt16BE(at + 2);
    if (type === SERVER_NAME) {
      const nameLength = record.readUInt16BE(at + 7);
      const name = record.subarray(at + 9, at + 9 + nameLength);
      if (record[at + 6] !== 0 || name.length !== nameLength || 5 + nameLength !== length) {
        return none('has a malformed server name');
      }
      return { kind: 'name', name: name.toString('latin1').toLowerCase() };
    }
    at += 4 + length;
  }
  return none('has no server name');
}

function none(why: string): ServerName {
  return { kind: 'none', why };
}
