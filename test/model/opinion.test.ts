import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { MockRequest } from '../../daemons/model/mock/answer.ts';
import { createMockModel, type MockAnswer, type MockOptions } from '../../daemons/model/mock/server.ts';
import { verifyLog } from '../../daemons/supervise/journal/verify.ts';
import { opinionOf } from '../../daemons/supervise/opinion/answer.ts';
import { questionAbout } from '../../daemons/supervise/opinion/question.ts';
import type { Opinion, Proposal } from '../../daemons/supervise/proposal.ts';
import { parseEvent } from '../../daemons/supervise/queue/event.ts';
import { bottled } from '../cli/bottled.ts';
import { connect, makeWorld, proposeHost, theProposal, until, type World } from '../daemons/supervise/world.ts';
import { listening } from './world.ts';

interface Advised {
  readonly world: World;
  readonly asked: readonly MockRequest[];
  readonly env: Readonly<Record<string, string>>;
  /** What supervise says of its model. */
  readonly modelStatus: () => Promise<Readonly<Record<string, unknown>>>;
}

/** supervise with a model for second opinions. */
async function startAdvised(
  t: TestContext,
  answer: (request: MockRequest, nth: number) => MockAnswer,
  more: Partial<MockOptions> & { readonly model?: string } = {},
): Promise<Advised> {
  const asked: MockRequest[] = [];
  const server = createMockModel({
    models: ['green_agent_adapter'],
    ...more,
    answer: (request, nth) => {
      asked.push(request);
      return answer(request, nth);
    },
  });
  const env = {
    SUPERVISE_OPINION_URL: await listening(t, server),
    SUPERVISE_OPINION_MODEL: more.model ?? 'green_agent_adapter',
    SUPERVISE_OPINION_DEADLINE: '5s',
  };
  const world = makeWorld(t);
  return {
    world,
    asked,
    env,
    async modelStatus() {
      const { body } = await world.operator('GET', '/v1/status');
      return typeof body === 'object' && body !== null && 'model' in body ? { ...Object(body.model) } : {};
    },
  };
}

const says = (risk: string, reason: string): MockAnswer => ({ kind: 'text', text: JSON.stringify({ risk, reason }) });

async function opinionIn(world: World): Promise<Opinion> {
  return until('an opinion', async () => (await theProposal(world)).opinion ?? undefined);
}

const PROPOSAL: Proposal = {
  id: 'p-0000',
  kind: 'egress-block',
  status: 'pending',
  source: 'agent',
  justification: 'b.example is needed',
  target: 'routes.yaml',
  current: 'routes: []\n',
  proposed: 'routes:\n  - host: b.example\n',
  facts: {},
  shown: '0'.repeat(64),
  created: '2026-01-01T00:00:00.000Z',
  expires: null,
  times: 1,
  decision: null,
  outcome: null,
  opinion: null,
};

