import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { hostHeaderValidation, originValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest, type Server } from '@modelcontextprotocol/server';
import { answerText } from '../../http/refusal.ts';
import { createLegacySessions } from './sessions.ts';

export interface AgentSideOptions {
  readonly newServer: (era: 'legacy' | 'modern') => Server;
  /** Names under which it may be asked; a request for another one, or from a page of another one, gets 403. */
  readonly hosts: readonly string[];
  /** What `/__health` says. */
  readonly health: () => { readonly isHealthy: boolean; readonly body: Readonly<Record<string, unknown>> };
  readonly onError: (error: Error) => void;
  /** Told of what an agent asked for that is not served: a foreign Host or Origin, or another path than `/mcp`. */
  readonly onRefused: (method: string, path: string, status: number) => void;
  readonly now: () => number;
}

export interface AgentSide {
  readonly server: HttpServer;
  readonly sessions: number;
  /** Ends sessions and streams. */
  close(): Promise<void>;
}

/** A text of 256 KiB, of which JSON may write a byte as six. */
const LARGEST_BODY = 2 * 1024 * 1024;
const MOST_CONNECTIONS = 256;
const MOST_SUBSCRIPTIONS = 32;

/** The agent's side: MCP of both eras at `/mcp`, and `/__health`. Nothing here decides anything. */
export function createAgentSide({ newServer, hosts, health, onError, onRefused, now }: AgentSideOptions): AgentSide {
  const modern = createMcpHandler(({ era }) => newServer(era), {
    legacy: 'reject',
    maxRequestBodySize: LARGEST_BODY,
    maxSubscriptions: MOST_SUBSCRIPTIONS,
    onerror: onError,
  });
  const legacy = createLegacySessions({ newServer: () => newServer('legacy'), largestBody: LARGEST_BODY, now });
  const mcp = toNodeHandler(
    {
      fetch: async (request) =>
        (await isLegacyRequest(request, undefined, { maxRequestBodySize: LARGEST_BODY }))
          ? legacy.fetch(request)
          : modern.fetch(request),
    },
    { maxRequestBodySize: LARGEST_BODY, onerror: onError },
  );
  const isHostAllowed = hostHeaderValidation([...hosts]);
  const isOriginAllowed = originValidation([...hosts]);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const path = url.split('?', 1)[0] ?? '';
    if (!isHostAllowed(request, response) || !isOriginAllowed(request, response)) {
      onRefused(method, path, response.statusCode);
      request.resume();
      return;
    }
    if (path === '/mcp') return mcp(Object.assign(request, { method, url }), response);
    request.resume();
    if (path !== '/__health') {
      onRefused(method, path, 404);
      answerText(response, { status: 404, text: 'supervise: MCP is at /mcp\n' }, true);
      return;
    }
    const isRead = method === 'GET' || method === 'HEAD';
    const { isHealthy, body } = health();
    response.writeHead(isRead ? (isHealthy ? 200 : 503) : 405, { 'content-type': 'application/json; charset=utf-8' });
    response.end(isRead ? `${JSON.stringify(body)}\n` : undefined);
  }

  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      onError(error instanceof Error ? error : new Error(String(error)));
      answerText(response, { status: 500, text: 'supervise: it failed\n' }, true);
    });
  });
  server.maxConnections = MOST_CONNECTIONS;

  return {
    server,
    get sessions() {
      return legacy.size;
    },
    async close() {
      await Promise.all([modern.close(), legacy.close()]);
    },
  };
}
