import * as z from 'zod/mini';
import { duration, exactlyOne, key, port, rule } from '../../config/values.ts';

const LOOPBACK = '127.0.0.1';

const probeHost = key(z._default(z.string(), LOOPBACK), 'Host to connect to.');

const http = z.strictObject({
  port: key(z.int().check(z.minimum(1), z.maximum(65535)), 'Port to connect to.'),
  path: key(z._default(z.string().check(z.startsWith('/')), '/'), 'Path of the request.'),
  host: probeHost,
  scheme: key(
    z._default(z.enum(['http', 'https']), 'http'),
    'https is not verified: a probe asks whether the daemon answers.',
  ),
  headers: key(z._default(z.record(z.string(), z.string()), {}), 'Headers to send.'),
  status: key(
    z.optional(z.array(z.int().check(z.minimum(100), z.maximum(599)))),
    'Codes that pass; without it 200 to 399, as in Kubernetes.',
  ),
});

const test = z.codec(z.union([z.string(), z.array(z.string())]), z.array(z.string()), {
  decode: (value) => (typeof value === 'string' ? ['CMD-SHELL', value] : value),
  encode: (list) => list,
});

const KINDS = ['CMD', 'CMD-SHELL', 'NONE'];

function probes(check: { test?: unknown; http?: unknown; tcp?: unknown; unix?: unknown }): number {
  return [check.test, check.http, check.tcp, check.unix].filter((probe) => probe !== undefined).length;
}

/** Compose's `healthcheck`, with three kinds of probe beside Compose's `test`. Exactly one of the four is given. */
export const healthcheck = z
  .strictObject({
    test: key(
      z.optional(
        test.check((payload) => {
          const [kind = '', ...words] = payload.value;
          if (!KINDS.includes(kind)) {
            const message = 'must begin with "CMD", "CMD-SHELL" or "NONE", or be one text for the shell';
            payload.issues.push({ code: 'custom', input: payload.value, message });
          } else if (kind !== 'NONE' && (words[0] ?? '') === '') {
            const message = `says nothing to run after "${kind}"`;
            payload.issues.push({ code: 'custom', input: payload.value, message });
          }
        }),
      ),
      'Compose: ["CMD", program, args…], ["CMD-SHELL", text], ["NONE"], or a text for the shell.',
    ),
    http: key(z.optional(http), 'Passes when a request is answered well.'),
    tcp: key(
      z.optional(z.strictObject({ port: key(z.clone(port), 'Port to connect to.'), host: probeHost })),
      'Passes when a connection to this port is accepted.',
    ),
    unix: key(
      z.optional(z.strictObject({ path: key(z.string().check(z.minLength(1)), 'Path of the socket.') })),
      'Passes when a connection to this socket is accepted.',
    ),
    interval: key(z._default(duration, 30_000), 'From the end of one probe to the next, once it is ready.'),
    timeout: key(z._default(duration, 30_000), 'A probe that takes longer has failed.'),
    retries: key(
      z._default(z.int().check(z.positive()), 3),
      'Failures in a row, after start_period, that make it unhealthy.',
    ),
    start_period: key(z._default(duration, 0), 'Failures within this time after the start do not count.'),
    start_interval: key(z._default(duration, 5_000), 'From the end of one probe to the next until it is ready.'),
    disable: key(z._default(z.boolean(), false), 'true: no probe at all, as test: ["NONE"].'),
  })
  .check(
    z.refine((check) => check.disable === true || probes(check) === 1, {
      error: 'needs exactly one probe: test, http, tcp or unix',
      when: (payload) => typeof payload.value === 'object' && payload.value !== null,
    }),
  );

function isPattern(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}

/** How a daemon says that it does its job now, where that is not its first passing health check. Exactly one key. */
export const ready = z
  .strictObject({
    notify_fd: key(
      z.optional(z.int().check(z.minimum(3), z.maximum(255))),
      'Ready when it writes a newline to this file descriptor (s6).',
    ),
    sd_notify: key(z.optional(z.literal(true)), 'Ready when it sends READY=1 to $NOTIFY_SOCKET (sd_notify(3)).'),
    log: key(
      z.optional(
        z.string().check(z.minLength(1), rule(isPattern, 'is not a regular expression that JavaScript knows')),
      ),
      'Ready when a line of its output matches this regular expression.',
    ),
    after: key(z.optional(duration), 'Ready when it has run this long; 1s where nothing else is said.'),
  })
  .check(exactlyOne('notify_fd', 'sd_notify', 'log', 'after'));
