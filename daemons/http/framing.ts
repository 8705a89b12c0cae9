import { firstValue, type RawHeaders } from './headers.ts';

/** The part of a message that says where its body ends: an `IncomingMessage` is one. */
export interface Framed {
  /** `1.0` or `1.1`. */
  readonly httpVersion: string;
  readonly rawHeaders: RawHeaders;
}

/** Fields that every recipient needs: a sender that names them in Connection wants two hops to read the message differently. */
const never = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'authorization',
  'cookie',
  'expect',
]);

/**
 * Why a request must not be passed on although it parsed: two servers could disagree on where it ends or whom it is for
 * (RFC 9112 3.2, 6.1 to 6.3, 11.2). Undefined where there is nothing to object to. Node's parser, with its insecure mode off, has
 * refused the rest: obs-fold, bare CR or LF, a space before the colon, NUL and other control characters, repeated or odd
 * Content-Length, Content-Length beside Transfer-Encoding, chunked that is not last.
 */
export function requestFramingFault(message: Framed): string | undefined {
  if (message.httpVersion !== '1.1' && message.httpVersion !== '1.0') {
    return `HTTP/${message.httpVersion} is not spoken here; use HTTP/1.1`;
  }
  let hosts = 0;
  const { rawHeaders } = message;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name === undefined) continue;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
    if (name.length === 10 && name.toLowerCase() === 'connection') {
      const named = (rawHeaders[i + 1] ?? '').split(',').map((option) => option.trim().toLowerCase());
      const misused = named.find((option) => never.has(option));
      if (misused !== undefined) return `Connection names ${misused}, which is not a field of one connection`;
    }
  }
  if (hosts > 1) return 'more than one Host header';
  if (hosts === 0 && message.httpVersion === '1.1') return 'no Host header';
  return bodyFault(message);
}

/** The same for an answer: what comes back as a reason is a 502 (RFC 9112 6.3). */
export function responseFramingFault(message: Framed): string | undefined {
  return bodyFault(message);
}

/** Why it is not clear where a body ends. HTTP/2 ends bodies by itself, but what leaves as HTTP/1.1 has to be sound there. */
export function bodyFault({ httpVersion, rawHeaders }: Framed): string | undefined {
  let encodings = 0;
  let encoding = '';
  let lengths = 0;
  let length = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name === undefined) continue;
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      encodings += 1;
      encoding = rawHeaders[i + 1] ?? '';
    } else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      lengths += 1;
      length = rawHeaders[i + 1] ?? '';
    }
  }
  if (encodings > 0) {
    if (lengths > 0) return 'both Content-Length and Transfer-Encoding';
    if (encodings > 1 || encoding.toLowerCase() !== 'chunked') return 'a Transfer-Encoding other than chunked';
    if (httpVersion === '1.0') return 'Transfer-Encoding in HTTP/1.0';
  }
  if (lengths > 1) return 'more than one Content-Length header';
  if (lengths === 1 && !/^\d{1,15}$/.test(length)) return 'a Content-Length that is not a number';
  return undefined;
}

/** How long a body is going to be: bytes, `chunked` where only its end will tell, undefined where there is none. For messages without a framing fault. */
export function bodyLength(headers: RawHeaders): number | 'chunked' | undefined {
  const length = firstValue(headers, 'content-length');
  if (length !== undefined) return Number(length);
  return firstValue(headers, 'transfer-encoding') === undefined ? undefined : 'chunked';
}
