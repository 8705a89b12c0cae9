import type { Attack } from '../attack.ts';
import { GIT } from './git.ts';
import { METADATA } from './metadata.ts';
import { NETWORK } from './network.ts';
import { OPERATOR } from './operator.ts';
import { PROCESSES } from './processes.ts';
import { PROXY } from './proxy.ts';
import { SECRETS } from './secrets.ts';
import { TOOLS } from './tools.ts';

/** Every attack, by what it is after, in the order in which they are tried. */
export const ATTACKS_BY_AIM: Readonly<Record<string, readonly Attack[]>> = {
  'Past the proxy': NETWORK,
  'Metadata of the cloud': METADATA,
  'Through the proxy': PROXY,
  'Secrets in requests': SECRETS,
  'Secrets in pushes': GIT,
  "The operator's side": OPERATOR,
  'The other daemons': PROCESSES,
  'The tools': TOOLS,
};

export const ATTACKS: readonly Attack[] = Object.values(ATTACKS_BY_AIM).flat();
