import { authority } from './authority.ts';
import type { Attempt, Finding, TcpTarget } from './check.ts';
import { connect } from './connect.ts';

/** Passes when a TCP connection is accepted. */
export function probeTcp(target: TcpTarget, attempt: Attempt): Promise<Finding> {
  return connect({ host: target.host, port: target.port }, attempt);
}

export function nameTcp(target: TcpTarget): string {
  return `tcp ${authority(target)}`;
}
