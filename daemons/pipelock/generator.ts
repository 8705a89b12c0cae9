import { stringify } from 'yaml';
import { formatListen, type Listen } from './environment.ts';
import type { PipelockConfig } from './pipelock-config.ts';
import type { Settings } from './settings.ts';

/** What the routes of egress say to pipelock. */
export interface RoutePolicy {
  /** Hosts and patterns (`*.example.com`) of the routes. */
  readonly hosts: readonly string[];
  /** Headers that egress may write. It strips them from what the agent sends, on every route. */
  readonly injectedHeaders: readonly string[];
}

/** Where pipelock listens. */
export interface Listeners {
  readonly proxy: Listen;
  readonly metrics: Listen;
}

/**
 * The one host that stands in the allow-list where no host may be reached: pipelock refuses an empty list in strict mode.
 * The top-level domain `invalid` never resolves (RFC 6761, 6.4).
 */
export const NO_HOST = 'none.invalid';

/**
 * Headers that hold nothing an agent could choose freely and send on: hop-by-hop ones are dropped, Host and Content-Length are
 * made anew. The rest of pipelock's own list (User-Agent, Accept, Accept-Encoding, Content-Type) does go out as the agent
 * wrote it, so it is scanned.
 */
const FRAMING_HEADERS = [
  'Connection',
  'Content-Length',
  'Host',
  'Keep-Alive',
  'Proxy-Authenticate',
  'Te',
  'Trailer',
  'Transfer-Encoding',
  'Upgrade',
];

/** More MiB than any answer has: pipelock cuts every answer at its limit, also one that it does not scan. */
const NO_RESPONSE_LIMIT_MB = 1024 * 1024;

/** Configuration of pipelock. Pure: the same input gives the same configuration, whatever the order of hosts and headers. */
export function generate(policy: RoutePolicy, settings: Settings, listeners: Listeners): PipelockConfig {
  const hosts = unique([...policy.hosts, ...settings.extra_hosts, ...settings.internal_hosts]);
  const scansResponses = settings.response_scanning !== 'off';
  const action = settings.response_scanning === 'block' ? 'block' : 'warn';
  return {
    version: 1,
    mode: 'strict',
    enforce: true,
    explain_blocks: false,
    api_allowlist: hosts.length === 0 ? [NO_HOST] : hosts,
    trusted_domains: unique(settings.internal_hosts),
    ssrf: { ip_allowlist: unique(settings.ip_allowlist) },
    fetch_proxy: {
      listen: formatListen(listeners.proxy),
      timeout_seconds: settings.request_timeout / 1000,
      max_response_mb: scansResponses ? settings.max_response_mb : NO_RESPONSE_LIMIT_MB,
      monitoring: {
        max_url_length: settings.max_url_length,
        entropy_threshold: settings.url_entropy,
        max_requests_per_minute: settings.requests_per_minute,
      },
    },
    forward_proxy: {
      enabled: true,
      max_tunnel_seconds: settings.tunnel_timeout / 1000,
      idle_timeout_seconds: settings.idle_timeout / 1000,
      sni_verification: true,
    },
    websocket_proxy: {
      enabled: true,
      max_message_bytes: settings.websocket.max_message_bytes,
      max_concurrent_connections: settings.websocket.max_connections,
      scan_text_frames: true,
      allow_binary_frames: settings.websocket.binary,
      forward_cookies: false,
      strip_compression: true,
      max_connection_seconds: settings.tunnel_timeout / 1000,
      idle_timeout_seconds: settings.idle_timeout / 1000,
      origin_policy: 'rewrite',
    },
    dlp: { scan_env: true, include_defaults: true },
    request_body_scanning: {
      enabled: true,
      action: 'block',
      max_body_bytes: settings.max_body_bytes,
      scan_headers: true,
      header_mode: 'all',
      ignore_headers: unique([...FRAMING_HEADERS, ...policy.injectedHeaders.map(canonicalHeader)]),
    },
    response_scanning: {
      enabled: scansResponses,
      action,
      sse_streaming: { enabled: scansResponses, action, max_event_bytes: 65536 },
    },
    seed_phrase_detection: { enabled: true, min_words: 12, verify_checksum: true },
    tls_interception: { enabled: false },
    browser_shield: { enabled: false },
    media_policy: { enabled: false },
    metrics_listen: formatListen(listeners.metrics),
    kill_switch: { enabled: false },
    logging: { format: 'json', output: 'stdout', include_allowed: true, include_blocked: true },
  };
}

/** As the file that `pipelock check` and `pipelock run` read. */
export function toYaml(config: PipelockConfig): string {
  return `# Made by bottled from the routes of egress; a change here is lost with the next reload.\n${stringify(config, { lineWidth: 0 })}`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values.map((value) => value.trim()))].sort();
}

/** `x-api-key` as `X-Api-Key`, the spelling in which Go holds a header. */
function canonicalHeader(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
