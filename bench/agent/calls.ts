import { setTimeout as sleep } from 'node:timers/promises';
import { openHttpLane } from './http-lane.ts';
import type { Lane } from './lane.ts';
import { startTool } from './stdio-lane.ts';
import type { CallsDone, CallsTask } from './task.ts';
import { createWindow } from './window.ts';

/** Clients that make their next call as soon as the answer to the last one is there. */
export async function measureCalls(task: CallsTask): Promise<CallsDone> {
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const started = performance.now();
  const { open, close } = await Promise.race([wayTo(task, fail), failed]);
  const first = await Promise.race([open(), failed]);
  await Promise.race([new Promise<void>((resolve) => first.call(resolve)), failed]);
  const first_ms = performance.now() - started;
  const lanes = [first];
  while (lanes.length < task.clients) lanes.push(await Promise.race([open(), failed]));

  const window = createWindow();
  const most = 'calls' in task.until ? task.until.calls : Number.POSITIVE_INFINITY;
  const { promise: enough, resolve: stop } = Promise.withResolvers<void>();
  for (const lane of lanes) {
    const next = (): void => {
      const sentAt = performance.now();
      lane.call(() => {
        window.note(sentAt);
        if (window.count() < most) next();
        else stop();
      });
    };
    next();
  }
  await Promise.race([sleep(task.warm_ms), failed]);
  const end = 'ms' in task.until ? sleep(task.until.ms) : enough;
  const done = await window.open(() => Promise.race([end, failed]));
  for (const lane of lanes) lane.close();
  close();
  return { ...done, first_ms };
}

interface Way {
  readonly open: () => Promise<Lane>;
  readonly close: () => void;
}

async function wayTo({ place, revision }: CallsTask, fail: (error: unknown) => void): Promise<Way> {
  if (place.kind === 'http') return { open: () => openHttpLane(place, revision, fail), close: () => {} };
  const tool = await startTool(place.command, revision, fail);
  return { open: () => Promise.resolve(tool.open()), close: tool.close };
}
