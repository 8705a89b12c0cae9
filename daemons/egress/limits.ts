/**
 * What one agent can make the proxy hold, and for how long. Every wait has an end and every collection a size, because whoever sits in
 * the agent's container may open what it likes and never close it. Times in milliseconds, sizes in bytes.
 */
export interface Limits {
  /**
   * Connections from the agent at once. A busy agent has tens; each costs some 100 KiB once TLS is up. More than tunnels, WebSockets
   * and requests together, so that there is always one without any of them, which makes room for the next: `/__health` is answered.
   */
  readonly connections: number;
  /** CONNECT tunnels among them. */
  readonly tunnels: number;
  /** WebSockets among them: they stay open for hours, so they have a bound of their own. */
  readonly webSockets: number;
  /** Requests under way at once, over all connections. Each holds a connection to pipelock. */
  readonly exchanges: number;
  /** Requests of one HTTP/1.1 connection that may be under way (pipelining). No client of note sends more than one. */
  readonly pipelined: number;
  /** Requests on one connection before it is closed and made anew, so that no connection lives forever. */
  readonly requestsPerConnection: number;
  /** Streams of one HTTP/2 connection at once (RFC 9113 5.1.2 advises at least 100). */
  readonly streams: number;
  /** Streams of one HTTP/2 connection that may be reset at once, and per second from then on: rapid reset (CVE-2023-44487). */
  readonly streamResetBurst: number;
  readonly streamResetRate: number;
  /** Header section of a request or an answer. Cookies and tokens of real services stay under 16 KiB. */
  readonly headerBytes: number;
  /** Fields in a header section. */
  readonly headerCount: number;
  /** Request line's target. */
  readonly targetBytes: number;
  /** A request body; pipelock's own bound on what it scans is far lower. It bounds endless bodies. */
  readonly requestBytes: number;
  /** A request body that is read before it goes out, so that it can be held for the operator; a longer one cannot. And all of them together. */
  readonly heldBodyBytes: number;
  readonly heldBytes: number;
  /** One WebSocket message of the agent, over all its frames. */
  readonly webSocketMessageBytes: number;
  /** 1xx answers that one request may bring before the final one. */
  readonly informational: number;
  /** From the first byte of a connection or of a request to the end of its headers. */
  readonly headers_ms: number;
  /** From CONNECT's 200 to the first byte in the tunnel. */
  readonly tunnelFirstByte_ms: number;
  readonly tlsHandshake_ms: number;
  /** An open connection without a request. */
  readonly idle_ms: number;
  /** A body on its way in has to bring `uploadFloorBytes` in each such span, unless it is pipelock that does not take it. */
  readonly uploadWindow_ms: number;
  readonly uploadFloorBytes: number;
  /** For a connection to pipelock: it is on loopback, so what takes longer will not come. */
  readonly connect_ms: number;
  /** From the end of a request to the beginning of its answer. A model may think for minutes before it says a word. */
  readonly answer_ms: number;
  /** Between two pieces of an answer. Event streams send a comment every 15 to 60 seconds. */
  readonly answerIdle_ms: number;
  /** An agent that does not read its answer. */
  readonly agentStall_ms: number;
  /** A WebSocket without a frame either way. */
  readonly webSocketIdle_ms: number;
  /** How long a body that nobody wants is read and thrown away, so that the agent can read why. */
  readonly linger_ms: number;
  /** How often the waits above are looked at; a wait ends at most this much late. */
  readonly sweep_ms: number;
}

export const defaultLimits: Limits = {
  connections: 2048,
  tunnels: 640,
  webSockets: 256,
  exchanges: 1024,
  pipelined: 16,
  requestsPerConnection: 100_000,
  streams: 128,
  streamResetBurst: 200,
  streamResetRate: 20,
  headerBytes: 64 * 1024,
  headerCount: 200,
  targetBytes: 16 * 1024,
  requestBytes: 4 * 1024 ** 3,
  heldBodyBytes: 1024 ** 2,
  heldBytes: 64 * 1024 ** 2,
  webSocketMessageBytes: 16 * 1024 ** 2,
  informational: 16,
  headers_ms: 15_000,
  tunnelFirstByte_ms: 15_000,
  tlsHandshake_ms: 15_000,
  idle_ms: 120_000,
  uploadWindow_ms: 60_000,
  uploadFloorBytes: 512,
  connect_ms: 10_000,
  answer_ms: 900_000,
  answerIdle_ms: 600_000,
  agentStall_ms: 600_000,
  webSocketIdle_ms: 1_800_000,
  linger_ms: 2_000,
  sweep_ms: 1_000,
};
