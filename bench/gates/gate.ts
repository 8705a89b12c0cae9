import type { Role } from '../series.ts';

/** Who takes a push over smart HTTP and sees to it that it arrives in a bare repository. */
export interface Gate {
  readonly name: string;
  readonly role: Role;
  readonly only?: readonly string[];
  /** Why it cannot run here, with the remedy; undefined where it can. */
  absent(): string | undefined;
  start(place: GatePlace): Promise<RunningGate>;
}

export interface GatePlace {
  /** Empty, its own. */
  readonly directory: string;
  /** Holds the bare repositories, `<name>.git` each, the moment they are first asked for. */
  readonly upstreams: string;
  /** All names that will be. */
  readonly names: readonly string[];
}

export interface RunningGate {
  /** Where a client pushes to. */
  url(name: string): string;
  stop(): Promise<void>;
}
