import type { AddressInfo } from 'node:net';
import { monotonic } from '../monotonic.ts';
import { createAdmission, type Denial, type Listener } from './admission.ts';
import type { AllowList } from './browser.ts';
import type { Init } from './init.ts';
import { LIMITS, type Limits } from './limits.ts';
import { parseListenAddress } from './listen-address.ts';
import { createRateLimit } from './rates.ts';
import { type ControlServer, createServer } from './server.ts';
import type { Tokens } from './tokens/tokens.ts';
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
  /** What opens the rest of the API over TCP; closed with the control. */
  readonly tokens?: Tokens | undefined;
  /** Names and web pages that may use the TCP listener, beside those that always may. */
  readonly allowed?: AllowList;
  readonly onDenied?: (denial: Denial, from: string) => void;
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
 * Serves the control API on a unix socket; where asked, what is only read on a second one, and over TCP health and metrics, and
 * all that a token is good for. Rejects with an `Error` of one clear line where the control socket cannot be served. One of the
 * others that cannot be is only reported: the bundle can still be operated.
 */
export async function createControl(options: ControlOptions): Promise<Control> {
  const { init, socket, listen, reading, onProblem, tokens, onDenied = () => {} } = options;
  const limits = { ...LIMITS, ...options.limits };
  const allowed = options.allowed ?? { hosts: [], origins: [] };
  const rates = {
    commands: createRateLimit(limits.commands, monotonic),
    requests: createRateLimit(limits.requests, monotonic),
    strangers: createRateLimit(limits.strangers, monotonic),
  };
  const make: Maker = (over, ownName) => {
    const names = { ...allowed, hosts: ownName === undefined ? allowed.hosts : [...allowed.hosts, ownName] };
    const admit = createAdmission({ over, tokens, allowed: names, rates, onDenied });
    return createServer({ init, onProblem, limits, over, admit, allowed: names });
  };
  const local = make('unix');
  await listenUnix(local.http, socket);
  local.http.on('error', (error) => onProblem(`control socket ${socket}: ${error.message}`));

  const reader = reading === undefined ? undefined : await serveReading(reading, make, onProblem);
  const remote = listen === undefined ? undefined : await serveTcp(listen, make, onProblem);
  return {
    socket,
    address: remote?.address,
    async close() {
      tokens?.close();
      await Promise.all([local.close(), reader?.close(), remote?.server.close()]);
    },
  };
}

/** Makes the server of one listener; `ownName` is the host name that it was given. */
type Maker = (over: Listener, ownName?: string) => ControlServer;

async function serveReading(
  { path, owner }: ReadingSocket,
  make: Maker,
  onProblem: (text: string) => void,
): Promise<ControlServer | undefined> {
  const server = make('reading');
  try {
    await listenUnix(server.http, path, { owner, elsewhere: 'change control.read in the bundle file' });
  } catch (error) {
    onProblem(error instanceof Error ? error.message : String(error));
    return undefined;
  }
  server.http.on('error', (error) => onProblem(`control.read ${path}: ${error.message}`));
  return server;
}

interface Remote {
  readonly server: ControlServer;
  readonly address: { readonly host: string; readonly port: number };
}

async function serveTcp(listen: string, make: Maker, onProblem: (text: string) => void): Promise<Remote | undefined> {
  const wanted = parseListenAddress(listen);
  if (wanted === undefined) {
    onProblem(`cannot listen on "${listen}": it is no address; write control.listen as "127.0.0.1:9180"`);
    return undefined;
  }
  const server = make('tcp', wanted.host);
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
