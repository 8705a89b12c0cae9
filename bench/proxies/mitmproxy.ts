import { needs } from '../contenders/contender.ts';
import { freePort, startServer } from '../server.ts';
import { type ProxyContender, runningProxy } from './proxy.ts';

/**
 * mitmdump(1), without its log of flows. Bodies pass without being held, as in the others, and it does not ask the origin for its
 * certificate before it shows one of its own.
 */
export const mitmproxy: ProxyContender = {
  name: 'mitmproxy',
  role: 'peer',
  absent: () => needs('mitmdump', 'mitmproxy'),
  async start({ directory }) {
    const port = await freePort();
    const options = [
      'connection_strategy=lazy',
      'upstream_cert=false',
      `confdir=${directory}`,
      'stream_large_bodies=1',
      'listen_host=127.0.0.1',
    ];
    const command = [
      'mitmdump',
      '-q',
      '-p',
      String(port),
      '--ssl-insecure',
      ...options.flatMap((option) => ['--set', option]),
    ];
    return runningProxy([await startServer({ name: 'mitmdump', command, port, directory })]);
  },
};