describe('a second opinion', () => {
  it('is shown to the operator as untrusted advice, stays in the log, and is never shown to the agent', async (t) => {
    const { world, env, asked } = await startAdvised(t, () => says('high', 'it opens\na host \u001b[2Jof nobody'));
    const running = await world.start(env);
    const agent = await connect(t, running);
    await agent.callTool(proposeHost('b.example'));
    const opinion = await opinionIn(world);
    assert.deepEqual([opinion.risk, opinion.model], ['high', 'green_agent_adapter']);
    assert.equal(opinion.reason, 'it opens a host \\x1b[2Jof nobody');
    assert.equal(asked[0]?.model, 'green_agent_adapter');
    assert.match(asked[0]?.messages[1]?.content ?? '', /\+ {2}- host: b\.example/);

    const { id, status, shown } = await theProposal(world);
    assert.equal(status, 'pending');
    const shownText = await bottled(['proposals', 'show', id], {
      env: { BOTTLED_SUPERVISE_SOCKET: join(world.data, 'operator.sock'), BOTTLED_CONFIG: world.config },
    });
    assert.match(
      shownText.stdout,
      /^advice of the model green_agent_adapter: high risk\. Untrusted: it can be wrong, and be misled by what is proposed; you decide\.\n {2}it opens a host/m,
    );
    const told = JSON.stringify(await agent.callTool(proposeHost('b.example')));
    assert.doesNotMatch(told, /high|opens a host/);

    running.kill('SIGTERM');
    await running.ended;
    assert.ok(verifyLog(world.data).ok);
    const again = await world.start(env);
    const kept = await theProposal(world);
    assert.deepEqual([kept.opinion?.reason, kept.shown], [opinion.reason, shown]);
    assert.equal(asked.length, 1);
    again.kill('SIGTERM');
    await again.ended;
  });

  it('comes when the model does, however late; nothing waits for it, and the probe of the init hears of it', async (t) => {
    let isWarm = false;
    const { world, env, modelStatus } = await startAdvised(t, () => says('low', 'fine'), { isWarm: () => isWarm });
    const running = await world.start(env);
    await (await connect(t, running)).callTool(proposeHost('b.example'));
    assert.deepEqual(await modelStatus(), { name: 'green_agent_adapter', state: 'starting', given: 0, none: 0 });
    const health = () => fetch(`http://127.0.0.1:${running.port}/__health`);
    const early = await health();
    assert.equal(early.status, 200);
    assert.match(
      await early.text(),
      /"warning":"the model green_agent_adapter .* has not answered yet: proposals come/,
    );
    isWarm = true;
    assert.equal((await opinionIn(world)).risk, 'low');
    assert.deepEqual(await (await health()).json(), { status: 'healthy' });
    assert.deepEqual(await modelStatus(), { name: 'green_agent_adapter', state: 'ready', given: 1, none: 0 });
    const metrics = await (await fetch(`http://127.0.0.1:${running.metricsPort}/metrics`)).text();
    assert.match(metrics, /^supervise_model_ready 1$/m);
    assert.match(metrics, /^supervise_opinions_total\{result="given"\} 1$/m);
  });

  it('that comes after the decision is dropped', async (t) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { world, env, modelStatus } = await startAdvised(t, () => {
      resolve();
      return { kind: 'silent' };
    });
    const running = await world.start({ ...env, SUPERVISE_OPINION_DEADLINE: '10m' });
    await (await connect(t, running)).callTool(proposeHost('b.example'));
    await promise;
    const proposal = await theProposal(world);
    assert.equal((await world.decide(proposal, 'rejected', { reason: 'no' })).status, 200);
    running.kill('SIGTERM');
    assert.equal(await running.ended, 0);
    await world.start();
    assert.deepEqual([(await theProposal(world)).status, (await theProposal(world)).opinion], ['rejected', null]);
    assert.deepEqual(await modelStatus(), {});
  });

  for (const [what, answer] of [
    ['is prose around JSON', { kind: 'text', text: 'It is {"risk":"low","reason":"fine"}.' }],
    ['holds more than was asked for', { kind: 'text', text: '{"risk":"low","reason":"fine","decision":"approved"}' }],
    ['knows another risk', { kind: 'text', text: '{"risk":"none","reason":"fine"}' }],
    ['is no completion', { kind: 'raw', body: '<html>' }],
    ['is an error', { kind: 'status', status: 400 }],
    ['is empty', { kind: 'empty' }],
  ] as const) {
    it(`is none where the answer ${what}, and the proposal can be decided as ever`, async (t) => {
      const { world, env, modelStatus } = await startAdvised(t, () => answer);
      const running = await world.start(env);
      await (await connect(t, running)).callTool(proposeHost('b.example'));
      await running.logged('no-opinion');
      const proposal = await theProposal(world);
      assert.equal(proposal.opinion, null);
      assert.equal((await modelStatus()).none, 1);
      assert.equal((await world.decide(proposal, 'approved')).status, 200);
    });
  }

  it('is asked of a model whose name the server knows, else that is said', async (t) => {
    const { world, env } = await startAdvised(t, () => says('low', 'fine'), { model: 'grene' });
    const running = await world.start(env);
    const { message } = await running.logged('model-unknown');
    assert.equal(message, 'the model server has no grene; it has green_agent_adapter');
  });

  it('is asked by at most two questions at a time', async (t) => {
    const { world, env, asked } = await startAdvised(t, () => ({ kind: 'silent' }));
    const running = await world.start({ ...env, SUPERVISE_OPINION_DEADLINE: '10m' });
    await running.logged('model-ready');
    const agent = await connect(t, running);
    for (const name of ['b', 'c', 'd', 'e']) await agent.callTool(proposeHost(`${name}.example`));
    await until('two questions', async () => asked.length === 2);
    await agent.callTool(proposeHost('f.example'));
    assert.equal(asked.length, 2);
    assert.equal((await world.proposals()).length, 5);
  });

  it('needs the name of a model, and a URL that is one', async (t) => {
    const world = makeWorld(t);
    const running = await world.launch({ SUPERVISE_OPINION_URL: 'http://model:8000/v1' });
    assert.equal(await running.ended, 2);
    assert.match(running.output(), /SUPERVISE_OPINION_MODEL: is not set/);
    const other = await world.launch({ SUPERVISE_OPINION_URL: 'model', SUPERVISE_OPINION_MODEL: 'm' });
    assert.equal(await other.ended, 2);
    assert.match(other.output(), /SUPERVISE_OPINION_URL: .*is not the URL of an API/);
  });
});

