import type { BridgeContender } from './bridge.ts';
import { direct } from './direct.ts';
import { mcpBridge } from './mcp-bridge.ts';
import { mcpProxy, mcpProxyStateless } from './mcp-proxy.ts';
import { supergatewayStateful, supergatewayStateless } from './supergateway.ts';

/** Every bridge, in the order of the tables. */
export const BRIDGES: readonly BridgeContender[] = [
  mcpBridge,
  supergatewayStateful,
  supergatewayStateless,
  mcpProxy,
  mcpProxyStateless,
  direct,
];
