import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { listEgressRoutes } from '../egress-routes.ts';
import type { Desk, Submitted } from '../queue/desk.ts';
import { ID } from '../queue/id.ts';
import { errorResult, resultFor, unchangedResult } from './answer.ts';
import { createCallLimit } from './call-limit.ts';
import { AGENT, type Drafting, draftOf } from './draft.ts';
import { serveResources } from './resources.ts';
import { declaresTasks, serveTasks, TASKS_EXTENSION, taskResult } from './tasks.ts';
import { isToolName, type ProposingTool, parseInput, TOOLS } from './tools.ts';
import { waitForAnswer } from './wait.ts';

export interface AgentServerOptions {
  readonly desk: Desk;
  readonly drafting: Drafting;
  /** The proxy port of egress. */
  readonly egress: URL;
  /** How long a call waits for a decision, in milliseconds. */
  readonly wait_ms: number;
  /** How long a task can be asked for, in milliseconds. */
  readonly task_ms: number;
  /** Ends every wait: the daemon stops. */
  readonly stopping: AbortSignal;
  readonly now: () => number;
}

const EGRESS_TIMEOUT_MS = 5_000;
/** Proposing calls within a minute; each is read and scanned, whatever becomes of it. */
const MOST_CALLS_PER_MINUTE = 120;
/** Calls that wait at once; one more is answered without waiting. */
const MOST_WAITING = 64;

const INSTRUCTIONS =
  'You work in a container that can reach only what its operator allows. When something is refused that you need, propose a change here: a person decides. For the network: list-egress-routes, edit, egress-block. A call that answers "pending" is no error; go on and ask later with check-proposal. The files that you can propose to change are resources.';

