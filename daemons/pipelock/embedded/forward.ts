import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { formatAuthority } from '../../authority/authority.ts';
import { requestFramingFault, responseFramingFault } from '../../http/framing.ts';
import { allValues, endToEnd, firstValue, type RawHeaders, without } from '../../http/headers.ts';
import { answerText, textHeaders } from '../../http/refusal.ts';
import type { Resolved } from './addresses.ts';
import type { Subject } from './audit.ts';
import { type Block, blocked, blockText } from './block.ts';
import { type ReadBody, readBody } from './body.ts';
import { type Context, judgeDestination, subjectOf } from './context.ts';
import { type Destination, defaultPort, parseDestination } from './destination.ts';

/** Takes one absolute-URI request: checks URL, headers and body, sends it to its origin and streams the answer back. */
export async function forward(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const destination = parseDestination(request.url ?? '');
  const subject = subjectOf(request.method ?? '', destination);
  const fault = requestFramingFault(request);
  if (fault !== undefined || destination === undefined) {
    return refuse(context, subject, request, response, blocked('parser', fault ?? 'invalid URL', 400));
  }
  const judged = await judge(context, request, destination);
  if (!judged.ok) return refuse(context, subject, request, response, judged.block);
  const { config, budget, dlp } = context;
  if (request.headers.expect !== undefined) response.writeContinue();
  const bounds = {
    bytes: config.request_body_scanning.max_body_bytes,
    ms: config.fetch_proxy.timeout_seconds * 1000,
  };
  const read = await readBody(request, bounds, budget);
  if (!read.ok) return refuse(context, subject, request, response, unreadable(read, context));
  try {
    const block = request.rawTrailers.length > 0 ? TRAILERS : await dlp.body(read.body);
    if (block !== undefined) return refuse(context, subject, request, response, block);
    await exchange({ context, subject, request, response, destination, addresses: judged.addresses, body: read.body });
  } finally {
    budget.give(read.body.length);
  }
}

/** How long the rest of a refused body is taken and dropped: who is cut off in the middle of sending it never reads why. */
const LINGER_MS = 2_000;

const TRAILERS = blocked('body_dlp', 'request trailers cannot be scanned for secrets');

/** All checks that need no body, so that a body that may not go is not even waited for. */
async function judge(context: Context, request: IncomingMessage, destination: Destination): Promise<Resolved> {
  const judged = await judgeDestination(destination, context);
  if (!judged.ok) return judged;
  const { rawHeaders } = request;
  const encoding = allValues(rawHeaders, 'content-encoding').join(', ');
  const length = Number(firstValue(rawHeaders, 'content-length') ?? 0);
  const longest = context.config.request_body_scanning.max_body_bytes;
  let block: Block | undefined;
  if (encoding !== '' && encoding.toLowerCase() !== 'identity') {
    const what = `request body uses Content-Encoding ${JSON.stringify(encoding)}`;
    block = blocked('body_dlp', `${what}; compressed bodies cannot be scanned for secrets`);
  } else if (allValues(rawHeaders, 'trailer').length > 0) block = TRAILERS;
  else if (length > longest) block = tooLong(longest);
  else block = await context.dlp.headers(endToEnd(rawHeaders));
  return block === undefined ? judged : { ok: false, block };
}

interface Exchange {
  readonly context: Context;
  readonly subject: Subject;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly destination: Destination;
  readonly addresses: Extract<Resolved, { ok: true }>['addresses'];
  readonly body: Buffer;
}

/** Sends what was checked and streams the answer, with back-pressure, until either side ends it or time is up. */
async function exchange(each: Exchange): Promise<void> {
  const { context, subject, request, response, destination, addresses, body } = each;
  const started = performance.now();
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), context.config.fetch_proxy.timeout_seconds * 1000);
  let outgoing: ClientRequest | undefined;
  try {
    const headers = outgoingHeaders(request, destination, body);
    outgoing = context.origins.request({ destination, addresses, method: subject.method, headers });
    endWith(outgoing, response, abort.signal);
    const answer = await answerTo(outgoing, body);
    const fault = responseFramingFault(answer);
    if (fault !== undefined) throw new Error(`the origin sent ${fault}`);
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
    // An event stream may be silent for minutes; that it began must be known at once.
    response.flushHeaders();
    let received = 0;
    answer.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    answer.once('end', () => {
      if (answer.rawTrailers.length > 0 && response.chunkedEncoding) response.addTrailers(pairs(answer.rawTrailers));
    });
    await pipeline(answer, response, { signal: abort.signal });
    const duration_ms = Math.round(performance.now() - started);
    context.audit.forwarded(subject, { status: answer.statusCode ?? 0, sent: body.length, received, duration_ms });
  } catch (error) {
    const reason = abort.signal.aborted ? 'time is up' : reasonOf(error);
    context.audit.failed(subject, reason);
    if (response.headersSent) response.destroy();
    else
      answerText(
        response,
        { status: abort.signal.aborted ? 504 : 502, text: `forward proxy fetch failed: ${reason}\n` },
        false,
      );
    outgoing?.destroy();
  } finally {
    clearTimeout(timer);
  }
}

/** What is asked of the origin ends when the agent is gone, or time is up. */
function endWith(outgoing: ClientRequest, response: ServerResponse, signal: AbortSignal): void {
  signal.addEventListener('abort', () => outgoing.destroy(new Error('time is up')));
  if (response.destroyed) outgoing.destroy();
  else response.once('close', () => outgoing.destroy());
}

function answerTo(outgoing: ClientRequest, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
    outgoing.once('close', () => reject(new Error('the origin closed the connection without an answer')));
    outgoing.end(body);
  });
}

/** What the agent sent, end to end, with host and framing made anew: the URL decides the host, as in pipelock. */
function outgoingHeaders(request: IncomingMessage, destination: Destination, body: Buffer): RawHeaders {
  const { rawHeaders } = request;
  const kept = without(endToEnd(rawHeaders), new Set(['host', 'content-length', 'expect', 'trailer']));
  const host = formatAuthority(destination.authority, defaultPort(destination.scheme));
  const hasBody = firstValue(rawHeaders, 'content-length') !== undefined || body.length > 0;
  return ['Host', host, ...kept, ...(hasBody ? ['Content-Length', String(body.length)] : [])];
}

function refuse(
  context: Context,
  subject: Subject,
  request: IncomingMessage,
  response: ServerResponse,
  block: Block,
): void {
  context.audit.blocked(subject, block);
  const answer = { status: block.status, text: blockText(block) };
  if (request.complete || request.destroyed) {
    answerText(response, answer, true);
    return;
  }
  response.writeHead(answer.status, [...textHeaders(answer), 'Connection', 'close']);
  response.write(answer.text);
  const timer = setTimeout(end, LINGER_MS);
  request.once('end', end).once('close', end).resume();
  function end(): void {
    clearTimeout(timer);
    response.end();
  }
}

function unreadable(read: Extract<ReadBody, { ok: false }>, context: Context): Block {
  if (read.why === 'too-long') return tooLong(context.config.request_body_scanning.max_body_bytes);
  if (read.why === 'no-memory') {
    return blocked('body_dlp', 'too many request bodies at once; try again in a moment', 503);
  }
  return blocked('body_dlp', `error reading request body: ${read.why}`, 400);
}

function tooLong(longest: number): Block {
  return blocked('body_dlp', `request body exceeds max_body_bytes (${longest})`);
}

function pairs(headers: RawHeaders): [string, string][] {
  return Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i] ?? '', headers[2 * i + 1] ?? '']);
}

/** What went wrong, in a word that holds nothing of the request. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
