import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JournalRecord } from '../../../daemons/supervise/journal/line.ts';
import { verifyLog } from '../../../daemons/supervise/journal/verify.ts';
import { makeWorld, post, proposeHost, until, type World } from './world.ts';

const KILLS = 32;

/** Everything that was answered: what a crash must not undo. */
interface Promised {
  readonly proposed: Map<string, string>;
  readonly decided: Map<string, string>;
}

/** Decides what is open, one after another, until supervise dies. */
async function decideAll(world: World, promised: Promised, isOver: () => boolean): Promise<void> {
  for (let turn = 0; !isOver(); turn++) {
    const pending = await world.proposals('?status=pending').catch(() => []);
    const proposal = pending[turn % Math.max(1, pending.length)];
    const verdict = turn % 2 === 0 ? 'rejected' : 'approved';
    const answered = proposal === undefined ? undefined : await world.decide(proposal, verdict).catch(() => undefined);
    if (proposal !== undefined && answered?.status === 200) promised.decided.set(proposal.id, verdict);
    if (proposal === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test(`kill -9 at ${KILLS} random moments loses nothing that was answered, and the chain holds`, {
  timeout: 240_000,
}, async (t) => {
  const world = makeWorld(t);
  const env = { SUPERVISE_MOST_PER_MINUTE: '1000', SUPERVISE_MOST_PENDING: '1000', SUPERVISE_LOG_SIZE: '64kb' };
  const promised: Promised = { proposed: new Map(), decided: new Map() };
  let host = 0;
  for (let round = 0; round < KILLS; round++) {
    const running = await world.start(env);
    let isOver = false;
    const { port } = running;
    const propose = async (): Promise<void> => {
      while (!isOver) {
        const name = `h${host++}.example`;
        const answered = await post({ port }, 'tools/call', proposeHost(name)).catch(() => undefined);
        const id: unknown = answered?.message.result?.structuredContent?.id;
        if (typeof id === 'string') promised.proposed.set(id, name);
      }
    };
    const before = promised.proposed.size;
    const work = Promise.all([propose(), propose(), decideAll(world, promised, () => isOver)]);
    // Not before something was answered, so that each round has something to lose.
    await until('something is answered', async () => promised.proposed.size > before);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120));
    running.kill('SIGKILL');
    await running.ended;
    isOver = true;
    await work;
  }

  const events = new Map<string, JournalRecord[]>();
  const verified = verifyLog(world.data, (record) => {
    const { id, type } = Object(record.event);
    if (typeof id === 'string') events.set(`${type} ${id}`, [...(events.get(`${type} ${id}`) ?? []), record]);
  });
  assert.ok(verified.ok, JSON.stringify(verified));
  for (const [id, name] of promised.proposed) {
    const records = events.get(`proposed ${id}`) ?? [];
    assert.equal(records.length, 1, `${id} is in the log once`);
    assert.match(Object(records[0]?.event).proposed, new RegExp(`host: ${name}`));
  }
  for (const [id, verdict] of promised.decided) {
    const records = events.get(`decided ${id}`) ?? [];
    assert.deepEqual(
      records.map(({ event }) => Object(event).verdict),
      [verdict],
      id,
    );
  }
  const last = await world.start(env);
  const states = new Map((await world.proposals()).map(({ id, status }) => [id, status]));
  for (const [id, status] of states) assert.equal(status, promised.decided.get(id) ?? status, id);
  for (const id of promised.proposed.keys()) {
    if (!promised.decided.has(id)) assert.ok(states.has(id) || events.has(`decided ${id}`), `${id} is still open`);
  }
  assert.equal((await last.logged('listening')).records, verified.last.seq);
  t.diagnostic(
    `${KILLS} kills, ${promised.proposed.size} proposals and ${promised.decided.size} decisions answered, ${verified.count} records in ${verified.files.length} files, torn end ${verified.tornBytes} bytes`,
  );
});
