import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../../log/log.ts';
import type { Enforcer } from '../policy/enforce.ts';
import { MOST_LEVELS } from '../policy/json.ts';
import { type Body, readBody } from '../serve/body.ts';
import { createContexts } from './context.ts';
import { answerAfter, answerBefore, type Caller, refusal } from './docker.ts';
import { answerPolis, refused } from './polis.ts';

export interface InterceptorOptions {
  /** The one in force now. */
  readonly enforcer: () => Enforcer;
  /** Whether the policy in force now has a tool of this name. */
  readonly hasTool: (name: string) => boolean;
  readonly log: Log;
  /** The largest body, in bytes. Default 10 MiB. */
  readonly maxBody?: number;
  /** How long `after` may follow `before`. Milliseconds. Default 10 minutes. */
  readonly contextTtl?: number;
  /** How many requests are remembered. Default 10,000. */
  readonly mostContexts?: number;
  readonly clock?: () => number;
}

/** The interceptor's paths, for a server of node:http. */
export interface Interceptor {
  /** Whether this path is one of the interceptor's. `path` is without a query. */
  handles(path: string): boolean;
  /** The body that refuses a request before it is looked at; undefined where the path is none of the interceptor's. */
  refusalAt(path: string, reason: string): string | undefined;
  /** Answers one request, whatever happens. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

const FAILED = 'the interceptor failed';
const TEN_MINUTES = 600_000;
const TEN_MEBIBYTES = 10 * 1024 ** 2;

interface Answer {
  readonly status: number;
  readonly text: string;
}

export function createInterceptor(options: InterceptorOptions): Interceptor {
  const { enforcer, hasTool, log, maxBody = TEN_MEBIBYTES, clock = Date.now } = options;
  const contexts = createContexts(options.contextTtl ?? TEN_MINUTES, options.mostContexts ?? 10_000);

  async function docker(answer: typeof answerBefore, request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const said = (text: string): Answer => ({ status: 200, text });
    if (request.method !== 'POST') return said(refusal('The call is blocked: this is asked with POST'));
    const body = await readBody(request, maxBody);
    if (body.kind !== 'text') return said(refusal(`The call is blocked: ${faultOf(body, maxBody)}`));
    return said(await answer(body.text, callerOf(request), enforcer(), signal));
  }

  async function polis(type: 'before' | 'after', request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const said = ({ status, body }: ReturnType<typeof refused>): Answer => ({ status, text: JSON.stringify(body) });
    if (request.method !== 'POST') return said(refused(405, 'this is asked with POST'));
    const body = await readBody(request, maxBody);
    if (body.kind !== 'text') return said(refused(body.kind === 'too-large' ? 413 : 400, faultOf(body, maxBody)));
    return said(await answerPolis(type, body.text, { enforcer: enforcer(), contexts, hasTool, now: clock(), signal }));
  }

  const PATHS: Readonly<Record<string, (request: IncomingMessage, signal: AbortSignal) => Promise<Answer>>> = {
    '/before': (request, signal) => docker(answerBefore, request, signal),
    '/after': (request, signal) => docker(answerAfter, request, signal),
    '/intercept/before': (request, signal) => polis('before', request, signal),
    '/intercept/after': (request, signal) => polis('after', request, signal),
  };

  function refusalAt(path: string, reason: string): string | undefined {
    if (!Object.hasOwn(PATHS, path)) return undefined;
    if (path.startsWith('/intercept/')) return JSON.stringify(refused(200, reason).body);
    return refusal(`The call is blocked: ${reason}`);
  }

  return {
    refusalAt,
    handles: (path) => Object.hasOwn(PATHS, path),
    async handle(request, response) {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const path = pathOf(request);
      try {
        const answer = Object.hasOwn(PATHS, path) ? await PATHS[path]?.(request, gone.signal) : undefined;
        send(
          response,
          answer ?? { status: 404, text: JSON.stringify({ action: 'block', reason: 'there is no such path' }) },
        );
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log('error', `the interceptor failed: ${reason}; the call is blocked`, { event: 'interceptor-failed', path });
        send(response, { status: 200, text: refusalAt(path, FAILED) ?? refusal(FAILED) });
      }
    },
  };
}

function send(response: ServerResponse, { status, text }: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    // A body that nobody read to its end must not be taken for the next request.
    ...(response.req.complete ? {} : { connection: 'close' }),
  });
  response.end(text);
}

function faultOf(body: Exclude<Body, { readonly kind: 'text' }>, maxBody: number): string {
  switch (body.kind) {
    case 'too-large':
      return `the body is larger than ${maxBody} bytes`;
    case 'too-deep':
      return `the body is nested more than ${MOST_LEVELS} levels deep`;
    case 'not-utf8':
      return 'the body is not UTF-8';
    case 'aborted':
      return 'the body did not come in whole';
  }
}

const LONGEST_NAME = 256;

function callerOf(request: IncomingMessage): Caller {
  const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  const named = (key: string, otherwise: string): string => (query.get(key) || otherwise).slice(0, LONGEST_NAME);
  return { tool: named('tool', 'docker-gateway'), agent: named('agent', ''), session: named('session', '') };
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?')[0] ?? '';
}
