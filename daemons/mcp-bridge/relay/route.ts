import type { JsonObject } from '../policy/json.ts';
import type { Id, Notification, Outcome, Request } from './rpc.ts';

/** Who speaks: for the policy, and for what may be asked of it. */
export interface Caller {
  readonly agent: string;
  /** Empty in the modern era, which has no sessions. */
  readonly session: string;
}

/** Headers of HTTP, with names in lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** One request of a client on its way through the bridge. */
export interface Route {
  readonly caller: Caller;
  /** The id by which the client knows the request. */
  readonly id: Id;
  readonly method: string;
  readonly params: JsonObject;
  /** Those of its HTTP request, where they have to agree with the params (2026-07-28). */
  readonly headers?: Headers;
  /** Aborted where the client cancels, or is gone in an era in which that means the same. */
  readonly signal: AbortSignal;
  /** Tells the client something about this request. */
  readonly notify: (notification: Notification) => void;
}

/** A client of the legacy era, as tools see it. */
export interface Client {
  readonly caller: Caller;
  /** Params of its `initialize`. */
  readonly opening: JsonObject;
  /** Tells the client something that belongs to none of its requests. */
  readonly notify: (notification: Notification) => void;
  /** Asks the client; `about` is the request for which it is asked, where that is known. */
  readonly ask: (request: Pick<Request, 'method' | 'params'>, about: Route | undefined) => Promise<Outcome>;
}

/** What stands behind one session of the legacy era. */
export interface Upstream {
  /** What `initialize` is answered with. */
  readonly opened: JsonObject;
  /** Never rejects. */
  call(route: Route): Promise<Outcome>;
  /** A notification of the client. */
  tell(notification: Notification): void;
  close(): void;
}

/** What is served at one path: one tool, or all. */
export interface Endpoint {
  /** A request of the modern era, `server/discover` and `subscriptions/listen` too. Never rejects. */
  modern(route: Route): Promise<Outcome>;
  /** `initialize` of the legacy era. Never rejects. */
  open(client: Client): Promise<Upstream | Extract<Outcome, { error: unknown }>>;
}

/** Where a notification goes that nobody waits for. */
export const nowhere = (): void => undefined;
