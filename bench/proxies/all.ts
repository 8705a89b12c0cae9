import { direct } from './direct.ts';
import { egress, egressPipelock, egressStandIn } from './egress.ts';
import { mitmproxy } from './mitmproxy.ts';
import { mockttp } from './mockttp.ts';
import type { ProxyContender } from './proxy.ts';

/** Every proxy of the comparison, in the order of the tables. */
export const PROXIES: readonly ProxyContender[] = [egress, egressStandIn, egressPipelock, mockttp, mitmproxy, direct];
