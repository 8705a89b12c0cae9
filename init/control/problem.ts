import type { Whole } from './route.ts';

/** Every kind of error that the control API answers with, its HTTP status and its title (RFC 9457). */
export const PROBLEMS = {
  'bad-request': { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'The request shows no token that is in force' },
  'not-here': { status: 403, title: 'This listener does not serve this' },
  'not-permitted': { status: 403, title: 'The token is not good for this' },
  'not-for-browsers': { status: 403, title: 'The request comes from a web page or under a foreign host name' },
  'unknown-path': { status: 404, title: 'There is nothing at this path' },
  'unknown-daemon': { status: 404, title: 'There is no such daemon' },
  'method-not-allowed': { status: 405, title: 'The path does not have this method' },
  refused: { status: 409, title: 'The init refused the command' },
  'body-too-large': { status: 413, title: 'The request body is too large' },
  'invalid-bundle': { status: 422, title: 'The bundle file is not valid; the one before stays in force' },
  'too-many-requests': { status: 429, title: 'More requests came than are taken' },
  fault: { status: 500, title: 'The init has a fault' },
  'daemon-failed': { status: 502, title: 'The daemon did not reach the wanted state' },
  'too-many-streams': { status: 503, title: 'Too many streams are open' },
  'token-unknown': { status: 503, title: 'The token cannot be checked yet' },
  'not-in-time': { status: 504, title: 'The daemon did not reach the wanted state in time' },
} as const;

export type ProblemKind = keyof typeof PROBLEMS;

/** Prefix of a problem's `type`; the kind follows. */
export const PROBLEM_TYPE = 'urn:bottled:problem:';

/** An answer in `application/problem+json`. `detail` is one sentence with the remedy; `more` are extension members. */
export function problem(
  kind: ProblemKind,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Whole {
  const { status, title } = PROBLEMS[kind];
  return {
    status,
    type: 'application/problem+json',
    body: `${JSON.stringify({ type: PROBLEM_TYPE + kind, title, status, detail, ...more })}\n`,
    headers,
  };
}
