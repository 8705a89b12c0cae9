import assert from 'node:assert/strict';
import { formatProblem } from '../../../../config/problem.ts';
import { parsePolicy } from '../../../../daemons/mcp-bridge/config/load.ts';
import type { Exchange, Rules } from '../../../../daemons/mcp-bridge/policy/judge.ts';

/** The rules of a policy whose `spec.rules` are these. */
export async function rulesOf(rules: string, governance = 'mode: blocking'): Promise<Rules> {
  const text = `apiVersion: polis.io/v1
kind: Policy
metadata: { name: test }
spec:
  governance: { ${governance} }
  tools: []
  rules:
${rules.replace(/^/gm, '    ')}
`;
  const loaded = await parsePolicy('p.yaml', text, { credentials: undefined, variables: {} });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return loaded.policy.rules;
}

/** A call of a tool. */
export function call(name: string, args: Exchange['params'] = {}, more: Partial<Exchange> = {}): Exchange {
  return {
    direction: 'request',
    tool: 'files',
    method: 'tools/call',
    params: { name, arguments: args },
    agent: 'claude',
    session: 's1',
    ...more,
  };
}

export function resultOf(text: string, more: Partial<Exchange> = {}): Exchange {
  return call('read', {}, { direction: 'result', result: { content: [{ type: 'text', text }] }, ...more });
}
