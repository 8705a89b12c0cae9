/** Where the requests of a load generator go. */
export interface Place {
  /** Undefined: straight to the origin. */
  readonly proxyPort: number | undefined;
  readonly originPort: number;
}

/** What a load generator is asked to do. */
export type Task = RequestsTask | HandshakesTask | TransferTask | EventsTask;

export interface RequestsTask extends Place {
  readonly kind: 'requests';
  readonly method: 'GET' | 'POST';
  readonly connections: number;
  readonly warm_ms: number;
  readonly window_ms: number;
}

export interface RequestsDone {
  /** Answers within the window. */
  readonly count: number;
  /** Answers in all, the warming-up included. */
  readonly total: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Share of a processor that the load generator itself took, in per cent. */
  readonly busy: number;
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
