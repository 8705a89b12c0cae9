import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runTask } from '../../bench/agent/run.ts';
import type { Place } from '../../bench/agent/task.ts';
import { egress } from '../../bench/proxies/egress.ts';
import { freePort, startServer } from '../../bench/server.ts';

const ORIGIN = join(import.meta.dirname, '../../bench/processes/origin.ts');

test('what is measured through egress is what the origin said', async (t) => {
  const { directory, place } = await startEgress(t);
  for (const method of ['GET', 'POST'] as const) {
    const task = { ...place, kind: 'requests', method, connections: 2, warm_ms: 50, window_ms: 200 } as const;
    const { count, total } = await runTask(directory, task);
    assert.ok(count > 0 && total >= count, `${method}: ${count} of ${total}`);
  }
  const { known_ms, fresh_ms } = await runTask(directory, { ...place, kind: 'handshakes', pairs: 2 });
  assert.ok(known_ms > 0 && fresh_ms > 0);
  for (const version of [1, 2] as const) {
    const { delays_ms } = await runTask(directory, { ...place, kind: 'events', version, count: 3, gap_ms: 1 });
    assert.equal(delays_ms.length, 3);
    for (const direction of ['down', 'up'] as const) {
      const { seconds } = await runTask(directory, {
        ...place,
        kind: 'transfer',
        version,
        direction,
        bytes: 1_000_001,
      });
      assert.ok(seconds > 0);
    }
  }
});

test('a load generator whose proxy is not there says so', async (t) => {
  const directory = scratch(t);
  const place = { proxyPort: await freePort(), originPort: 1 };
  await assert.rejects(runTask(directory, { ...place, kind: 'handshakes', pairs: 1 }), /ECONNREFUSED/);
});

test('a server that ends before it listens is told with its last words', async (t) => {
  const directory = scratch(t);
  const command = [process.execPath, '-e', 'console.log("no such luck"); process.exit(3)'];
  const started = startServer({ name: 'luckless', command, port: await freePort(), directory });
  await assert.rejects(started, /luckless cannot be started: it ended with 3; its last line: no such luck/);
});

async function startEgress(t: TestContext): Promise<{ readonly directory: string; readonly place: Place }> {
  const directory = scratch(t);
  const port = await freePort();
  const authority = join(directory, 'authority');
  const origin = await startServer({
    name: 'origin',
    command: [process.execPath, ORIGIN, String(port), authority],
    port,
    directory,
  });
  t.after(() => origin.stop());
  const own = join(directory, 'egress');
  mkdirSync(own);
  const proxy = await egress.start({
    directory: own,
    origin: { port, certificateFile: join(authority, 'certificate.pem') },
  });
  t.after(() => proxy.stop());
  return { directory, place: { proxyPort: proxy.port, originPort: port } };
}

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return directory;
}
