import { openCertificateAuthority } from '../../../../daemons/egress/certificate-authority.ts';
import { defaultLimits } from '../../../../daemons/egress/limits.ts';
import { createProxy } from '../../../../daemons/egress/proxy.ts';
import { throughPipelock } from '../../../../daemons/egress/upstream.ts';
import { allowAll } from './bottle.ts';

/** A proxy in a process of its own, whose memory is its own: `proxy-process.ts DIRECTORY UPSTREAM-PORT`. */
const [, , directory = '', upstreamPort = ''] = process.argv;
const ca = await openCertificateAuthority(directory);
const proxy = createProxy({
  judge: () => allowAll,
  ca,
  upstream: throughPipelock(`http://127.0.0.1:${upstreamPort}`),
  limits: defaultLimits,
  report: () => {},
});
const { port } = await proxy.listen('127.0.0.1', 0);
process.on('message', () => process.send?.(process.memoryUsage.rss()));
process.on('disconnect', () => process.exit());
process.send?.({ port, ca: ca.certificate });
