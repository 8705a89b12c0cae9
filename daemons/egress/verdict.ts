import type { Authority } from '../authority/authority.ts';
import type { RawHeaders } from '../http/headers.ts';

export type { RawHeaders };

/** What an agent asks for, after TLS and framing are dealt with and before anything of it goes out. */
export interface Question {
  readonly scheme: 'http' | 'https';
  /** Where to: Host, SNI and the CONNECT authority agreed on it. */
  readonly authority: Authority;
  readonly method: string;
  /** Path and query as they were sent, e.g. `/v1/messages?beta=true`. */
  readonly target: string;
  readonly headers: RawHeaders;
  /** A WebSocket handshake is a request of its own kind: its frames are bytes to us, not bodies. */
  readonly kind: 'request' | 'websocket';
}

/** What becomes of a question. */
export type Verdict = Allowed | Refused | Answered;

/** A person has to decide first. Nothing of the request goes out meanwhile. */
export interface Held {
  readonly kind: 'held';
  /** Waits for that, or until nobody waits any more. Undefined: ask the policy again, which lets it pass now. Never rejects. */
  readonly settle: (signal: AbortSignal) => Promise<Refused | undefined>;
}

export interface Allowed {
  readonly kind: 'allowed';
  /** The route that allowed it, as logs and metrics name it: its host as written in routes.yaml. */
  readonly route: string;
  /** Path and query as they go out: as sent, or redacted. */
  readonly target: string;
  /** End-to-end headers as they go out: client credentials stripped, the route's own put in. Hop-by-hop ones are the proxy's. */
  readonly headers: RawHeaders;
  /** Watches the body on its way out; undefined where nothing is to be looked for. */
  readonly watch: (() => BodyWatch) | undefined;
  /** Whether the operator is to be asked about a body, given as a whole; absent where it need not be known before it goes out. */
  readonly holdBody?: ((body: Buffer) => Held | undefined) | undefined;
  /** The end-to-end trailers of the request as they go out: held to what its headers were held to, or why none may go. */
  readonly trailers: (trailers: RawHeaders) => RawHeaders | Refused;
  /** The end-to-end headers (or trailers) of the answer as the agent may see them: a known secret that upstream sends back becomes stars. */
  readonly answerHeaders: (headers: RawHeaders) => RawHeaders;
}

/** Looks for known secrets in a body (or in the messages of a WebSocket) without keeping it. */
export interface BodyWatch {
  /** What of it may go out now. Bytes that could be the beginning of a secret are held back until more is known. */
  push(chunk: Buffer): WatchStep;
  /** The body is over: what was held back. */
  end(): WatchStep;
}

/** `pass`: these bytes may go (as many as came in in all, so that Content-Length stays true). `refuse`: nothing more may. */
export type WatchStep =
  | { readonly kind: 'pass'; readonly bytes: Buffer }
  | { readonly kind: 'refuse'; readonly refusal: Refused };

/** Told to the agent as `text/plain`, one line that begins with `egress: `. */
export interface Refused {
  readonly kind: 'refused';
  readonly status: 400 | 403 | 407 | 408 | 413 | 414 | 421 | 429 | 431 | 501 | 502 | 503 | 504;
  /** The class of it, for metrics and logs, e.g. `host-not-allowed`, `secret-found`. */
  readonly code: string;
  /** The line, without the prefix; never holds a secret. */
  readonly reason: string;
  /** The route that the request had matched before it was refused; absent where none had. */
  readonly route?: string;
}

/** The egress daemon answers by itself (the introspection host). */
export interface Answered {
  readonly kind: 'answered';
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** What the proxy tells of each exchange when it is over, for logs and metrics. */
export interface Exchange {
  readonly question: Question;
  /** The last word: a refusal by the body's watch takes the place of the verdict that had allowed the request. */
  readonly verdict: Verdict;
  /** Status that the agent saw; undefined where the connection ended before any. */
  readonly status: number | undefined;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly duration_ms: number;
  /** Why it ended early, e.g. `client-aborted`, `upstream-aborted`, `timeout`. */
  readonly fault: string | undefined;
  /** Headers of the answer, for log level 2. */
  readonly responseHeaders: RawHeaders | undefined;
}

/** The policy of egress, as the proxy sees it. Pure but for what it was made of; never throws. */
export type Judge = (question: Question) => Verdict | Held;
