import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeKnownSecrets } from '../../../../daemons/known-secrets/file.ts';
import { fingerprintsOf } from '../../../../daemons/known-secrets/fingerprints.ts';
import { policyOf, startBridge } from '../fixtures/bridge-process.ts';
import { connect, errorOf, modern, textOf } from '../fixtures/http-client.ts';

const say = (text: string) => ({ name: 'say', arguments: { text } });

function knownSecretsFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-bridge-known-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'egress.json');
}

test('a credential of egress does not come back through a tool', async (t) => {
  const file = knownSecretsFile(t);
  const secret = `made-up-${randomBytes(12).toString('hex')}`;
  await writeKnownSecrets(file, fingerprintsOf([{ name: 'EGRESS_TOKEN_0', value: secret }]));
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless']), { MCP_BRIDGE_KNOWN_SECRETS: file });
  const url = `${bridge.url}/mcp/fixture`;
  const back = async (text: string): Promise<string> => textOf(await modern(url, 'tools/call', say(text)));

  await t.test('as it is, in both eras', async () => {
    assert.equal(await back(`it is ${secret}, keep it`), 'it is [redacted: EGRESS_TOKEN_0], keep it');
    const client = await connect(url);
    assert.equal(textOf(await client.call('tools/call', say(secret))), '[redacted: EGRESS_TOKEN_0]');
  });

  await t.test('nor encoded: then the whole text goes', async () => {
    const bytes = Buffer.from(`Authorization: Bearer ${secret}\n`);
    for (const encoded of [
      bytes.toString('base64'),
      bytes.toString('hex'),
      JSON.stringify(secret).replaceAll('-', '\\u002d'),
    ])
      assert.equal(await back(`look: ${encoded}`), '[redacted: a text that holds EGRESS_TOKEN_0]');
  });

  await t.test('and what is no secret passes', async () => {
    const text = `${secret.slice(0, -1)}x ${randomBytes(40).toString('base64')} {"a":"\\n"}`;
    assert.equal(await back(text), text);
  });

  await t.test('a credential that is new is known at once', async () => {
    const fresh = `made-up-${randomBytes(12).toString('hex')}`;
    assert.equal(await back(fresh), fresh);
    await writeKnownSecrets(file, fingerprintsOf([{ name: 'EGRESS_TOKEN_1', value: fresh }]));
    assert.equal(await back(fresh), '[redacted: EGRESS_TOKEN_1]');
  });
});

test('while it is not known what is secret, no result passes', async (t) => {
  const file = knownSecretsFile(t);
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless']), { MCP_BRIDGE_KNOWN_SECRETS: file });
  const url = `${bridge.url}/mcp/fixture`;
  const refused = await modern(url, 'tools/call', say('hello'));
  assert.match(textOf(refused), /is blocked by policy: .*known secrets .* cannot be read \(ENOENT\)/);
  assert.match(errorOf(await modern(url, 'tools/list')).message, /cannot be read \(ENOENT\)/);
  await writeKnownSecrets(file, fingerprintsOf([]));
  assert.equal(textOf(await modern(url, 'tools/call', say('hello'))), 'hello');
});

test('a bundle without egress sets the files to none, and results pass', async (t) => {
  const bridge = await startBridge(t, policyOf('odd.ts', ['life: stateless']), { MCP_BRIDGE_KNOWN_SECRETS: '' });
  assert.equal(textOf(await modern(`${bridge.url}/mcp/fixture`, 'tools/call', say('hello'))), 'hello');
});
