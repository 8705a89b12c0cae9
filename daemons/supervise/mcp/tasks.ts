import {
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod/mini';
import type { Desk } from '../queue/desk.ts';
import { ID } from '../queue/id.ts';
import { type Entry, isAnswered } from '../queue/state.ts';
import { resultFor, sentenceFor } from './answer.ts';
import { AGENT } from './draft.ts';

/** The Tasks extension (SEP-2663): a client that declares it gets a task to poll instead of a call that waits. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

/** How often a client may well ask. People take minutes. */
const POLL_EVERY_MS = 5_000;

/** Each proposal stands for one task at a time; when that is cancelled, the next call about it begins another. */
const MOST_CANCELLED = 100;

const declared = z.looseObject({
  [CLIENT_CAPABILITIES_META_KEY]: z.looseObject({
    extensions: z.looseObject({ [TASKS_EXTENSION]: z.looseObject({}) }),
  }),
});

/** Whether the client of this request has declared the extension. */
export function declaresTasks(ctx: ServerContext): boolean {
  return declared.safeParse(ctx.mcpReq.envelope).success;
}

interface TaskFields {
  readonly taskId: string;
  readonly status: 'working' | 'completed' | 'cancelled';
  readonly statusMessage: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  readonly ttlMs: number;
  readonly pollIntervalMs: number;
}

/** The task that stands for a proposal now, as the result of the call that proposed it. */
export function taskResult(entry: Entry, ttl_ms: number): TaskFields & { readonly resultType: 'task' } {
  return { resultType: 'task', ...fieldsOf(entry, entry.cancelled, ttl_ms) };
}

/** Answers `tasks/get`, `tasks/cancel` and `tasks/update`. All of it comes out of the log: a task outlives a restart. */
export function serveTasks(server: Server, desk: Desk, ttl_ms: number): void {
  const params = z.looseObject({ taskId: z.string() });

  server.setRequestHandler('tasks/get', { params }, ({ taskId }, ctx) => {
    const { entry, number } = taskOf(desk, taskId, ctx);
    const fields = fieldsOf(entry, number, ttl_ms);
    return fields.status === 'completed' ? { ...fields, result: resultFor(entry.proposal) } : { ...fields };
  });

  server.setRequestHandler('tasks/cancel', { params }, async ({ taskId }, ctx) => {
    const { entry, number } = taskOf(desk, taskId, ctx);
    const isRunning = number === entry.cancelled && !isAnswered(entry.proposal);
    if (isRunning && number >= MOST_CANCELLED) {
      throw new ProtocolError(ProtocolErrorCode.InternalError, 'Too many tasks of this proposal were cancelled');
    }
    if (isRunning && !(await desk.cancelTask(entry.proposal.id))) {
      throw new ProtocolError(ProtocolErrorCode.InternalError, 'Nothing can be written down now');
    }
    return {};
  });

  server.setRequestHandler('tasks/update', { params }, ({ taskId }, ctx) => {
    // A task here never asks its client for anything, so there is nothing that could be taken over.
    taskOf(desk, taskId, ctx);
    return {};
  });
}

function taskOf(desk: Desk, taskId: string, ctx: ServerContext): { readonly entry: Entry; readonly number: number } {
  if (!declaresTasks(ctx)) {
    throw new MissingRequiredClientCapabilityError({
      requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } },
    });
  }
  const [id = '', digits = '', ...rest] = taskId.split('.');
  const entry = ID.test(id) && /^\d{1,3}$/.test(digits) && rest.length === 0 ? desk.find(id) : undefined;
  const number = Number(digits);
  if (entry === undefined || entry.proposal.source !== AGENT || number > entry.cancelled) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'There is no such task');
  }
  return { entry, number };
}

function fieldsOf({ proposal, cancelled, ended }: Entry, number: number, ttl_ms: number): TaskFields {
  const status = number < cancelled ? 'cancelled' : isAnswered(proposal) ? 'completed' : 'working';
  return {
    taskId: `${proposal.id}.${number}`,
    status,
    statusMessage: status === 'cancelled' ? `${proposal.id} stays in the operator's list.` : sentenceFor(proposal),
    createdAt: proposal.created,
    lastUpdatedAt: ended ?? proposal.outcome?.time ?? proposal.decision?.time ?? proposal.created,
    ttlMs: ttl_ms,
    pollIntervalMs: POLL_EVERY_MS,
  };
}
