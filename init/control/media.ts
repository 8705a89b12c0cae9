import type { Whole } from './route.ts';

export const JSON_TYPE = 'application/json';
export const JSON_LINES_TYPE = 'application/x-ndjson';
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** A whole JSON answer, with a newline at its end for those who read it in a terminal. */
export function json(value: unknown, status = 200, type = JSON_TYPE): Whole {
  return { status, type, body: `${JSON.stringify(value)}\n` };
}
