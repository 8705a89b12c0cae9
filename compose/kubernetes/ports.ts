import { AGENT_PORTS } from '../agent-environment.ts';
import type { DaemonName } from '../daemons.ts';

/** Ports of each daemon for the agent, as daemons/bundle.yaml has them. */
const PUBLIC_PORTS: Readonly<Record<DaemonName, readonly number[]>> = {
  pipelock: [],
  egress: [AGENT_PORTS.egress],
  'git-gate': [AGENT_PORTS.gitHttp, AGENT_PORTS.git],
  supervise: [AGENT_PORTS.supervise],
  'mcp-bridge': [AGENT_PORTS.tools],
};

/** pipelock with its health and metrics, and the metrics of egress, supervise and mcp-bridge: on loopback, which the agent of a pod shares. */
export const PRIVATE_PORTS = [8888, 8889, 9190, 9098, 9101, 8091] as const;

export function publicPorts(daemons: readonly DaemonName[]): readonly number[] {
  return daemons.flatMap((daemon) => PUBLIC_PORTS[daemon]);
}
