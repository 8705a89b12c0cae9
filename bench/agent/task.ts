import type { WindowDone } from './window.ts';

/** Where the requests of a load generator go. */
export interface Place {
  /** Undefined: straight to the origin. */
  readonly proxyPort: number | undefined;
  readonly originPort: number;
}

/** What a load generator is asked to do. */
export type Task = RequestsTask | HandshakesTask | TransferTask | EventsTask | CallsTask;

export interface RequestsTask extends Place {
  readonly kind: 'requests';
  readonly method: 'GET' | 'POST';
  readonly connections: number;
  readonly warm_ms: number;
  readonly window_ms: number;
}

export interface RequestsDone extends WindowDone {
  /** Answers in all, the warming-up included. */
  readonly total: number;
}

export interface HandshakesTask extends Place {
  readonly kind: 'handshakes';
  readonly pairs: number;
}

export interface HandshakesDone {
  /** Medians, from CONNECT to the end of the TLS handshake. */
  readonly known_ms: number;
  readonly fresh_ms: number;
}

export interface TransferTask extends Place {
  readonly kind: 'transfer';
  readonly version: 1 | 2;
  readonly direction: 'down' | 'up';
  readonly bytes: number;
}

export interface TransferDone {
  readonly seconds: number;
}

export interface EventsTask extends Place {
  readonly kind: 'events';
  readonly version: 1 | 2;
  readonly count: number;
  readonly gap_ms: number;
}

export interface EventsDone {
  /** From the write at the origin to the read at the agent, event by event. */
  readonly delays_ms: readonly number[];
}

/** Where a tool is to be found: behind a bridge, or to be started here and spoken to on its stdin and stdout. */
export type BridgePlace =
  | { readonly kind: 'http'; readonly port: number; readonly path: string }
  | { readonly kind: 'stdio'; readonly command: readonly string[] };

/** The revision of MCP that clients speak. */
export type Revision = '2025-11-25' | '2026-07-28';

export interface CallsTask {
  readonly kind: 'calls';
  readonly place: BridgePlace;
  readonly revision: Revision;
  /** Clients, each with a session of its own, each with one call at a time. */
  readonly clients: number;
  readonly warm_ms: number;
  /** How long to measure, or how many calls to make in all. */
  readonly until: { readonly ms: number } | { readonly calls: number };
}

export interface CallsDone extends WindowDone {
  /** From before the first client opened its session to the answer to its first call. */
  readonly first_ms: number;
}
