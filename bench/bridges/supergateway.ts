import { join } from 'node:path';
import { freePort, startServer } from '../server.ts';
import { type BridgeContender, packageAbsent, packageDirectory } from './bridge.ts';

const VARIABLE = 'BENCH_SUPERGATEWAY';

/** supergateway with a process of the tool for each session. */
export const supergatewayStateful = supergateway('supergateway --stateful', ['--stateful'], false);

/** supergateway as it is without a flag: a process of the tool for each call. */
export const supergatewayStateless = supergateway('supergateway', [], true);

function supergateway(name: string, flags: readonly string[], isSlow: boolean): BridgeContender {
  return {
    name,
    role: 'peer',
    isSlow,
    absent: () => packageAbsent('supergateway', VARIABLE),
    async start({ directory, tool }) {
      const port = await freePort();
      const program = join(packageDirectory('supergateway', VARIABLE), 'dist/index.js');
      // The tool's command line goes through a shell.
      const stdio = tool.map((word) => `'${word}'`).join(' ');
      const options = ['--stdio', stdio, '--outputTransport', 'streamableHttp', '--port', String(port)];
      const command = [process.execPath, program, ...options, '--logLevel', 'none', ...flags];
      const server = await startServer({ name: 'supergateway', command, port, directory });
      return { place: { kind: 'http', port, path: '/mcp' }, pid: server.pid, stop: server.stop };
    },
  };
}
