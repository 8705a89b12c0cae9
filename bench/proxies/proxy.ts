import type { Role } from '../series.ts';
import type { RunningServer } from '../server.ts';

/** Where the requests of a measure end: an HTTPS server of this machine, known as `localhost`. */
export interface Origin {
  readonly port: number;
  /** The certificate of its authority, in PEM. */
  readonly certificateFile: string;
}

/** What a proxy is started with. */
export interface ProxyPlace {
  /** Empty, its own. */
  readonly directory: string;
  readonly origin: Origin;
}

/** One proxy of the comparison: it ends TLS, looks into the requests and passes them on. */
export interface ProxyContender {
  readonly name: string;
  readonly role: Role;
  /** What it takes part in; everything where this is not given. */
  readonly only?: readonly string[];
  /** Why it cannot run here, with the remedy; undefined where it can. */
  absent(): string | undefined;
  start(place: ProxyPlace): Promise<RunningProxy>;
}

export interface RunningProxy {
  /** Where an agent finds it; undefined where there is no proxy, and the origin is asked directly. */
  readonly port: number | undefined;
  /** All processes of it. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** A proxy of several servers, the first of which is what the agent talks to. */
export function runningProxy(servers: readonly [RunningServer, ...RunningServer[]]): RunningProxy {
  return {
    port: servers[0].port,
    pids: servers.map((server) => server.pid),
    async stop() {
      for (const server of servers) await server.stop();
    },
  };
}