/** Makes servers that answer the agent: one for each request of the modern era, one for each session of the one before. */
export function createAgentServers(options: AgentServerOptions): (era: 'legacy' | 'modern') => Server {
  const { desk, drafting, egress, wait_ms, task_ms, stopping, now } = options;
  const mayPropose = createCallLimit(MOST_CALLS_PER_MINUTE);
  let waiting = 0;

  async function listRoutes(signal: AbortSignal): Promise<CallToolResult> {
    try {
      const routes = await listEgressRoutes(egress, EGRESS_TIMEOUT_MS, signal);
      return { content: [{ type: 'text', text: routes }], structuredContent: { routes_yaml: routes } };
    } catch (error) {
      return errorResult(error instanceof Error ? error.message : String(error));
    }
  }

  async function propose(tool: ProposingTool, given: unknown, ctx: ServerContext): Promise<CallToolResult> {
    if (desk.readOnly !== undefined) return readOnly();
    if (!mayPropose(now())) return errorResult('too many calls; nothing was proposed. Try again in a minute.');
    const call = parseCall(tool, given);
    if (!call.ok) return invalid(call.faults);
    const drafted = await draftOf(drafting, call.call);
    if (drafted.ok === 'unchanged') return unchangedResult(drafted.target);
    if (!drafted.ok) return errorResult(`Nothing was proposed:\n${drafted.reason}`);
    const submitted = await desk.submit(drafted.draft);
    if (!submitted.ok) return notSubmitted(submitted, drafted.draft.target);
    const { id } = submitted.proposal;
    const entry = desk.find(id);
    if (entry === undefined) return resultFor(submitted.proposal);
    if (declaresTasks(ctx) && desk.state.entries.get(id)?.ended === null) {
      // The shape is another one than a tool's result: the extension lets a call be answered by a task.
      return { ...taskResult(entry, task_ms), content: [] };
    }
    return waitAndAnswer(id, ctx);
  }

  async function check(given: unknown, ctx: ServerContext): Promise<CallToolResult> {
    const parsed = parseInput('check-proposal', given);
    if (!parsed.ok) return invalid(parsed.faults);
    if (desk.readOnly !== undefined) return readOnly();
    const { id, wait = false } = parsed.input;
    const found = ID.test(id) ? desk.find(id)?.proposal : undefined;
    if (found?.source !== AGENT) {
      return errorResult(`There is no proposal ${JSON.stringify(id)} of yours, or it was decided long ago.`);
    }
    return wait ? waitAndAnswer(id, ctx) : resultFor(found);
  }

  async function waitAndAnswer(id: string, ctx: ServerContext): Promise<CallToolResult> {
    const { signal, _meta: meta, notify } = ctx.mcpReq;
    const progressToken = meta?.progressToken;
    waiting++;
    try {
      await waitForAnswer({
        desk,
        id,
        atMost: waiting > MOST_WAITING ? 0 : wait_ms,
        signal: AbortSignal.any([signal, stopping]),
        ...(progressToken === undefined
          ? {}
          : {
              onProgress: (seconds) => {
                const params = {
                  progressToken,
                  progress: seconds,
                  total: Math.ceil(wait_ms / 1000),
                  message: `${id} waits for the operator`,
                };
                // A client that has gone hears nothing, and that is all.
                notify({ method: 'notifications/progress', params }).catch(() => {});
              },
            }),
      });
    } finally {
      waiting--;
    }
    if (desk.readOnly !== undefined) return readOnly();
    const proposal = desk.find(id)?.proposal;
    return proposal === undefined ? errorResult(`${id} was decided, and is not kept any more.`) : resultFor(proposal);
  }

  function call(name: string, given: unknown, ctx: ServerContext): Promise<CallToolResult> {
    if (!isToolName(name)) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no tool ${JSON.stringify(name.slice(0, 80))}`);
    }
    if (name === 'list-egress-routes') {
      const parsed = parseInput(name, given);
      return parsed.ok ? listRoutes(ctx.mcpReq.signal) : Promise.resolve(invalid(parsed.faults));
    }
    return name === 'check-proposal' ? check(given, ctx) : propose(name, given, ctx);
  }

  return (era) => {
    const server = new Server(
      { name: 'supervise', title: 'Supervise', version: process.env.BOTTLED_VERSION ?? '0.0.0' },
      {
        capabilities: {
          tools: {},
          resources: {},
          ...(era === 'modern' ? { extensions: { [TASKS_EXTENSION]: {} } } : {}),
        },
        instructions: INSTRUCTIONS,
        cacheHints: {
          'tools/list': { ttlMs: 3_600_000, cacheScope: 'public' },
          'resources/list': { ttlMs: 3_600_000, cacheScope: 'public' },
        },
      },
    );
    server.setRequestHandler('tools/list', () => ({ tools: TOOLS }));
    server.setRequestHandler('tools/call', ({ params }, ctx) => call(params.name, params.arguments, ctx));
    serveResources(server, drafting);
    if (era === 'modern') serveTasks(server, desk, task_ms);
    return server;
  };
}

type Call = Parameters<typeof draftOf>[1];

function parseCall(
  tool: ProposingTool,
  given: unknown,
): { readonly ok: true; readonly call: Call } | { readonly ok: false; readonly faults: readonly string[] } {
  switch (tool) {
    case 'egress-block': {
      const parsed = parseInput(tool, given);
      return parsed.ok ? { ok: true, call: { tool, input: parsed.input } } : parsed;
    }
    case 'pipelock-block': {
      const parsed = parseInput(tool, given);
      return parsed.ok ? { ok: true, call: { tool, input: parsed.input } } : parsed;
    }
    case 'capability-block': {
      const parsed = parseInput(tool, given);
      return parsed.ok ? { ok: true, call: { tool, input: parsed.input } } : parsed;
    }
  }
}

function invalid(faults: readonly string[]): CallToolResult {
  return errorResult(`The arguments are not valid:\n${faults.join('\n')}`);
}

/** What stands in the way is told to the operator in the log, not to the agent. */
function readOnly(): CallToolResult {
  return errorResult(
    'supervise cannot write its log, so nothing can be proposed or decided. Only the operator can mend that.',
  );
}

function notSubmitted(submitted: Extract<Submitted, { readonly ok: false }>, target: string): CallToolResult {
  if (submitted.cause === 'unchanged') return unchangedResult(target);
  return submitted.cause === 'read-only' ? readOnly() : errorResult(submitted.reason);
}
