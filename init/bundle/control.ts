import * as z from 'zod/mini';
import { byteSize, duration, exactlyOne, key, rule, text } from '../../config/values.ts';

/** The `control` section of a bundle file: the control API beside its unix socket. */

const LISTEN = /^((\[[\da-f:.]+\]|[\w.-]*):\d{1,5})?$/i;
const HTTP = /^(https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?)?$/i;
const ORIGIN = /^https?:\/\/[^\s/?#@]+$/i;
const HOST = /^[a-z0-9_.-]+$/i;

/**
 * Schemas of parts that few bundles have are made only where one is read: PID 1 makes all others at each start.
 */
function tokensSchema() {
  const token = z.lazy(tokenSchema);
  return z.strictObject({
    read: key(z.optional(token), 'Bearer token that may look over TCP. Exactly one source.'),
    operate: key(z.optional(token), 'Bearer token that may look and command over TCP. Exactly one source.'),
  });
}

function tokenSchema() {
  return z
    .strictObject({
      file: key(
        z.optional(z.string()),
        'File that holds it; each request that shows a token looks at it. Relative to the bundle file; empty: no token.',
      ),
      environment: key(
        z.optional(z.string()),
        "Variable of the init's own environment that holds it; empty: no token.",
      ),
      vault: key(z.optional(z.lazy(vaultSchema)), 'A secret of a KV v2 engine: its field "token".'),
      refresh: key(
        z._default(
          z.pipe(
            duration,
            z.int().check(rule((ms) => ms >= 1_000, 'is less than 1s, which would only load its source')),
          ),
          60_000,
        ),
        'How often it is read anew; 5 to 9 seconds of jitter come on top.',
      ),
    })
    .check(exactlyOne('file', 'environment', 'vault'));
}

function vaultSchema() {
  const credential = z
    .strictObject({
      file: key(z.optional(z.string()), 'File that holds it. Relative to the bundle file.'),
      environment: key(z.optional(z.string()), "Variable of the init's own environment that holds it."),
    })
    .check(exactlyOne('file', 'environment'));
  return z
    .strictObject({
      address: key(
        z.string().check(z.regex(HTTP, 'is not an address; write one such as "https://vault:8200"')),
        'Base URL of the Vault or OpenBao server, without /v1. Empty: no token.',
      ),
      prefix: key(
        z.string(),
        'Path of the KV v2 engine up to the hash, with its "data": "secret/data/agent". The whole is {address}/v1/{prefix}/{deployment_hash}/{token_key}.',
      ),
      deployment_hash: key(text, 'Which deployment this is, one segment of the path.'),
      token_key: key(
        z.optional(z.string()),
        'Last segment of the path. Default: status_panel_token to read, compose_agent_token to operate.',
      ),
      token: key(credential, 'What the init shows to the server (X-Vault-Token); read anew at each refresh.'),
      ca: key(
        z.optional(z.string()),
        "File of certificates that the server's is checked by, in PEM; default: the system's.",
      ),
      client_cert: key(z.optional(z.string()), "File of the init's own certificate (mTLS), in PEM."),
      client_key: key(z.optional(z.string()), 'File of its key, in PEM.'),
    })
    .check(
      rule(
        ({ client_cert, client_key }) => Boolean(client_cert) === Boolean(client_key),
        'needs both client_cert and client_key, or neither',
      ),
    );
}

function auditSchema() {
  return z.strictObject({
    path: key(
      z.string(),
      'File of JSON lines, to which each command is appended (mode 0600). Its directory is made where it is missing. Relative to the bundle file; empty: none.',
    ),
    max_size: key(z._default(byteSize, 10_485_760), 'A file of this size is renamed to PATH.1, and a new one begun.'),
    keep: key(
      z._default(z.int().check(z.minimum(0), z.maximum(99)), 5),
      'How many files of that kind are kept, the oldest under the highest number.',
    ),
  });
}

export const controlSchema = z.strictObject({
  listen: key(
    z.optional(z.string().check(z.regex(LISTEN, 'is not host:port, e.g. "127.0.0.1:9180"'))),
    'host:port that serves health and metrics, and with `tokens` the rest, e.g. "127.0.0.1:9180"; empty or absent: none. Read at the start of the init only, as all of `control`.',
  ),
  tokens: key(
    z.optional(z.lazy(tokensSchema)),
    'Who may do more over TCP than ask for health and metrics. Without them nobody may.',
  ),
  hosts: key(
    z.optional(z.array(z.string().check(z.regex(HOST, 'is not a host name; write it without a port')))),
    'Names by which the TCP listener may be called beside addresses, private names and its own.',
  ),
  origins: key(
    z.optional(z.array(z.string().check(z.regex(ORIGIN, 'is not an origin, e.g. "https://panel.example.com"')))),
    'Origins of web pages that may use the TCP listener, with a token, from a browser. Their commands count for the control plane web.',
  ),
  read: key(
    z.optional(
      z.strictObject({
        path: key(
          z.optional(text),
          'Path of the socket. Default: read.sock in the run directory of the init, which is the control socket with ".d" behind it.',
        ),
        user: key(z.optional(text), "Who alone may open it, as a daemon's user; empty or absent: the init's own."),
      }),
    ),
    'A second socket for one daemon, which may read everything and change nothing.',
  ),
  audit: key(
    z.optional(z.lazy(auditSchema)),
    'Where commands are kept for good. Without it those since the start of the init are known.',
  ),
});

export type Control = z.output<typeof controlSchema>;
export type ControlTokens = NonNullable<Control['tokens']>;
/** Where a bearer token of the TCP listener comes from. */
export type TokenSource = NonNullable<ControlTokens['read']>;
export type VaultSource = NonNullable<TokenSource['vault']>;
export type AuditSettings = NonNullable<Control['audit']>;
