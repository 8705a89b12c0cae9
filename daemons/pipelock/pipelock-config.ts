import * as z from 'zod/mini';

const natural = z.int().check(z.positive());
const switchable = z.strictObject({ enabled: z.literal(false) });
const action = z.enum(['warn', 'block']);

/**
 * The part of pipelock's configuration that we write, in its own spelling (pipelock 2.3.0, internal/config). pipelock refuses keys
 * that it does not know, and a boolean that is left out of a section counts as false: so the schema is strict and every
 * key is required. The generator writes it, the stand-in reads it; anything else is an error in both.
 */
export const pipelockConfigSchema = z.strictObject({
  version: z.literal(1),
  mode: z.literal('strict'),
  enforce: z.literal(true),
  explain_blocks: z.literal(false),
  api_allowlist: z.array(z.string()).check(z.minLength(1)),
  trusted_domains: z.array(z.string()),
  ssrf: z.strictObject({ ip_allowlist: z.array(z.string()) }),
  fetch_proxy: z.strictObject({
    listen: z.string(),
    timeout_seconds: natural,
    max_response_mb: natural,
    monitoring: z.strictObject({
      max_url_length: natural,
      entropy_threshold: z.number(),
      max_requests_per_minute: natural,
    }),
  }),
  forward_proxy: z.strictObject({
    enabled: z.literal(true),
    max_tunnel_seconds: natural,
    idle_timeout_seconds: natural,
    sni_verification: z.literal(true),
  }),
  websocket_proxy: z.strictObject({
    enabled: z.literal(true),
    max_message_bytes: natural,
    max_concurrent_connections: natural,
    scan_text_frames: z.literal(true),
    allow_binary_frames: z.boolean(),
    forward_cookies: z.literal(false),
    strip_compression: z.literal(true),
    max_connection_seconds: natural,
    idle_timeout_seconds: natural,
    origin_policy: z.literal('rewrite'),
  }),
  dlp: z.strictObject({ scan_env: z.literal(true), include_defaults: z.literal(true) }),
  request_body_scanning: z.strictObject({
    enabled: z.literal(true),
    action: z.literal('block'),
    max_body_bytes: natural,
    scan_headers: z.literal(true),
    header_mode: z.literal('all'),
    ignore_headers: z.array(z.string()),
  }),
  response_scanning: z.strictObject({
    enabled: z.boolean(),
    action,
    sse_streaming: z.strictObject({ enabled: z.boolean(), action, max_event_bytes: natural }),
  }),
  seed_phrase_detection: z.strictObject({
    enabled: z.literal(true),
    min_words: natural,
    verify_checksum: z.literal(true),
  }),
  tls_interception: switchable,
  browser_shield: switchable,
  media_policy: switchable,
  metrics_listen: z.string(),
  kill_switch: switchable,
  logging: z.strictObject({
    format: z.literal('json'),
    output: z.literal('stdout'),
    include_allowed: z.literal(true),
    include_blocked: z.literal(true),
  }),
});

export type PipelockConfig = z.output<typeof pipelockConfigSchema>;
