import { type JsonObject, textOf } from '../policy/json.ts';
import { can } from './opening.ts';
import { CODE } from './protocol.ts';
import type { Route } from './route.ts';
import { failure, type Outcome } from './rpc.ts';

/** What a client of the legacy era says once, and what holds for its session from then on. */
export interface SessionState {
  /** The level of its log; undefined: it wants none. */
  logLevel(): string | undefined;
  isWatched(uri: string): boolean;
  /** Answers a request that is about this; undefined where it is about something else. Never rejects. */
  answer(route: Route): Promise<Outcome> | undefined;
  /** Ends what is watched. */
  end(): void;
}

/** A resource that is watched, or why not. */
export interface Watch {
  readonly outcome: Outcome;
  readonly end: () => void;
}

/** Resources that one session may watch. */
const MOST_WATCHED = 256;

/** `said`: what the tool said of itself. `watch` never rejects. */
export function createSessionState(said: JsonObject, watch: (uri: string) => Promise<Watch>): SessionState {
  const watches = new Map<string, Promise<Watch>>();
  let logLevel: string | undefined;

  function setLogLevel(level: string): Outcome {
    if (!can(said, 'logging')) return failure(CODE.methodNotFound, 'Method not found: logging/setLevel');
    logLevel = level;
    return { result: {} };
  }

  async function begin(uri: string): Promise<Outcome> {
    const known = watches.get(uri);
    if (known === undefined && watches.size >= MOST_WATCHED)
      return failure(CODE.invalidParams, `More than ${MOST_WATCHED} resources to watch`);
    const watching = known ?? watch(uri);
    watches.set(uri, watching);
    const { outcome } = await watching;
    if ('error' in outcome && watches.get(uri) === watching) watches.delete(uri);
    return outcome;
  }

  function endOne(uri: string): void {
    void watches.get(uri)?.then(({ end }) => end());
    watches.delete(uri);
  }

  return {
    logLevel: () => logLevel,
    isWatched: (uri) => watches.has(uri),
    answer({ method, params }) {
      switch (method) {
        case 'ping':
          return Promise.resolve({ result: {} });
        case 'logging/setLevel':
          return Promise.resolve(setLogLevel(textOf(params.level)));
        case 'resources/subscribe':
          return begin(textOf(params.uri));
        case 'resources/unsubscribe':
          endOne(textOf(params.uri));
          return Promise.resolve({ result: {} });
        default:
          return undefined;
      }
    },
    end() {
      for (const uri of [...watches.keys()]) endOne(uri);
    },
  };
}
