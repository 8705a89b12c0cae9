/** The revision without sessions: every request says all that is needed to serve it. */
export const MODERN = '2026-07-28';

/** The revisions with a handshake, oldest first. */
export const LEGACY = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
export const NEWEST_LEGACY = '2025-11-25';

/** Keys of `_meta` that MCP 2026-07-28 reserves (basic, `_meta`). */
export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** By this key of `_meta` a tool of 2025 may name what it asks a client of 2026 for. */
export const INPUT_KEY = 'bottled/inputKey';

/** JSON-RPC 2.0 section 5.1, and what MCP 2026-07-28 adds (basic, error codes). */
export const CODE = {
  parse: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** 2025-11-25: a page has to be visited before the call can work. 2026-07-28 asks instead. */
  urlElicitationRequired: -32042,
  /** 2025-11-25 and before; 2026-07-28 says `invalidParams`. */
  resourceNotFound: -32002,
} as const;

/** A tool may need input from its client for these (2026-07-28, multi round-trip requests). */
export const INTERACTIVE: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** Results that say how long they may be kept (2026-07-28, `CacheableResult`). */
export const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** Methods of the legacy era that 2026-07-28 took away. */
export const REMOVED: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** The capability of the client that a request of a tool needs. */
export const NEEDED_CAPABILITY: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};

/** How the bridge calls itself where it speaks for itself. */
export const BRIDGE = { name: 'bottled-mcp-bridge', version: '0.1.0' } as const;
