import { createInterface } from 'node:readline';

/**
 * A tool that does nothing but answer: JSON-RPC lines by hand, in both eras. What a call costs here is the least that any bridge adds itself to.
 */
const SAID = {
  initialize: `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bare","version":"1"}}`,
  'server/discover': `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`,
  'tools/list': `{"resultType":"complete","tools":[{"name":"echo","inputSchema":{"type":"object"}}],"ttlMs":0,"cacheScope":"private"}`,
  'tools/call': `{"resultType":"complete","content":[{"type":"text","text":"hello"}]}`,
  ping: '{}',
} as const;

const isKnown = (method: string): method is keyof typeof SAID => Object.hasOwn(SAID, method);

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const answer = isKnown(method) ? `"result":${SAID[method]}` : '"error":{"code":-32601,"message":"Method not found"}';
  process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${answer}}\n`);
});
