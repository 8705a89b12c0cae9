import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startServer } from '../server.ts';
import type { BridgeContender } from './bridge.ts';

const PROGRAM = join(import.meta.dirname, '../../dist/mcp-bridge.mjs');

/** The daemon as the bundle runs it: each message is judged by rules, and each answer searched for a secret that it knows. */
export const mcpBridge: BridgeContender = {
  name: 'mcp-bridge',
  role: 'ours',
  absent: () => (existsSync(PROGRAM) ? undefined : 'dist/mcp-bridge.mjs is not built (npm run build)'),
  async start({ directory, tool }) {
    const file = join(directory, 'polis-policy.yaml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(policyOf(tool)));
    const port = await freePort();
    const environment = {
      MCP_BRIDGE_POLICY: file,
      MCP_BRIDGE_LISTEN: '127.0.0.1',
      MCP_BRIDGE_PORT: String(port),
      MCP_BRIDGE_METRICS_PORT: '0',
      BENCH_SECRET: 'a-secret-that-no-answer-holds',
    };
    const command = [process.execPath, '--max-semi-space-size=8', PROGRAM];
    const server = await startServer({ name: 'mcp-bridge', command, port, directory, environment });
    return { place: { kind: 'http', port, path: '/mcp/tool' }, pid: server.pid, stop: server.stop };
  },
};

function policyOf(command: readonly string[]) {
  const environment = { SECRET: `\${BENCH_SECRET}` };
  return {
    apiVersion: 'polis.io/v1',
    kind: 'Policy',
    metadata: { name: 'bench' },
    spec: {
      governance: { mode: 'blocking', default: 'block' },
      tools: [{ name: 'tool', driver: 'local', command, environment, life: 'stateless' }],
      rules: [
        { name: 'not-etc', when: { arguments: [{ path: '$.path', matches: '^/etc/' }] }, action: 'block' },
        { name: 'calls', when: { methods: ['*'] }, action: 'allow' },
      ],
    },
  };
}
