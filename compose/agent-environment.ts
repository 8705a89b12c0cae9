import type { Upstream } from '../daemons/git-gate/config/upstream-url.ts';
import type { Bottle } from './bottle/schema.ts';
import { type DaemonName, daemonsOf } from './daemons.ts';

/**
 * Variables by which what runs in an agent's container finds the bundle: the proxy, the certificate to trust, git's way to the
 * gate, and the MCP servers. None is a secret.
 */

/** Ports of the bundle that an agent may reach. */
export const AGENT_PORTS = { egress: 9099, gitHttp: 9420, git: 9418, supervise: 9100, tools: 8090 } as const;

/** The certificate of egress in the agent's container. */
export const CERTIFICATE_FILE = '/etc/bottled-ca/certificate.pem';

/** Programs that have a variable of their own for the certificates that they trust. */
const CERTIFICATE_VARIABLES = [
  'AWS_CA_BUNDLE',
  'CARGO_HTTP_CAINFO',
  'CURL_CA_BUNDLE',
  'DENO_CERT',
  'GIT_SSL_CAINFO',
  'NODE_EXTRA_CA_CERTS',
  'PIP_CERT',
  'REQUESTS_CA_BUNDLE',
  'SSL_CERT_FILE',
];

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
const NO_PROXY_VARIABLES = ['NO_PROXY', 'no_proxy'];

/** The variables for the agent of a bottle. */
export function agentVariables(bottle: Bottle): ReadonlyMap<string, string> {
  const daemons = daemonsOf(bottle);
  const proxy = `http://egress:${AGENT_PORTS.egress}`;
  const direct = ['localhost', '127.0.0.1', '::1', ...daemons].join(',');
  return new Map([
    ...PROXY_VARIABLES.map((name) => [name, proxy] as const),
    ...NO_PROXY_VARIABLES.map((name) => [name, direct] as const),
    // Node reads the proxy variables only when it is told to.
    ['NODE_USE_ENV_PROXY', '1'],
    ...CERTIFICATE_VARIABLES.map((name) => [name, CERTIFICATE_FILE] as const),
    ...mcpVariables(daemons),
    ...gitVariables(bottle),
  ]);
}

/** Whether a variable is one that {@link agentVariables} may set, or that would lead programs around those. */
export function isAgentVariable(name: string): boolean {
  return (
    [...PROXY_VARIABLES, ...NO_PROXY_VARIABLES, ...CERTIFICATE_VARIABLES, 'NODE_USE_ENV_PROXY'].includes(name) ||
    /^(all_proxy|ftp_proxy)$/i.test(name) ||
    /^GIT_CONFIG_(COUNT|KEY_\d+|VALUE_\d+)$/.test(name) ||
    name.startsWith('BOTTLED_')
  );
}

/** Where MCP clients find what the bundle serves. */
function mcpVariables(daemons: readonly DaemonName[]): [string, string][] {
  const variables: [string, string][] = [];
  if (daemons.includes('supervise')) {
    variables.push(['BOTTLED_SUPERVISE_URL', `http://supervise:${AGENT_PORTS.supervise}/mcp`]);
  }
  if (daemons.includes('mcp-bridge')) {
    variables.push(['BOTTLED_TOOLS_URL', `http://mcp-bridge:${AGENT_PORTS.tools}/mcp`]);
  }
  return variables;
}

/** Makes git go to the gate wherever a repository is named by its upstream address (git-config(1), GIT_CONFIG_COUNT, `insteadOf`). */
function gitVariables({ git }: Bottle): [string, string][] {
  const rules = Object.entries(git?.repos ?? {}).flatMap(([name, { url }]) =>
    spellingsOf(url).map((spelling): [string, string] => [
      `url.http://git-gate:${AGENT_PORTS.gitHttp}/${name}.git.insteadOf`,
      spelling,
    ]),
  );
  if (rules.length === 0) return [];
  return [
    ['GIT_CONFIG_COUNT', String(rules.length)],
    ...rules.flatMap(([key, value], index): [string, string][] => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ];
}

/** The ways in which an upstream is usually written, with and without `.git`; git takes the longest that fits. */
function spellingsOf(upstream: Upstream): readonly string[] {
  if (upstream.kind === 'file') return [];
  const bases = [upstream.url, ...otherBases(upstream)].map((base) => base.replace(/\/$/, '').replace(/\.git$/, ''));
  return [...new Set(bases)].sort().flatMap((base) => [`${base}.git`, base]);
}

function otherBases(upstream: Exclude<Upstream, { kind: 'file' }>): readonly string[] {
  if (upstream.kind === 'https') {
    const { hostname, port, pathname } = new URL(upstream.url);
    if (port !== '') return [];
    return [`ssh://git@${hostname}${pathname}`, `git@${hostname}:${pathname.slice(1)}`];
  }
  const { host, port, url } = upstream;
  const scp = /^([^@/:]+)@(?:\[[^\]]+\]|[^:/[\]]+):(.*)$/.exec(url);
  const [, user = 'git', path = ''] = scp ?? /^ssh:\/\/([^@]+)@[^/]*\/(.*)$/.exec(url) ?? [];
  const plain = path.replace(/^\//, '');
  const named = host.includes(':') ? `[${host}]` : host;
  if (port !== 22) return [`ssh://${user}@${named}:${port}/${plain}`];
  return [
    `ssh://${user}@${named}/${plain}`,
    `ssh://${user}@${named}:22/${plain}`,
    `${user}@${named}:${plain}`,
    `https://${named}/${plain}`,
  ];
}
