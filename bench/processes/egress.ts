import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { createSecureContext } from 'node:tls';
import { formatAuthority } from '../../daemons/authority/authority.ts';
import { openCertificateAuthority } from '../../daemons/egress/certificate-authority.ts';
import { readCredentials } from '../../daemons/egress/credentials.ts';
import { createFindings } from '../../daemons/egress/findings.ts';
import { defaultLimits } from '../../daemons/egress/limits.ts';
import { createMetrics } from '../../daemons/egress/metrics.ts';
import { openPolicy } from '../../daemons/egress/policy.ts';
import { createProxy } from '../../daemons/egress/proxy.ts';
import { createTrafficLog } from '../../daemons/egress/traffic-log.ts';
import type { Upstream } from '../../daemons/egress/upstream.ts';
import { createLog } from '../../daemons/log/log.ts';
import { injectableHeaders } from '../../daemons/routes/listing.ts';

/**
 * The egress daemon with the origin where pipelock is otherwise: `egress.ts PORT ROUTES CA-DIRECTORY ORIGIN-CERTIFICATE`.
 * Everything else is wired as in its own entry: policy from routes.yaml, credentials, metrics, traffic log.
 */
const [, , port = '', routesFile = '', directory = '', certificateFile = ''] = process.argv;
const log = createLog('egress');
const ca = await openCertificateAuthority(directory);
const given = new Map(
  Object.entries(process.env).flatMap(([name, value = '']): [string, string][] =>
    name === 'EGRESS_CANARY' ? [['CANARY', value]] : name.startsWith('EGRESS_TOKEN_') ? [[name, value]] : [],
  ),
);
const { credentials } = await readCredentials(given, undefined);
const metrics = createMetrics({ routes: () => 0, connections: () => 0, tunnels: () => 0, lastReload_ms: () => 0 });
const policy = await openPolicy(
  {
    routesFile,
    given,
    credentialsDirectory: undefined,
    caPem: ca.certificate,
    found: createFindings(log, metrics),
    publish: async () => {},
    reloaded: metrics.countReload,
    log,
    clock: Date.now,
  },
  credentials,
);
const logTraffic = createTrafficLog({
  log,
  level: () => policy.current().routes.log,
  mask: policy.mask,
  secretHeaders: () => new Set(injectableHeaders(policy.current().routes)),
});
const proxy = createProxy({
  judge: () => policy.current().judge,
  ca,
  upstream: straight(readFileSync(certificateFile, 'utf8')),
  limits: defaultLimits,
  report(exchange) {
    metrics.countExchange(exchange);
    logTraffic(exchange);
  },
});
await proxy.listen('127.0.0.1', Number(port));

/** The way out straight to the origin, over TLS, whose authority is the only one that is trusted. */
function straight(authority: string): Upstream {
  const agent = new Agent({
    secureContext: createSecureContext({ ca: authority }),
    keepAlive: true,
    scheduling: 'lifo',
    maxSockets: 512,
    maxFreeSockets: 128,
    timeout: 30_000,
  });
  return {
    name: 'the origin',
    request({ authority: place, method, target, headers }) {
      const { host, port: at } = place;
      return request({
        agent,
        host,
        port: at,
        method,
        path: target,
        headers: ['Host', formatAuthority(place, 443), ...headers],
      });
    },
    webSocket() {
      throw new Error('no WebSocket is measured');
    },
    refused: () => false,
    close: () => agent.destroy(),
  };
}
