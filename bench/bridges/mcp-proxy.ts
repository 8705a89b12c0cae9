import { join } from 'node:path';
import { freePort, startServer } from '../server.ts';
import { type BridgeContender, packageAbsent, packageDirectory } from './bridge.ts';

const VARIABLE = 'BENCH_MCP_PROXY';

/** mcp-proxy (punkpeye): one process of the tool for all clients, a session for each. */
export const mcpProxy = proxy('mcp-proxy', []);

/** The same without sessions. */
export const mcpProxyStateless = proxy('mcp-proxy --stateless', ['--stateless']);

function proxy(name: string, flags: readonly string[]): BridgeContender {
  return {
    name,
    role: 'peer',
    absent: () => packageAbsent('mcp-proxy', VARIABLE),
    async start({ directory, tool }) {
      const port = await freePort();
      const program = join(packageDirectory('mcp-proxy', VARIABLE), 'dist/bin/mcp-proxy.mjs');
      // No store of events: it is quicker without, and takes less memory.
      const options = ['--port', String(port), '--server', 'stream', '--upstreamProtocol', 'auto', '--no-eventStore'];
      const command = [process.execPath, program, ...options, ...flags, '--', ...tool];
      const server = await startServer({ name: 'mcp-proxy', command, port, directory });
      return { place: { kind: 'http', port, path: '/mcp' }, pid: server.pid, stop: server.stop };
    },
  };
}
