import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { execaSync } from 'execa';
import { launch } from '../../init/child/launch.ts';
import { measureUsage, type Usage } from '../../init/child/usage.ts';
import { PATH, reaper } from './run.ts';

test.after(() => reaper().close());

function start(t: test.TestContext, script: string): { leader: number; mark: string } {
  const child = launch({ argv: ['sh', '-c', script], environment: { PATH }, session: 'new' });
  assert.ok('pid' in child);
  reaper().watch(child.pid, () => {});
  t.after(() => process.kill(-child.pid, 'SIGKILL'));
  return { leader: child.pid, mark: `run/${child.pid}/1` };
}

async function until(
  measure: () => readonly Usage[],
  holds: (usage: readonly Usage[]) => boolean,
): Promise<readonly Usage[]> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const usage = measure();
    if (holds(usage)) return usage;
    assert.ok(performance.now() < deadline, `never came about: ${JSON.stringify(usage)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('processor time and memory are those of all processes of an incarnation', async (t) => {
  const idle = start(t, 'sleep 60 & exec sleep 60');
  const busy = start(t, 'sh -c "while :; do :; done" & exec sleep 60');
  const [idleUse, busyUse] = await until(
    () => [...measureUsage([idle, busy]).values()],
    ([first, second]) => first?.processes === 2 && second?.processes === 2 && second.cpuMs >= 200,
  );
  assert.ok(idleUse !== undefined && busyUse !== undefined);
  assert.ok(idleUse.cpuMs < 100, `${idleUse.cpuMs} ms`);
  assert.ok(idleUse.memoryBytes > 500_000 && idleUse.memoryBytes < 50_000_000, `${idleUse.memoryBytes} bytes`);
  assert.equal(idleUse.memoryBytes % 4096, 0);
});

test('an incarnation of which nothing lives uses nothing', () => {
  const gone = { leader: 2 ** 22 + 1, mark: 'run/gone/1' };
  assert.deepEqual([...measureUsage([gone]).values()], [{ processes: 0, cpuMs: 0, memoryBytes: 0 }]);
});

test('the memory of a process is what pidusage says of it', async (t) => {
  const one = start(t, 'exec sleep 60');
  await until(
    () => [...measureUsage([one]).values()],
    ([usage]) => usage?.processes === 1 && readFileSync(`/proc/${one.leader}/comm`, 'utf8') === 'sleep\n',
  );
  // In a process of its own: it starts programs by child_process, whose ends our reaper would take from it.
  const ask = `require('pidusage')(${one.leader}).then(({ memory }) => console.log(memory))`;
  const { stdout } = execaSync(process.execPath, ['-e', ask], { cwd: import.meta.dirname });
  assert.equal(measureUsage([one]).get(one)?.memoryBytes, Number(stdout));
});
