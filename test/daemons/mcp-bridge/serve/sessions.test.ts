import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../../../daemons/mcp-bridge/relay/route.ts';
import { openSession } from '../../../../daemons/mcp-bridge/serve/session.ts';
import { createSessions } from '../../../../daemons/mcp-bridge/serve/sessions.ts';

test('nothing is left of 10,000 sessions of which half are abandoned', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let now = 0;
  let open = 0;
  const memory = { used: 0, most: 1_000_000 };
  const endpoint: Endpoint = {
    modern: () => Promise.resolve({ result: {} }),
    open() {
      open += 1;
      const call = () => Promise.resolve({ result: {} });
      const close = () => {
        open -= 1;
      };
      return Promise.resolve({ opened: {}, call, tell: () => undefined, close });
    },
  };
  const sessions = createSessions({
    most: 20_000,
    idleTimeout: 60_000,
    clock: () => now,
    onOpen: () => undefined,
    onEnd: () => undefined,
  });
  for (let n = 0; n < 10_000; n += 1) {
    const clock = () => now;
    const opened = await openSession({
      endpoint,
      path: '/mcp',
      agent: 'a',
      opening: {},
      hasOneStream: false,
      clock,
      memory,
    });
    assert.ok(opened.ok);
    assert.ok(sessions.add(opened.session));
    if (n % 2 === 0) sessions.remove(opened.session);
  }
  assert.equal(sessions.active(), 5000);
  now = 70_000;
  t.mock.timers.tick(10_000);
  assert.equal(sessions.active(), 0);
  assert.equal(open, 0);
  assert.equal(memory.used, 0);
});

test('when as many are open as may be, the idle one that was used longest ago makes room', async () => {
  const endpoint: Endpoint = {
    modern: () => Promise.resolve({ result: {} }),
    open: () =>
      Promise.resolve({
        opened: {},
        call: () => Promise.resolve({ result: {} }),
        tell: () => undefined,
        close: () => undefined,
      }),
  };
  const sessions = createSessions({
    most: 2,
    idleTimeout: 60_000,
    clock: () => 0,
    onOpen: () => undefined,
    onEnd: () => undefined,
  });
  const add = async () => {
    const opened = await openSession({
      endpoint,
      path: '/mcp',
      agent: 'a',
      opening: {},
      hasOneStream: false,
      clock: () => 0,
      memory: { used: 0, most: 1000 },
    });
    assert.ok(opened.ok);
    sessions.add(opened.session);
    return opened.session.id;
  };
  const [first, second] = [await add(), await add()];
  assert.ok(sessions.find(first, '/mcp', 'a'));
  await add();
  assert.ok(sessions.find(first, '/mcp', 'a'));
  assert.equal(sessions.find(second, '/mcp', 'a'), undefined);
  sessions.close();
});
