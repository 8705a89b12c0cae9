import { measureCalls } from './calls.ts';
import { measureEvents } from './events.ts';
import { measureHandshakes } from './handshakes.ts';
import { measureRequests } from './requests.ts';
import type { Task } from './task.ts';
import { measureTransfer } from './transfer.ts';

/** A load generator in a process of its own: `main.ts TASK`, a task as JSON; writes what it measured as JSON. */
const task: Task = JSON.parse(process.argv[2] ?? '');
try {
  process.stdout.write(JSON.stringify(await run(task)));
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

function run(what: Task): Promise<unknown> {
  switch (what.kind) {
    case 'requests':
      return measureRequests(what);
    case 'handshakes':
      return measureHandshakes(what);
    case 'transfer':
      return measureTransfer(what);
    case 'events':
      return measureEvents(what);
    case 'calls':
      return measureCalls(what);
  }
}
