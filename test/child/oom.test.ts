import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { launch } from '../../init/child/launch.ts';
import { protectFromOomKiller, watchOomKills } from '../../init/child/oom.ts';
import { PATH, reaper } from './run.ts';

const room = mkdtempSync(join(tmpdir(), 'bottled-oom-'));
test.after(() => {
  rmSync(room, { recursive: true });
  reaper().close();
});

function scoreOf(pid: number | 'self'): number {
  return Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
}

test('a daemon has the score that it asks for, or the one that the init was started with', (t) => {
  const original = scoreOf('self');
  const scores = protectFromOomKiller();
  const protectedScore = scoreOf('self');
  t.after(() => writeFileSync('/proc/self/oom_score_adj', String(original)));
  assert.ok(protectedScore <= original);
  const started = [undefined, 500].map((asked) => {
    const child = scores.startWith(asked, () =>
      launch({ argv: ['sleep', '60'], environment: { PATH }, session: 'new' }),
    );
    assert.ok('pid' in child);
    reaper().watch(child.pid, () => {});
    t.after(() => process.kill(child.pid, 'SIGKILL'));
    return scoreOf(child.pid);
  });
  assert.deepEqual(started, [original, 500]);
  assert.equal(scoreOf('self'), protectedScore);
});

for (const [version, text] of [
  ['v2', (kills: number) => `low 0\nhigh 3\nmax 12\noom 4\noom_kill ${kills}\noom_group_kill 0\n`],
  ['v1', (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`],
] as const) {
  test(`each kill that cgroup ${version} counts is known once`, () => {
    const file = join(room, version);
    writeFileSync(file, text(7));
    const kills = watchOomKills([join(room, 'absent'), file]);
    assert.equal(kills.take(), false);
    writeFileSync(file, text(9));
    assert.deepEqual([kills.take(), kills.take(), kills.take()], [true, true, false]);
  });
}

test('without a counter, no kill is taken for one of the kernel', () => {
  assert.equal(watchOomKills([join(room, 'absent')]).take(), false);
});
