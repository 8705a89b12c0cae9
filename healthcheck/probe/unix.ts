import type { Attempt, Finding, UnixTarget } from './check.ts';
import { connect } from './connect.ts';

/** Passes when a connection to a unix stream socket is accepted. */
export function probeUnix(target: UnixTarget, attempt: Attempt): Promise<Finding> {
  return connect({ path: target.path }, attempt);
}

export function nameUnix(target: UnixTarget): string {
  return `unix ${target.path}`;
}
