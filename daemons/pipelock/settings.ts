import { isIP } from 'node:net';
import * as z from 'zod/mini';
import { type Json, jsonSchemaOf } from '../../config/json-schema.ts';
import { type LoadedConfig, loadConfig } from '../../config/load.ts';
import { duration, key, rule } from '../../config/values.ts';

const MiB = 1024 * 1024;
const HOUR = 60 * 60 * 1000;

/** No request body can be allowed to be longer, in bytes: each is held in memory and scanned as a whole. */
export const LONGEST_BODY = 256 * MiB;

const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

const hostPattern = z
  .string()
  .check(
    rule<string>(
      (host) => isIP(host) !== 0 || NAME.test(host.startsWith('*.') ? host.slice(2) : host),
      'is not a host; write a name (api.example.com), all names below one (*.example.com) or an address, without a port',
    ),
  );

const hostName = z
  .string()
  .check(
    rule<string>(
      (host) => isIP(host) === 0 && NAME.test(host.startsWith('*.') ? host.slice(2) : host),
      'is not a name of a host; an address goes into ip_allowlist',
    ),
  );

const network = z
  .string()
  .check(rule<string>(isCanonicalNetwork, 'is not a network in canonical form, e.g. 172.18.0.0/16 or fd00:1::/64'));

const seconds = duration.check(
  rule<number>((ms) => ms >= 1000 && ms % 1000 === 0, 'is not a whole number of seconds, at least 1s'),
);

const count = (most: number) => z.int().check(z.minimum(1), z.maximum(most));

const websocket = z.strictObject({
  max_message_bytes: key(
    z._default(count(16 * MiB), MiB),
    'Longest message, either way, in bytes; a longer one ends the connection.',
  ),
  max_connections: key(z._default(count(1024), 128), 'Connections at the same time.'),
  binary: key(
    z._default(z.boolean(), false),
    'Whether binary messages pass. pipelock does not scan them, so they are a way out for secrets.',
  ),
});

/** What an operator can say about pipelock. Everything has a default that suits an agent which talks to language models. */
export const settingsSchema = z.strictObject({
  extra_hosts: key(
    z._default(z.array(hostPattern).check(z.maxLength(1000)), []),
    'Hosts that pass in addition to those of the routes of egress.',
  ),
  internal_hosts: key(
    z._default(z.array(hostName).check(z.maxLength(1000)), []),
    'Names that may resolve to private addresses, e.g. a model server beside the agent. They pass as if in extra_hosts.',
  ),
  ip_allowlist: key(
    z._default(z.array(network).check(z.maxLength(1000)), []),
    'Private networks that may be reached, e.g. that of a model server.',
  ),
  requests_per_minute: key(
    z._default(count(1_000_000), 6000),
    'Requests a minute to one domain; more are answered with 429. An agent that installs packages sends hundreds in seconds.',
  ),
  max_url_length: key(
    z._default(count(64 * 1024), 16 * 1024),
    'Longest URL in bytes. Signed download links have about 2 KiB, search queries sometimes 8 KiB.',
  ),
  url_entropy: key(
    z._default(z.number().check(z.minimum(1), z.maximum(8)), 5.6),
    'A part of a URL with more bits per character than this is taken for smuggled data. Ids of real services reach 5.43.',
  ),
  max_body_bytes: key(
    z._default(count(LONGEST_BODY), 32 * MiB),
    'Longest request body. It is held in memory to be scanned; a longer one is refused. Model APIs take up to 32 MiB.',
  ),
  request_timeout: key(
    z._default(seconds, HOUR),
    'Time for one request with its answer, from the first byte to the last: a long answer of a model, or a big download.',
  ),
  tunnel_timeout: key(z._default(seconds, HOUR), 'Longest life of a CONNECT tunnel or of a WebSocket.'),
  idle_timeout: key(
    z._default(seconds, 10 * 60 * 1000),
    'How long a CONNECT tunnel or a WebSocket may be silent. A model that thinks is silent for minutes.',
  ),
  response_scanning: key(
    z._default(z.enum(['off', 'warn', 'block']), 'off'),
    'Whether answers are searched for prompt injection. If so, every answer but an event stream is held in memory first, and compressed ones are refused.',
  ),
  max_response_mb: key(
    z._default(count(4096), 64),
    'Longest answer in MiB where answers are scanned; without a scan there is no limit.',
  ),
  websocket: key(z.prefault(websocket, {}), 'Bounds of WebSocket connections.'),
});

export type Settings = z.output<typeof settingsSchema>;

/** The JSON Schema of pipelock.yaml. */
export function pipelockJsonSchema(): Json {
  return jsonSchemaOf(settingsSchema, {
    id: 'pipelock.schema.json',
    title: 'pipelock.yaml',
    description: 'What an operator can say about pipelock. Hosts come from routes.yaml.',
  });
}

/** The settings of a bundle that has none of its own. */
export const DEFAULT_SETTINGS: Settings = z.parse(settingsSchema, {});

/** Reads the settings file; never rejects. */
export function loadSettings(file: string): Promise<LoadedConfig<Settings>> {
  return loadConfig(file, settingsSchema);
}

/** Canonical as Go's `net.ParseCIDR` and pipelock want it: no bits set beyond the prefix. */
function isCanonicalNetwork(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = isIP(address);
  if (rest.length > 0 || family === 0 || !/^\d{1,3}$/.test(prefix) || address.includes('%')) return false;
  const size = Number(prefix);
  const bits = family === 4 ? ipv4Bits(address) : ipv6Bits(address);
  return size <= bits.length && !bits.slice(size).includes('1');
}

function ipv4Bits(address: string): string {
  return address
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
}

function ipv6Bits(address: string): string {
  const [head = '', tail] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((part) => Number.parseInt(part, 16).toString(2).padStart(16, '0')).join('');
}
