import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { policyOf, policyOfAll, startBridge } from './fixtures/bridge-process.ts';
import { connect, errorOf, modern, textOf } from './fixtures/http-client.ts';
import { whileNeighboursWork } from './fixtures/neighbours.ts';
import { until } from './tools/fixture.ts';

const call = (name: string, args: object = {}) => ({ name, arguments: { ...args } });

test('a policy that is changed while calls run', { timeout: 60_000 }, async (t) => {
  const tools = { kept: ['odd.ts', 'life: stateless'], gone: ['odd.ts', 'life: stateless'] } as const;
  const policy = policyOfAll(tools);
  const bridge = await startBridge(t, policy);
  const reloads = (event: string) => bridge.logged.filter((line) => line.event === event).length;
  const put = async (text: string, event = 'reloaded'): Promise<void> => {
    const before = reloads(event);
    writeFileSync(join(bridge.folder, 'polis-policy.yaml'), text);
    await until(() => reloads(event) > before);
  };
  const kept = `${bridge.url}/mcp/kept`;

  await t.test('leaves running calls, sessions and processes of tools that did not change alone', () =>
    whileNeighboursWork([kept], async () => {
      const client = await connect(kept);
      const pid = textOf(await client.call('tools/call', call('pid')));
      const late = client.call('tools/call', call('late', { milliseconds: 1500 }));
      await put(policy.replace('action: allow }', 'action: allow, reason: changed }'));
      await put(policyOfAll({ ...tools, another: ['odd.ts'] }));
      assert.equal(textOf(await late), 'late');
      assert.equal(textOf(await client.call('tools/call', call('pid'))), pid);
      assert.match(textOf(await modern(`${bridge.url}/mcp/another`, 'tools/call', call('pid'))), /^\d+$/);
    }),
  );

  await t.test('ends the calls of a tool that is gone with an error, and its path with 404', () =>
    whileNeighboursWork([kept], async () => {
      const [modernCall, client] = [
        modern(`${bridge.url}/mcp/gone`, 'tools/call', call('never')),
        await connect(`${bridge.url}/mcp/gone`),
      ];
      const legacyCall = client.call('tools/call', call('never'));
      assert.match(textOf(await modern(`${bridge.url}/mcp/gone`, 'tools/call', call('pid'))), /^\d+$/);
      await put(policyOf('odd.ts', ['life: stateless'], 'kept'));
      for (const answer of await Promise.all([modernCall, legacyCall])) assert.equal(errorOf(answer).code, -32603);
      assert.equal((await client.call('ping')).status, 404);
    }),
  );

  await t.test('takes a rule into force for the next call', async () => {
    const block = '    - { name: no-pid, when: { names: [pid] }, action: block }\n';
    await put(policyOf('odd.ts', ['life: stateless'], 'kept').replace('  rules:\n', `  rules:\n${block}`));
    assert.match(textOf(await modern(kept, 'tools/call', call('pid'))), /blocked by rule "no-pid"/);
  });

  await t.test('is refused as a whole where it is wrong: what was in force stays so', async () => {
    await put('apiVersion: polis.io/v1\nkind: Policy\nspec: {}\n', 'reload-refused');
    assert.match(textOf(await modern(kept, 'tools/call', call('pid'))), /blocked by rule "no-pid"/);
    assert.equal(textOf(await modern(kept, 'tools/call', call('say', { text: 'there' }))), 'there');
  });
});
