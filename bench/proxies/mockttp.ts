import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { freePort, startServer } from '../server.ts';
import { type ProxyContender, runningProxy } from './proxy.ts';

/** Where bench/install-peers.sh puts it, unless BENCH_MOCKTTP says otherwise. */
const packageDirectory = () =>
  process.env.BENCH_MOCKTTP ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bottled-bench/node_modules/mockttp');

/** mockttp, a proxy in JavaScript for tests, run by the same Node as ours. */
export const mockttp: ProxyContender = {
  name: 'mockttp',
  role: 'peer',
  absent: () =>
    existsSync(join(packageDirectory(), 'package.json'))
      ? undefined
      : `mockttp is not in ${packageDirectory()}, nor where BENCH_MOCKTTP says (bench/install-peers.sh)`,
  async start({ directory }) {
    const port = await freePort();
    const program = join(import.meta.dirname, '../processes/mockttp.cjs');
    const command = [process.execPath, program, packageDirectory(), String(port)];
    return runningProxy([await startServer({ name: 'mockttp', command, port, directory })]);
  },
};
