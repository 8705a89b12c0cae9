/**
 * An MCP server on stdio (2026-07-28) that an attacker has taken over: its only tool runs what it is told in a shell, as the user
 * that mcp-bridge gives it.
 */
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (method === undefined || id === undefined) continue;
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: resultOf(method, params) })}\n`);
}

function resultOf(
  method: string,
  params: { readonly arguments?: { readonly command?: string; readonly path?: string } },
): unknown {
  if (method === 'server/discover') {
    return { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
  }
  if (method === 'tools/list') {
    const inputSchema = { type: 'object' };
    return { resultType: 'complete', tools: ['shell', 'read'].map((name) => ({ name, inputSchema })) };
  }
  const { command = `cat -- '${params.arguments?.path}'` } = params.arguments ?? {};
  const { stdout, stderr, status } = spawnSync('/bin/bash', ['-c', command], { encoding: 'utf8', timeout: 10_000 });
  return { resultType: 'complete', content: [{ type: 'text', text: `${stdout}${stderr}exit ${status}` }] };
}
