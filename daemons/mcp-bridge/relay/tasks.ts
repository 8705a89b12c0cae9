import { isObject, type JsonObject, type JsonValue, objectOf } from '../policy/json.ts';
import type { Caller, Route } from './route.ts';

/**
 * The tasks that a tool has begun (io.modelcontextprotocol/tasks of 2026-07-28, and the tasks of 2025-11-25): what comes out of one is the result
 * of the call that began it, and belongs to who made that call.
 */
export interface Tasks {
  /** Remembers the task where the result of a request began one. */
  note(route: Origin & Pick<Route, 'caller'>, result: JsonObject): void;
  /** By what a task of this caller was begun; undefined where it is none of his. */
  originOf(caller: Caller, taskId: JsonValue | undefined): Origin | undefined;
}

/** The request that began a task. */
export type Origin = Pick<Route, 'method' | 'params'>;

/** Methods about one task. */
const ABOUT_TASKS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/update', 'tasks/cancel']);

/** Tasks of one tool that are remembered, and characters of what began them; beyond, the oldest is forgotten, and nobody can ask for it. */
const MOST_TASKS = 10_000;
const MOST_CHARACTERS = 32 * 1024 * 1024;

export function createTasks(): Tasks {
  const origins = new Map<string, { readonly origin: Origin; readonly size: number }>();
  let size = 0;

  function forget(key: string): void {
    size -= origins.get(key)?.size ?? 0;
    origins.delete(key);
  }

  return {
    note({ caller, method, params }, result) {
      const begun = result.resultType === 'task' ? result : objectOf(result.task);
      if (typeof begun.taskId !== 'string') return;
      const key = keyOf(caller, begun.taskId);
      const own = key.length + JSON.stringify(params).length;
      forget(key);
      origins.set(key, { origin: { method, params }, size: own });
      size += own;
      for (const oldest of origins.keys()) {
        if (origins.size <= MOST_TASKS && size <= MOST_CHARACTERS) break;
        forget(oldest);
      }
    },
    originOf: (caller, taskId) => (typeof taskId === 'string' ? origins.get(keyOf(caller, taskId))?.origin : undefined),
  };
}

/** Processes of different sessions may give their tasks the same ids. */
function keyOf({ agent, session }: Caller, taskId: string): string {
  return JSON.stringify([agent, session, taskId]);
}

export function isAboutTask(method: string): boolean {
  return ABOUT_TASKS.has(method);
}

/** Whether a notification tells what has come of a task, or what it asks. */
export function tellsOfTask({ taskId, result, error, inputRequests }: JsonObject): boolean {
  return typeof taskId === 'string' && [result, error, inputRequests].some(isObject);
}
