import type { Bottle } from './bottle/schema.ts';

/** The daemons of a bottle, in the order of the chain. */
export const DAEMONS = ['pipelock', 'egress', 'git-gate', 'supervise', 'mcp-bridge'] as const;
export type DaemonName = (typeof DAEMONS)[number];

/** Those that the bottle uses, in the order of the chain; egress and pipelock always. */
export function daemonsOf({ git, supervise, mcp }: Bottle): readonly DaemonName[] {
  const isUsed: Readonly<Record<DaemonName, boolean>> = {
    pipelock: true,
    egress: true,
    'git-gate': Object.keys(git?.repos ?? {}).length > 0,
    supervise: supervise !== false,
    'mcp-bridge': (mcp?.tools ?? []).length > 0,
  };
  return DAEMONS.filter((name) => isUsed[name]);
}

/** uid and gid of each daemon's user in the image. */
export const USERS: Readonly<Record<DaemonName, number>> = {
  pipelock: 10001,
  egress: 10002,
  'git-gate': 10003,
  supervise: 10004,
  'mcp-bridge': 10005,
};
