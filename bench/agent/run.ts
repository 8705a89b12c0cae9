import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type {
  CallsDone,
  CallsTask,
  EventsDone,
  EventsTask,
  HandshakesDone,
  HandshakesTask,
  RequestsDone,
  RequestsTask,
  Task,
  TransferDone,
  TransferTask,
} from './task.ts';

const PROGRAM = join(import.meta.dirname, 'main.ts');

export function runTask(directory: string, task: RequestsTask): Promise<RequestsDone>;
export function runTask(directory: string, task: HandshakesTask): Promise<HandshakesDone>;
export function runTask(directory: string, task: TransferTask): Promise<TransferDone>;
export function runTask(directory: string, task: EventsTask): Promise<EventsDone>;
export function runTask(directory: string, task: CallsTask): Promise<CallsDone>;
/** Runs a load generator in a process of its own. Rejects with the line in which it says what went wrong. */
export async function runTask(directory: string, task: Task): Promise<unknown> {
  const args = [PROGRAM, JSON.stringify(task)];
  const options = { cwd: directory, timeout: patience(task) };
  const { stdout } = await promisify(execFile)(process.execPath, args, options).catch((error: unknown) => {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n').at(-1) : '';
    throw new Error(said || `the load generator had to be ended after ${patience(task) / 1000} s`);
  });
  return JSON.parse(stdout);
}

/** How long a task may take, in ms. */
function patience(task: Task): number {
  const slack = 20_000;
  switch (task.kind) {
    case 'requests':
      return task.warm_ms + task.window_ms + slack;
    case 'handshakes':
      return task.pairs * 200 + slack;
    case 'transfer':
      return Math.ceil(task.bytes / 10_000) + slack;
    case 'events':
      return task.count * task.gap_ms + slack;
    case 'calls':
      return task.warm_ms + ('ms' in task.until ? task.until.ms : task.until.calls * 20) + 2 * slack;
  }
}
