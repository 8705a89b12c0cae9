import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { policyOfAll, type RunningBridge, startBridge } from './fixtures/bridge-process.ts';
import { type Client, connect, textOf } from './fixtures/http-client.ts';

const TINY = join(dirname(fileURLToPath(import.meta.url)), 'fixtures/tiny.sh');
/** 10,000 take minutes: by hand, with MCP_BRIDGE_TEST_SESSIONS. */
const SESSIONS = Number(process.env.MCP_BRIDGE_TEST_SESSIONS ?? 1000);
const AT_ONCE = 16;

/** What a process holds. */
interface Held {
  readonly sessions: number;
  readonly processes: number;
  readonly files: number;
  readonly megabytes: number;
}

test(`nothing is left of ${SESSIONS} sessions, half of them abandoned`, { timeout: 900_000 }, async (t) => {
  const policy = policyOfAll({ shared: ['odd.ts', 'life: stateless'] }).replace(
    '  rules:',
    `    - { name: own, driver: local, command: [sh, ${TINY}], idle_timeout: 1s, max_sessions: 200 }\n  rules:`,
  );
  const bridge = await startBridge(t, policy, {
    MCP_BRIDGE_SESSION_IDLE: '10',
    MCP_BRIDGE_MAX_SESSIONS: '20000',
    // Garbage is collected soon, so that what grows is what is held.
    NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=2',
  });
  const open = async (from: number, to: number): Promise<void> => {
    let next = from;
    const work = async (): Promise<void> => {
      for (let n = next++; n < to; n = next++) await live(bridge, n);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  };
  // What is loaded and compiled once is there after the first ones.
  await open(0, 200);
  const before = await settled(bridge, undefined);
  await open(200, SESSIONS);
  const after = await settled(bridge, before);
  t.diagnostic(`before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  assert.equal(after.sessions, 0);
  // The one that is kept ready ends after a while.
  assert.ok(after.processes <= before.processes, `${after.processes} processes, ${before.processes} before`);
  assert.ok(after.files <= before.files + 2, `${after.files} files, ${before.files} before`);
  assert.ok(after.megabytes < before.megabytes + 60, `${after.megabytes} MB, ${before.megabytes} before`);
});

/** One session in each of the ways in which clients come and go. */
async function live({ url }: RunningBridge, n: number): Promise<void> {
  const isOwn = n % 5 === 0;
  const at = `${url}/mcp/${isOwn ? 'own' : 'shared'}`;
  const client = await connect(at);
  const name = isOwn ? 'tiny' : 'say';
  assert.equal(textOf(await client.call('tools/call', { name, arguments: { text: 'tiny' } })), 'tiny');
  if (n % 4 === 1) await listenAndLeave(at, client);
  if (n % 4 === 3) await callAndLeave(at, client);
  if (n % 2 === 1) return;
  const end = await fetch(at, { method: 'DELETE', headers: { 'mcp-session-id': client.sessionId } });
  // 404 where this machine was so busy that the session had ended by itself.
  assert.ok(end.status === 204 || end.status === 404, String(end.status));
}

async function listenAndLeave(at: string, { sessionId }: Client): Promise<void> {
  const gone = new AbortController();
  const headers = { accept: 'text/event-stream', 'mcp-session-id': sessionId };
  const stream = await fetch(at, { headers, signal: gone.signal });
  assert.equal(stream.status, 200);
  gone.abort();
}

async function callAndLeave(at: string, { sessionId }: Client): Promise<void> {
  const gone = new AbortController();
  const call = fetch(at, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mcp-session-id': sessionId },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 9,
      method: 'tools/call',
      params: { name: 'late', arguments: { milliseconds: 50 } },
    }),
    signal: gone.signal,
  });
  setImmediate(() => gone.abort());
  await call.then(
    (answer) => answer.text().catch(() => ''),
    () => '',
  );
}

/** What the bridge holds once its sessions are over, its connections closed and its processes as many as before. */
async function settled(bridge: RunningBridge, before: Held | undefined): Promise<Held> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const held = await heldBy(bridge);
    const isQuiet =
      before === undefined
        ? held.sessions === 0 && held.files < 60 && held.processes <= 2
        : held.sessions === 0 && held.processes <= before.processes && held.files <= before.files + 2;
    if (isQuiet || Date.now() > deadline) return held;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function heldBy({ metricsUrl, pid }: RunningBridge): Promise<Held> {
  const metrics = await (await fetch(metricsUrl)).text();
  const [, sessions] = /^bridge_sessions_active (\d+)/m.exec(metrics) ?? [];
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return {
    sessions: Number(sessions),
    processes: childrenOf(pid).length,
    files: readdirSync(`/proc/${pid}/fd`).length,
    megabytes: Math.round(Number(kilobytes) / 1024),
  };
}

function childrenOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
}
