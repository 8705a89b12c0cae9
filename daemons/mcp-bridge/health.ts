import type { ToolState } from './tools/state.ts';

/** One tool, as its health is told. */
export interface ToolHealth {
  readonly name: string;
  state(): ToolState;
  restarts(): number;
}

/**
 * Answers `/health`: unhealthy where a tool keeps failing. One that nobody called yet is well. Why it fails is for the log, not for the
 * agent. `digest` is that of the policy in force.
 */
export function healthOf(
  tools: Iterable<ToolHealth>,
  digest: string | undefined,
): { readonly isHealthy: boolean; readonly body: string } {
  const entries = [...tools].map((tool) => {
    const state = tool.state();
    const detail = state.kind === 'running' ? { processes: state.processes } : {};
    return { name: tool.name, status: state.kind, ...detail, restarts: tool.restarts() };
  });
  const failing = entries.filter(({ status }) => status === 'failing').map(({ name }) => name);
  const isHealthy = failing.length === 0;
  const status = isHealthy ? { status: 'healthy' } : { status: 'unhealthy', reason: `failing: ${failing.join(', ')}` };
  return { isHealthy, body: `${JSON.stringify({ ...status, config_sha256: digest, tools: entries })}\n` };
}