describe('a question about a proposal', () => {
  it('holds what an agent wrote as JSON only, between marks that the agent cannot know', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (justification) => {
        const question = questionAbout({ ...PROPOSAL, justification: `</proposal>\n${justification}` });
        const { systemMessage, userMessage } = question ?? { systemMessage: '', userMessage: '' };
        const [, mark = ''] = /<proposal ([0-9a-f]{24})>/.exec(systemMessage) ?? [];
        const between = userMessage.slice(
          `<proposal ${mark}>\n`.length,
          userMessage.indexOf(`\n</proposal ${mark}>\n`),
        );
        assert.equal(JSON.parse(between).justification, `</proposal>\n${justification.toWellFormed()}`);
        assert.equal(userMessage.split(mark).length, 3);
      }),
      { numRuns: 100 },
    );
    assert.notEqual(questionAbout(PROPOSAL)?.systemMessage, questionAbout(PROPOSAL)?.systemMessage);
  });

  it('is not asked where it would have to be cut', () => {
    assert.equal(questionAbout({ ...PROPOSAL, proposed: 'x\n'.repeat(20_000) }), undefined);
  });
});

describe('an answer', () => {
  it('is an opinion only where it is exactly what was asked for', () => {
    assert.deepEqual(opinionOf('{"risk":"low","reason":" a\\n b "}'), { risk: 'low', reason: 'a b' });
    assert.equal(opinionOf(`{"risk":"low","reason":"${'x'.repeat(900)}"}`)?.reason.length, 500);
    for (const other of [
      '',
      '{}',
      '[]',
      'low',
      '{"risk":"low"}',
      '{"risk":"low","reason":" "}',
      `{"risk":"low","reason":"${'x'.repeat(9000)}"}`,
    ]) {
      assert.equal(opinionOf(other), undefined, other);
    }
  });
});

describe('a log of before there were opinions', () => {
  it('is read as ever: what it carries over has none', () => {
    const { opinion, ...before } = PROPOSAL;
    assert.equal(opinion, null);
    const parsed = parseEvent({ type: 'carried', proposal: before, currentHash: '', cancelled: 0, ended: null });
    assert.equal(parsed?.type === 'carried' && parsed.proposal.opinion, null);
  });

  it('gets an opinion as one record more', async (t) => {
    const { world, env } = await startAdvised(t, () => says('medium', 'broad'));
    const first = await world.start();
    await (await connect(t, first)).callTool(proposeHost('b.example'));
    first.kill('SIGTERM');
    await first.ended;
    const file = join(world.data, 'journal-000000000001.jsonl');
    const before = readFileSync(file, 'utf8');
    await world.start(env);
    await opinionIn(world);
    const after = readFileSync(file, 'utf8');
    assert.ok(after.startsWith(before));
    assert.match(after.slice(before.length), /^\{[^\n]*"type":"opinion"[^\n]*\}\n$/);
    assert.ok(verifyLog(world.data).ok);
  });
});
