import { once } from 'node:events';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestOverTls } from 'node:https';
import * as z from 'zod/mini';
import { printable } from '../text/printable.ts';
import { SidecarLlmError } from './fault.ts';
import { NotYet } from './patience.ts';

/** One request to the API. */
export interface Exchange {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly apiKey: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

/** What a server that starts, or a proxy in front of one, says for a while: RFC 9110 section 15.6, RFC 6585 section 4. */
const WARMING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** What is said by connections to a host that comes, goes, or is not there yet: errno(3), getaddrinfo(3). */
const TRANSIENT: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** Of what a server says about an error, in bytes. */
const MOST_ERROR_BYTES = 16 * 1024;
const LONGEST_RETRY_AFTER_S = 24 * 3600;

/** Sends a request; the head of a 200 is the result. Rejects with {@link NotYet} where it may be tried again. */
export async function exchange({ method, url, apiKey, body, signal }: Exchange): Promise<IncomingMessage> {
  const request = (url.protocol === 'https:' ? requestOverTls : requestPlain)(url, {
    method,
    signal,
    headers: {
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${apiKey}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
  });
  const text = body === undefined ? '' : JSON.stringify(body);
  request.end(text);
  const response = await responseOf(request).catch((error: unknown) => {
    throw retryable(error);
  });
  const { statusCode = 0 } = response;
  if (statusCode === 200) return response;
  if (WARMING.has(statusCode)) {
    response.destroy();
    throw new NotYet(`it answered ${statusCode}`, retryAfterOf(response));
  }
  const detail = await errorTextOf(response);
  throw new SidecarLlmError({ kind: 'refused', status: statusCode, detail });
}

async function responseOf(request: ReturnType<typeof requestPlain>): Promise<IncomingMessage> {
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response === undefined) throw new Error('no response');
  // After the head, an error of the connection is told by the response, too.
  request.on('error', () => {});
  return response;
}

/** The error of a connection, as one that may be tried again where that is so. */
export function retryable(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (TRANSIENT.has(error.code)) return new NotYet(error.code);
  // A certificate, say: it does not get better by itself.
  return new SidecarLlmError({ kind: 'unavailable', attempts: 1, last: printable(error.message) });
}

/** The body of an answer. Rejects where it is longer than `most` bytes. */
export async function bodyOf(response: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of bounded(response, most)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** The chunks of an answer, up to `most` bytes. */
export async function* bounded(response: IncomingMessage, most: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > most) throw new SidecarLlmError({ kind: 'too-large', most_bytes: most });
    yield bytes;
  }
}

const errorSchema = z.union([
  z.object({ error: z.object({ message: z.string() }) }),
  z.pipe(
    z.object({ message: z.string() }),
    z.transform(({ message }) => ({ error: { message } })),
  ),
]);

/** The message of an error as OpenAI writes it; undefined where it is none. */
export function apiErrorOf(value: unknown): string | undefined {
  const parsed = errorSchema.safeParse(value);
  return parsed.success ? printable(parsed.data.error.message) : undefined;
}

async function errorTextOf(response: IncomingMessage): Promise<string> {
  try {
    const text = await bodyOf(response, MOST_ERROR_BYTES);
    return apiErrorOf(parseJson(text)) ?? printable(text.trim(), 120);
  } catch {
    return 'without a word that can be read';
  }
}

/** Undefined where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After`, seconds or a date (RFC 9110 section 10.2.3), in milliseconds; 0 without. */
function retryAfterOf({ headers }: IncomingMessage): number {
  const text = headers['retry-after'];
  if (text === undefined) return 0;
  if (/^\d{1,6}$/.test(text)) return Math.min(Number(text), LONGEST_RETRY_AFTER_S) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}
