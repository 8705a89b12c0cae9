import { randomUUID } from 'node:crypto';
import { type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server';

/** Sessions of clients that speak MCP before 2026-07-28. They hold nothing but what cancels a call: all else is in the log. */
export interface LegacySessions {
  fetch(request: Request): Promise<Response>;
  readonly size: number;
  close(): Promise<void>;
}

export interface LegacySessionOptions {
  readonly newServer: () => Server;
  /** Bytes of a request. */
  readonly largestBody: number;
  readonly now: () => number;
}

/** Beyond this the session that was silent longest is ended; its client gets 404 and begins a new one. */
const MOST_SESSIONS = 64;
const IDLE_MS = 60 * 60 * 1000;

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  lastUsed: number;
}

export function createLegacySessions({ newServer, largestBody, now }: LegacySessionOptions): LegacySessions {
  const sessions = new Map<string, Session>();

  async function fetch(request: Request): Promise<Response> {
    const id = request.headers.get('mcp-session-id');
    if (id !== null) {
      const session = sessions.get(id);
      if (session === undefined) return refusal(404, -32001, 'Session not found');
      session.lastUsed = now();
      return session.transport.handleRequest(request);
    }
    if (request.method !== 'POST') return refusal(400, -32000, 'Bad Request: Mcp-Session-Id header is required');
    await makeRoom();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: largestBody,
      onsessioninitialized: (begun) => {
        sessions.set(begun, { transport, lastUsed: now() });
      },
      onsessionclosed: (ended) => {
        sessions.delete(ended);
      },
    });
    const server = newServer();
    await server.connect(transport);
    const response = await transport.handleRequest(request);
    // What was no `initialize` has begun no session, and is answered with the reason.
    if (transport.sessionId === undefined) await server.close();
    return response;
  }

  async function makeRoom(): Promise<void> {
    const byUse = [...sessions].sort(([, a], [, b]) => a.lastUsed - b.lastUsed);
    const tooMany = byUse.length - MOST_SESSIONS + 1;
    for (const [at, [id, { transport, lastUsed }]] of byUse.entries()) {
      if (at >= tooMany && lastUsed > now() - IDLE_MS) return;
      sessions.delete(id);
      await transport.close();
    }
  }

  return {
    fetch,
    get size() {
      return sessions.size;
    },
    async close() {
      const all = [...sessions.values()];
      sessions.clear();
      await Promise.all(all.map(({ transport }) => transport.close()));
    },
  };
}

function refusal(status: number, code: number, message: string): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status });
}
