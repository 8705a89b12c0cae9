import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { portOf } from '../../daemons/listen/listen.ts';
import { createSidecarLlmClient } from '../../daemons/model/client.ts';

const MOCK = fileURLToPath(new URL('../../daemons/model/mock/main.ts', import.meta.url));

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server) ?? 0;
  server.close();
  await once(server, 'close');
  return port;
}

it('a question that is asked before the model server is there is answered once it has warmed up', async (t) => {
  const port = await freePort();
  const client = createSidecarLlmClient({ baseUrl: `http://127.0.0.1:${port}/v1`, model: 'green_agent_adapter' });
  const answer = client.prompt('be brief', 'hello', { deadline_ms: 60_000 });
  const args = [
    '--port',
    String(port),
    '--model',
    'green_agent_adapter',
    '--listen-after',
    '300ms',
    '--warm-up',
    '600ms',
  ];
  const mock = execa(process.execPath, [MOCK, ...args], { reject: false, buffer: false });
  t.after(() => mock.kill('SIGKILL'));
  assert.equal(await answer, 'The mock was asked: hello');
  mock.kill('SIGTERM');
  assert.equal((await mock).exitCode, 0);
});

it('the mock misbehaves as it is told', async (t) => {
  for (const [behaviour, kind] of [
    ['status:418', 'refused'],
    ['empty', 'empty'],
    ['malformed', 'malformed'],
    ['silent', 'timeout'],
  ] as const) {
    const mock = execa(process.execPath, [MOCK, '--port', '0', '--behaviour', behaviour], { reject: false });
    t.after(() => mock.kill('SIGKILL'));
    const [line]: unknown[] = await once(createInterface({ input: mock.stdout }), 'line');
    const client = createSidecarLlmClient({
      baseUrl: `http://127.0.0.1:${JSON.parse(String(line)).port}/v1`,
      model: 'mock',
      deadline_ms: behaviour === 'silent' ? 300 : 60_000,
    });
    await assert.rejects(client.prompt('s', 'u'), (error: unknown) => {
      assert.equal(Object(error).fault.kind, kind, behaviour);
      return true;
    });
    mock.kill('SIGTERM');
  }
});

it('the mock says how it is called where it cannot make out what is meant', async () => {
  for (const args of [['--port', 'x'], ['--behaviour', 'odd'], ['--no-such'], ['--warm-up', 'soon']]) {
    const { exitCode, stderr } = await execa(process.execPath, [MOCK, ...args], { reject: false });
    assert.equal(exitCode, 2);
    assert.match(stderr, /^usage: mock/);
  }
});
