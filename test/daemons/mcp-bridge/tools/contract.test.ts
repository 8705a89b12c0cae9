import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createDockerManager } from '../../../../daemons/mcp-bridge/tools/docker.ts';
import { createE2bManager } from '../../../../daemons/mcp-bridge/tools/e2b.ts';
import { createLocalManager } from '../../../../daemons/mcp-bridge/tools/local.ts';
import { type ProcessManager, StartError, type ToolCommand } from '../../../../daemons/mcp-bridge/tools/process.ts';
import { makeImage, removeImage, whyNoDocker } from './docker-image.ts';
import { contractDouble } from './double.ts';
import { createE2bDouble } from './e2b-double.ts';
import { fixture, listen, oddSeconds, processesWith, until } from './fixture.ts';

/** One contract for every driver. What one of them cannot do is named with it. */
interface Subject {
  readonly name: string;
  readonly skip?: string | undefined;
  readonly make: (instance: string) => ProcessManager;
  readonly more?: Partial<ToolCommand>;
  readonly prepare?: () => void;
  readonly clear?: () => void;
  /** What leaves its process group and session is found all the same. */
  readonly findsEscaped: boolean;
  /** A sandbox of the SDK has no SIGTERM. */
  readonly asks: boolean;
  readonly hasLives: boolean;
}

const IMAGE = `bottled-contract-${process.pid}`;
const variables = { ...process.env, CREDENTIALS_DIRECTORY: '/run/credentials', BRIDGE_SECRET: 'not for tools' };
const log = (): void => {};
const e2b = createE2bDouble();

const SUBJECTS: readonly Subject[] = [
  { name: 'double', make: contractDouble, findsEscaped: true, asks: true, hasLives: false },
  {
    name: 'local',
    make: (instance) => createLocalManager({ instance, variables }),
    findsEscaped: true,
    asks: true,
    hasLives: true,
  },
  {
    name: 'local-docker',
    skip: whyNoDocker(),
    make: (instance) => createDockerManager({ instance, variables, log }),
    more: { image: IMAGE },
    prepare: () => makeImage(IMAGE),
    clear: () => removeImage(IMAGE),
    findsEscaped: true,
    asks: true,
    hasLives: true,
  },
  {
    name: 'e2b (over a double of its SDK)',
    make: (instance) => createE2bManager({ instance, apiKey: 'right', log, loadSdk: e2b.load }),
    findsEscaped: false,
    asks: false,
    hasLives: true,
  },
];

for (const subject of SUBJECTS) {
  describe(`driver ${subject.name}`, { skip: subject.skip ?? false, timeout: 240_000 }, () => contract(subject));
}

