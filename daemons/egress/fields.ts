import { endToEnd, firstValue, type RawHeaders, without } from '../http/headers.ts';
import type { Allowed, Question, Refused } from './verdict.ts';

/** What of a request decides how it leaves. */
export interface Leaving {
  readonly question: Question;
  /** Bytes of its body, `chunked` where only the end will tell, undefined without one. */
  readonly length: number | 'chunked' | undefined;
  /** The agent holds its body back until it is told to go on. */
  readonly expectsContinue: boolean;
}

/** Says who refused, where it was not the origin. Origins cannot say it. */
export const refusedBy = 'X-Refused-By';

/** What is ours to say towards the upstream, whoever wrote it before. */
const ownFields = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'upgrade',
  'expect',
]);
const notOrigins = new Set([refusedBy.toLowerCase()]);
const trailerField = new Set(['trailer']);
/** Fields that must not come after the body: they frame, route, authenticate or describe it (RFC 9110 6.5.1). */
const notTrailers = new Set([
  ...ownFields,
  'authorization',
  'cookie',
  'set-cookie',
  'trailer',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  refusedBy.toLowerCase(),
]);
/** Methods whose requests most often have no body: without one, they do not say that it is empty (RFC 9110 8.6). */
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE']);

/** What goes out before the body: what the policy let through, and the framing as it came in. */
export function fieldsOut(headers: RawHeaders, { length, expectsContinue, question }: Leaving): string[] {
  const fields = without(headers, ownFields);
  if (length === 'chunked') fields.push('Transfer-Encoding', 'chunked');
  else if (length !== undefined) fields.push('Content-Length', String(length));
  else if (!bodiless.has(question.method)) fields.push('Content-Length', '0');
  if (expectsContinue) fields.push('Expect', '100-continue');
  return fields;
}

/** What of an answer's fields reaches the agent. A list of trailers makes sense only where there is room for them. */
export function fieldsBack(rawHeaders: RawHeaders): string[] {
  let fields = endToEnd(rawHeaders);
  if (firstValue(fields, refusedBy.toLowerCase()) !== undefined) fields = without(fields, notOrigins);
  if (firstValue(fields, 'trailer') !== undefined && firstValue(fields, 'content-length') !== undefined) {
    fields = without(fields, trailerField);
  }
  return fields;
}

/** What of a request's trailers goes out, or why none may. A trailer never repeats a header, which may hold a credential. */
export function trailersOut({ trailers, headers }: Allowed, rawTrailers: RawHeaders): RawHeaders | Refused {
  if (rawTrailers.length === 0) return rawTrailers;
  const names = new Set(notTrailers);
  for (let i = 0; i < headers.length; i += 2) names.add((headers[i] ?? '').toLowerCase());
  return trailers(without(endToEnd(rawTrailers), names));
}

/** What of an answer's trailers reaches the agent. */
export function trailersBack(rawTrailers: RawHeaders): RawHeaders {
  return rawTrailers.length === 0 ? rawTrailers : without(endToEnd(rawTrailers), notTrailers);
}

export function isPlainText(headers: RawHeaders): boolean {
  return firstValue(headers, 'content-type')?.toLowerCase().startsWith('text/plain') === true;
}
