import type { AddressInfo } from 'node:net';
import type { Init } from './init.ts';
import { LIMITS, type Limits } from './limits.ts';
import { parseListenAddress } from './listen-address.ts';
import { type ControlServer, createServer, type ServerOptions } from './server.ts';
import { listenUnix } from './unix-socket.ts';

/** The control API, listening. */
export interface Control {
  /** Path of the unix socket. */
  readonly socket: string;
  /** Where health and metrics are served over TCP; undefined where they are not. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
  /** Ends all connections and streams and removes the socket. Never rejects. */
  close(): Promise<void>;
}

export interface ControlOptions {
  readonly init: Init;
  /** Path of the unix socket (see socket-path.ts). */
  readonly socket: string;
  /** `host:port` for health and metrics over TCP; none where it is absent. */
  readonly listen?: string | undefined;
  /** A second socket, on which nothing can be changed; none where it is absent. */
  readonly reading?: ReadingSocket | undefined;
  /** Told in one line what goes wrong later: a TCP port that is in use, a fault in a handler. */
  readonly onProblem: (text: string) => void;
  readonly limits?: Partial<Limits>;
}

/** A socket for one daemon, which may look at the bundle and change nothing. */
export interface ReadingSocket {
  readonly path: string;
  /** Its user, who alone can open it; the init's own where absent. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Serves the control API on a unix socket; where asked, what is only read on a second one, and health and metrics over TCP.
 * Rejects with an `Error` of one clear line where the control socket cannot be served. One of the others that cannot be is
 * only reported: the bundle can still be operated.
 */
export async function createControl(options: ControlOptions): Promise<Control> {
  const { init, socket, listen, reading, onProblem, limits } = options;
  const bounds = { ...LIMITS, ...limits };
  const local = createServer({ init, onProblem, limits: bounds, over: 'unix' });
  await listenUnix(local.http, socket);
  local.http.on('error', (error) => onProblem(`control socket ${socket}: ${error.message}`));

  const reader = reading === undefined ? undefined : await serveReading(reading, { init, onProblem, limits: bounds });
  const remote = listen === undefined ? undefined : await serveTcp(listen, { init, onProblem, limits: bounds });
  return {
    socket,
    address: remote?.address,
    async close() {
      await Promise.all([local.close(), reader?.close(), remote?.server.close()]);
    },
  };
}

async function serveReading(
  { path, owner }: ReadingSocket,
  options: Omit<ServerOptions, 'over'>,
): Promise<ControlServer | undefined> {
  const server = createServer({ ...options, over: 'reading' });
  try {
    await listenUnix(server.http, path, { owner, elsewhere: 'change control.read in the bundle file' });
  } catch (error) {
    options.onProblem(error instanceof Error ? error.message : String(error));
    return undefined;
  }
  server.http.on('error', (error) => options.onProblem(`control.read ${path}: ${error.message}`));
  return server;
}

interface Remote {
  readonly server: ControlServer;
  readonly address: { readonly host: string; readonly port: number };
}

async function serveTcp(
  listen: string,
  { init, onProblem, limits }: { init: Init; onProblem: (text: string) => void; limits: Limits },
): Promise<Remote | undefined> {
  const wanted = parseListenAddress(listen);
  if (wanted === undefined) {
    onProblem(`cannot listen on "${listen}": it is no address; write control.listen as "127.0.0.1:9180"`);
    return undefined;
  }
  const server = createServer({ init, onProblem, limits, over: 'tcp', ownName: wanted.host });
  try {
    await new Promise<void>((resolve, reject) => {
      server.http.once('error', reject);
      server.http.listen({ port: wanted.port, host: wanted.host }, () => {
        server.http.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    onProblem(`cannot listen on ${listen}: ${text}; free the port or change control.listen`);
    return undefined;
  }
  server.http.on('error', (error) => onProblem(`control.listen ${listen}: ${error.message}`));
  const address = server.http.address();
  return {
    server,
    address: isAddress(address) ? { host: address.address, port: address.port } : { host: '', port: wanted.port },
  };
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}