function contract({ make, more = {}, prepare, clear, findsEscaped, asks, hasLives }: Subject): void {
  const instance = `contract-${process.pid}-${oddSeconds()}`;
  const manager = make(instance);
  const start = (behaviour: string, argument = '', extra: Partial<ToolCommand> = {}) =>
    listen(manager, fixture(behaviour, argument, { ...more, ...extra }));
  before(() => prepare?.());
  after(async () => {
    await manager.sweep();
    clear?.();
  });

  test('messages go in and come out in order, one a line', async () => {
    const heard = await start('echo');
    for (let id = 0; id < 200; id++) {
      if (!heard.tool.send(JSON.stringify({ id, text: 'ä\u2028"\\n' }))) await heard.tool.drained();
    }
    await heard.said(200);
    assert.deepEqual(
      heard.messages.map(({ id }) => id),
      [...Array(200).keys()],
    );
    assert.equal(heard.messages[7]?.text, 'ä\u2028"\\n');
    await heard.tool.stop();
  });

  test('a message of several pipes full arrives whole', async () => {
    const heard = await start('echo');
    const text = 'x'.repeat(90_000);
    if (!heard.tool.send(JSON.stringify({ text }))) await heard.tool.drained();
    await heard.said(1);
    assert.equal(heard.messages[0]?.text, text);
    await heard.tool.stop();
  });

  test('what is no JSON object is dropped and told once; a batch comes as its messages', async () => {
    const heard = await start('noise');
    await heard.said(3);
    assert.deepEqual(
      heard.messages.map(({ id }) => id),
      [1, 2, 3],
    );
    assert.deepEqual(
      heard.dropped.map(({ why, beginning }) => [why, beginning]),
      [['noise', 'starting up']],
    );
    await heard.tool.stop();
  });

  test('a line that is too long is dropped with the id of its call, and the next one is heard', async () => {
    const heard = await start('long');
    await heard.said(1);
    assert.equal(heard.messages[0]?.id, 9);
    assert.deepEqual(
      heard.dropped.map(({ why, id }) => [why, id]),
      [
        ['too-long', 7],
        ['too-long', 'eight'],
      ],
    );
    await heard.tool.stop();
  });

  test('lines of stderr are masked', async () => {
    const token = `tok${oddSeconds()}`;
    const command = fixture('stderr', '', { ...more, environment: { TOKEN: token } });
    const heard = await listen(manager, command, { mask: (text) => text.replaceAll(token, '***') });
    await until(() => heard.stderr.length > 0);
    await heard.tool.stop();
    assert.deepEqual(heard.stderr, ['the token is ***, keep it']);
  });

  test('a tool sees the variables of its command and none of the bridge', async () => {
    const heard = await start('environment', '', { environment: { OWN: 'a b$c' } });
    await heard.said(1);
    assert.deepEqual(heard.messages[0], { own: 'a b$c', bridge: '' });
    await heard.tool.stop();
  });

  test('the end of a tool is told with its code', async () => {
    const heard = await start('exit');
    heard.tool.send('{}');
    assert.deepEqual(await heard.tool.ended, { kind: 'exit', code: 3, asked: false });
    assert.equal(heard.tool.send('{"late":true}'), true);
    await heard.tool.drained();
    assert.deepEqual(await heard.tool.stop(), { kind: 'exit', code: 3, asked: false });
  });

  test('a tool that is killed is told as such', async () => {
    const heard = await start('killed');
    heard.tool.send('{}');
    const end = await heard.tool.ended;
    assert.ok(end.kind === 'signal' || end.code === 137, JSON.stringify(end));
    assert.equal(end.asked, false);
  });

  test('the last message is delivered before the end, even without a line break', async () => {
    const heard = await start('last');
    await heard.tool.ended;
    assert.equal(heard.messages.length, 1);
  });

  test('stop closes stdin, and a tool that reads it to the end leaves by itself', async () => {
    const heard = await start('echo');
    assert.deepEqual(await heard.tool.stop(), { kind: 'exit', code: 0, asked: true });
    assert.deepEqual(await heard.tool.stop(), await heard.tool.ended);
  });

  test('a tool that does not look at its stdin is asked by SIGTERM', {
    skip: asks ? false : 'it knows no signals',
  }, async () => {
    const heard = await start('deaf');
    await heard.said(1);
    assert.deepEqual(await heard.tool.stop(), { kind: 'exit', code: 0, asked: true });
  });

  test('a tool that ignores that too is killed', async () => {
    const heard = await start('stubborn');
    await heard.said(1);
    const end = await heard.tool.stop();
    assert.ok(end.kind === 'signal' || end.code === 137, JSON.stringify(end));
    assert.equal(end.asked, true);
  });

  test('what a tool started goes with it', async () => {
    const mark = oddSeconds();
    const heard = await start('child', mark);
    await heard.said(1);
    await heard.tool.stop();
    await gone(mark);
  });

  test('even what left its group and session goes with it', {
    skip: findsEscaped ? false : 'the sandbox sees to it',
  }, async () => {
    for (const behaviour of ['escaped', 'orphan']) {
      const mark = oddSeconds();
      const heard = await start(behaviour, mark);
      await heard.said(1);
      if (behaviour === 'orphan') heard.tool.send('{}');
      else await heard.tool.stop();
      await heard.tool.ended;
      await gone(mark);
    }
  });

  test('a program that is not there is told as such', async () => {
    const command = fixture('echo', '', { ...more, command: ['/no/such/program'] });
    const said = await listen(manager, command).then(
      async ({ tool }) => {
        const end = await tool.ended;
        return end.kind === 'exit' && end.code === 127;
      },
      (error: unknown) => error instanceof StartError && error.permanent,
    );
    assert.ok(said);
  });

  const lives = hasLives ? false : 'it has no processes that could outlive it';
  test('a sweep ends what an earlier life of the same bridge left, and nobody else’s', { skip: lives }, async () => {
    const [mine, others] = [oddSeconds(), oddSeconds()];
    const other = make(`${instance}-other`);
    const left = await listen(manager, fixture('idle', mine, more));
    const foreign = await listen(other, fixture('idle', others, more));
    await left.said(1);
    await foreign.said(1);
    await make(instance).sweep();
    await left.tool.ended;
    await gone(mine);
    let isOver = false;
    void foreign.tool.ended.then(() => {
      isOver = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver, false);
    await foreign.tool.stop();
    await gone(others);
  });
}

/** A process that was killed may still be on its way out. */
function gone(mark: string): Promise<void> {
  return until(
    () => processesWith(mark).length === 0,
    () => `processes with ${mark} end`,
  );
}
