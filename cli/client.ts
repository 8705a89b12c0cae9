import { type IncomingMessage, request } from 'node:http';
import { socketToReach } from '../init/control/socket-path.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';

/** An answer of the control API, whole. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** An API on a unix socket as the verbs use it. Every failure is a `Failure` with its exit code. */
export interface Client {
  /** Path of the socket. */
  readonly socket: string;
  /** Rejects where the peer is not reachable or has not answered after `timeout` ms. */
  ask(
    method: 'GET' | 'POST',
    path: string,
    options?: { readonly body?: unknown; readonly timeout?: number },
  ): Promise<Answer>;
  /** The lines of an endless answer. Ends when the peer ends it. */
  lines(path: string, accept: string): AsyncIterable<string>;
}

/** ms for an answer that has nothing to wait for. */
const PATIENCE = 5_000;

/** It did not answer in time, although its socket is there. */
export class Silence extends Failure {}

/** Who is at the other end, for messages. */
export interface Peer {
  readonly name: string;
  /** How to say where it is. */
  readonly remedy: string;
  /** A path that it answers at once while it lives. */
  readonly alive: string;
}

const INIT: Peer = {
  name: 'the init',
  remedy: 'name its socket with --socket PATH or BOTTLED_SOCKET',
  alive: '/livez',
};

/** The control API of the init. */
export function createClient(option: string | undefined): Client {
  return clientAt(socketToReach(option, process.env), INIT);
}

export function clientAt(socket: string, peer: Peer): Client {
  const unreachable = (why: string, remedy = `is it running? ${peer.remedy}`): Failure =>
    new Failure(EXIT.notReachable, `cannot reach ${peer.name} at ${socket}: ${why}; ${remedy}`);
  const silent = (timeout: number): Failure =>
    new Silence(
      EXIT.notReachable,
      `cannot reach ${peer.name} at ${socket}: no answer within ${timeout / 1000}s; look whether it hangs`,
    );

  function open(
    method: string,
    path: string,
    { body, accept, timeout }: { body?: unknown; accept?: string; timeout: number },
  ): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request({
        socketPath: socket,
        method,
        path,
        agent: false,
        headers: {
          host: 'localhost',
          'x-bottled-plane': 'cli',
          ...(accept !== undefined && { accept }),
          ...(method === 'POST' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
      });
      const timer = setTimeout(() => outgoing.destroy(silent(timeout)), timeout);
      outgoing.on('response', (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        if (error instanceof Failure) reject(error);
        else if (error.code === 'EACCES')
          reject(unreachable('permission denied', 'run this as the user that it belongs to'));
        else reject(unreachable(REASONS[error.code ?? ''] ?? error.message));
      });
      outgoing.end(text);
    });
  }

  /** A body that stalls counts as silence too. */
  async function text(response: IncomingMessage, timeout: number): Promise<string> {
    const timer = setTimeout(() => response.destroy(silent(timeout)), timeout);
    try {
      let whole = '';
      response.setEncoding('utf8');
      for await (const chunk of response) whole += chunk;
      return whole;
    } catch (error) {
      throw error instanceof Failure ? error : unreachable('the connection broke off');
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    socket,
    async ask(method, path, { body, timeout = PATIENCE } = {}) {
      const response = await open(method, path, { body, timeout });
      return { status: response.statusCode ?? 0, body: await text(response, timeout) };
    },
    async *lines(path, accept) {
      const response = await open('GET', path, { accept, timeout: PATIENCE });
      if (response.statusCode !== 200)
        throw refused({ status: response.statusCode ?? 0, body: await text(response, PATIENCE) });
      let rest = '';
      response.setEncoding('utf8');
      try {
        for await (const chunk of response) {
          const parts = (rest + chunk).split('\n');
          rest = parts.pop() ?? '';
          yield* parts;
        }
      } catch {
        await explainEnd(socket, peer);
      }
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  ENOTSOCK: 'it is no socket',
  ECONNRESET: 'the connection broke off',
  EAGAIN: 'it has too many connections',
};

/** The failure that a problem answer (RFC 9457) stands for. */
export function refused({ status, body }: Answer): Failure {
  const problem: unknown = parseJson(body);
  const detail = memberOf(problem, 'detail') ?? `the answer is ${status}`;
  return new Failure(CODES[memberOf(problem, 'type')?.split(':').at(-1) ?? ''] ?? EXIT.failed, detail);
}

const CODES: Readonly<Record<string, ExitCode>> = {
  'unknown-daemon': EXIT.noSuchDaemon,
  'bad-request': EXIT.usage,
  'invalid-bundle': EXIT.usage,
};

/**
 * A stream breaks off when its peer ends, which is no failure of the one who follows it, or when the reader was too slow,
 * which is.
 */
async function explainEnd(socket: string, { name, alive: path }: Peer): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe = request({ socketPath: socket, path, agent: false, timeout: PATIENCE });
    probe.on('response', (response) => {
      response.resume();
      resolve(true);
    });
    probe.on('timeout', () => probe.destroy());
    probe.on('error', () => resolve(false));
    probe.end();
  });
  if (alive)
    throw new Failure(EXIT.failed, `${name} broke off the stream, since it was read too slowly; start it again`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const member: unknown = Reflect.get(value, name);
  return typeof member === 'string' ? member : undefined;
}
