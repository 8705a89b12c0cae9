import * as z from 'zod/mini';
import { nearest } from '../../config/nearest.ts';
import type { Caller } from '../lifecycle/event.ts';
import type { Init } from './init.ts';
import type { Outbox } from './outbox.ts';
import { type ProblemKind, problem } from './problem.ts';
import type { SchemaName } from './schemas.ts';

/**
 * Who may use a route: `health` also over TCP, by anyone who reaches the port; `read` on a unix socket, whose owner decides, and
 * over TCP by who has a token; `operate` on the control socket, and over TCP by who has the operate token.
 */
export type Access = 'health' | 'read' | 'operate';

/** A whole answer. */
export interface Whole {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is fed until the client or the init leaves. */
export interface Stream {
  readonly type: string;
  /** What there is already. Called in the same turn as `follow`, so that nothing is lost or doubled between the two. */
  readonly backlog: () => Iterable<string>;
  /** Sent every now and then so that a silent stream is known to be alive. */
  readonly heartbeat?: string;
  /** Starts the live part; returns the way to stop it. Without it the stream ends after the backlog. */
  readonly follow?: (outbox: Outbox) => () => void;
}

export type Reply = Whole | Stream;

/** What every handler gets. */
export interface Call {
  readonly init: Init;
  readonly caller: Caller;
  /** What the caller may do. */
  readonly may: readonly Access[];
  /** Aborted when the client has left. */
  readonly left: AbortSignal;
  readonly header: (name: string) => string | undefined;
}

/** A request as it came, its path matched. */
export interface RawCall extends Call {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** One entry of the route table. The access is a required field: a route without it is none. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** With `{name}` where a daemon's name stands. */
  readonly path: string;
  readonly access: Access;
  /** One line for the reference and the OpenAPI document. */
  readonly summary: string;
  readonly query: z.ZodMiniObject;
  readonly body: z.ZodMiniObject | undefined;
  readonly responses: Readonly<Record<number, Response>>;
  readonly problems: readonly ProblemKind[];
  readonly handle: (call: RawCall) => Reply | Promise<Reply>;
}

/** One documented answer of a route. */
export interface Response {
  readonly type: string;
  readonly summary: string;
  readonly schema?: SchemaName;
}

/** An entry as it is written in the table: what the handler gets has the types of `query` and `body`. */
export interface RouteDefinition<Query extends z.core.$ZodShape, Body extends z.core.$ZodShape> {
  readonly method: Route['method'];
  readonly path: string;
  readonly access: Access;
  readonly summary: string;
  readonly query?: Query;
  readonly body?: Body;
  readonly responses: Route['responses'];
  readonly problems?: readonly ProblemKind[];
  readonly handler: (
    call: Call & {
      readonly daemon: string;
      readonly query: z.output<z.ZodMiniObject<Query, z.core.$strict>>;
      readonly body: z.output<z.ZodMiniObject<Body, z.core.$strict>>;
    },
  ) => Reply | Promise<Reply>;
}

/**
 * Makes a table entry of its definition: query and body are checked before the handler sees them, and the daemon that
 * `{name}` names is a known one.
 */
export function route<Query extends z.core.$ZodShape, Body extends z.core.$ZodShape>(
  definition: RouteDefinition<Query, Body>,
): Route {
  const { method, path, access, summary, responses, handler } = definition;
  // An absent shape stands for the empty one, which is what its type parameter then is.
  const query = z.strictObject((definition.query ?? {}) as Query);
  const body = z.strictObject((definition.body ?? {}) as Body);
  const problems: ProblemKind[] = [...(definition.problems ?? [])];
  if (access !== 'health') problems.push('bad-request');
  if (path.includes('{name}')) problems.push('unknown-daemon');

  return {
    method,
    path,
    access,
    summary,
    query,
    body: definition.body === undefined ? undefined : body,
    responses,
    problems,
    handle(raw) {
      const daemon = raw.parameters.name ?? '';
      if (path.includes('{name}') && !raw.init.daemons().includes(daemon)) return unknownDaemon(raw.init, daemon);
      // Whoever probes health may add what it likes, to get past a cache say.
      const parsedQuery = query.safeParse(access === 'health' ? {} : Object.fromEntries(raw.query));
      if (!parsedQuery.success) return problem('bad-request', `query ${describe(parsedQuery.error)}`);
      const value = definition.body === undefined ? {} : parseJson(raw.body);
      const parsedBody = body.safeParse(value);
      if (!parsedBody.success) {
        return problem(
          'bad-request',
          value === undefined ? 'the body is not JSON' : `body ${describe(parsedBody.error)}`,
        );
      }
      const { init, caller, may, left, header } = raw;
      return handler({ init, caller, may, left, header, daemon, query: parsedQuery.data, body: parsedBody.data });
    },
  };
}

/** 404 that lists the daemons there are, and the one that was probably meant. */
export function unknownDaemon(init: Init, name: string): Whole {
  const known = init.daemons();
  const meant = nearest(name, known);
  const hint = meant === undefined ? '' : ` did you mean "${meant}"?`;
  return problem('unknown-daemon', `there is no daemon "${name}";${hint} known: ${known.join(', ') || 'none'}`, {
    daemon: name,
    known,
    ...(meant === undefined ? {} : { did_you_mean: meant }),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is wrong, in words: zod/mini brings none of its own. */
function describe(error: z.core.$ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.map((part) => `${String(part)} `).join('')}${words(issue)}`)
    .join('; ');
}

function words(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `has ${issue.keys.map((name) => `"${name}"`).join(', ')}, which is not known here`;
    case 'too_big':
      return `is more than ${issue.maximum}`;
    case 'too_small':
      return `is less than ${issue.minimum}`;
    case 'invalid_value':
      return `is not one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_type':
      return `is not of type ${issue.expected}`;
    default:
      return 'is not valid';
  }
}
