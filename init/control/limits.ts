import type { Rate } from './rates.ts';

/** What a client may take of the init. Times in ms, sizes in bytes. */
export interface Limits {
  /** Connections per listener; further ones are closed at once. */
  readonly connections: number;
  /** Of those of the TCP listener, how many may come from one address. */
  readonly connectionsOfOne: number;
  /** Streams (events, followed logs) at a time; the rest of the connections is kept for commands. */
  readonly streams: number;
  /** A request body. */
  readonly body: number;
  /** Until a request has come in whole. */
  readonly request: number;
  /** Until an answer has been taken whole. */
  readonly answer: number;
  /** Queued for one reader of a stream beside what it has asked for of the past. */
  readonly backlog: number;
  /** Until a reader of a stream takes something again. */
  readonly stall: number;
  /** Between two signs of life on a silent stream. */
  readonly heartbeat: number;
  /** Commands of one control plane, whichever listener they come by. */
  readonly commands: Rate;
  /** Requests over TCP with a good token, by token and control plane. */
  readonly requests: Rate;
  /** Requests over TCP with a wrong token or none. */
  readonly strangers: Rate;
}

export const LIMITS: Limits = {
  connections: 64,
  connectionsOfOne: 32,
  streams: 32,
  body: 65_536,
  request: 5_000,
  answer: 10_000,
  backlog: 1_048_576,
  stall: 30_000,
  heartbeat: 15_000,
  commands: { burst: 100, perSecond: 20 },
  requests: { burst: 200, perSecond: 50 },
  strangers: { burst: 20, perSecond: 2 },
};
