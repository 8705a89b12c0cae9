import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import * as z from 'zod/mini';
import { makeWorld, routesWith, type World } from './world.ts';

/**
 * The official conformance suite against supervise as it is. Its scenarios want tools of their own; what cannot be had without
 * them is named here with the checks that fail, so that one more, or one less, is noticed.
 */

const SUITE = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json')).replace(
  /package\.json$/,
  'dist/index.js',
);

/** Failing checks by scenario. */
const AS_IT_IS: Readonly<Record<string, readonly string[]>> = {
  'server-initialize': [],
  'server-session-lifecycle': [],
  ping: [],
  'tools-list': [],
  'resources-list': [],
  'sep-2164-resource-not-found': [],
  'server-sse-polling': [],
  'server-sse-multiple-streams': [],
  'input-required-result-unsupported-methods': [],
  'dns-rebinding-protection': [],
  'http-header-validation': [],
  // Tools of the suite that ask for a capability, stream and log.
  'server-stateless': [
    'sep-2575-server-rejects-undeclared-capability',
    'sep-2575-missing-capability-http-400',
    'sep-2575-http-server-no-independent-requests-on-stream',
    'sep-2575-server-no-log-without-loglevel',
  ],
  // supervise has no prompts, and says so.
  caching: ['sep-2549-prompts-list-caching-hints'],
};

/** The same through a translator that gives supervise's own task the name of the suite's (`slow_compute`). */
const AS_TASKS: Readonly<Record<string, readonly string[]>> = {
  'tasks-capability-negotiation': [],
  'tasks-wire-fields': [],
  'tasks-request-state-removal': [],
  // `greet`: a tool of the suite.
  'tasks-request-headers': ['tasks-headers-tolerate-mcp-method-on-tools-call'],
  // `greet` and `failing_job`: tools of the suite.
  'tasks-dispatch-and-envelope': [
    'tasks-server-directed-creation-no-hint',
    'sep-2663-legacy-task-param-ignored',
    'tasks-result-type-complete-on-non-task-responses',
  ],
  // `greet`, `failing_job` and `protocol_error_job`: tools of the suite.
  'tasks-lifecycle': [
    'tasks-sync-tool-call',
    'sep-2663-tool-error-uses-completed-status',
    'sep-2663-tasks-get-status-failed',
  ],
};

/** What does not apply, and why. */
const NOT_OFFERED: readonly (readonly [scenarios: RegExp, why: string])[] = [
  [/^tools-call-|^json-schema-2020-12$/, 'calls tools of the suite, whose own answers it looks at'],
  [/^resources-read-/, 'reads resources of the suite'],
  [
    /^resources-(templates-read|subscribe|unsubscribe)$/,
    'supervise has neither templates nor subscriptions, and says so',
  ],
  [
    /^prompts-|^completion-complete$|^logging-set-level$/,
    'supervise has no prompts, completion and logging, and says so',
  ],
  [/^elicitation-|^input-required-result-|^tasks-mrtr-/, 'supervise never asks its client for anything'],
  [/^http-custom-header-server-validation$/, 'no tool of supervise wants an argument in a header'],
  [/^tasks-required-task-error$/, 'no tool of supervise wants a task: each answers "pending" without'],
  [/^tasks-status-notifications$/, 'the suite itself skips it'],
  [/^sep-2640-skills-/, 'an extension that supervise does not have'],
];

async function failingChecks(url: string, scenario: string): Promise<readonly string[]> {
  const { stdout, stderr } = await execa(process.execPath, [SUITE, 'server', '--url', url, '--scenario', scenario], {
    env: { NO_COLOR: '1', FORCE_COLOR: '0' },
    reject: false,
    timeout: 90_000,
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the suite colours what it writes.
  const text = `${stdout}\n${stderr}`.replace(/\u001b\[\d+m/g, '');
  assert.match(text, /Passed: \d+\/\d+/, text.slice(-2000));
  return [...text.matchAll(/\[([\w-]+) *\] FAILURE/g)].map((match) => match[1] ?? '');
}

async function compare(url: string, expected: Readonly<Record<string, readonly string[]>>): Promise<void> {
  for (const [scenario, failing] of Object.entries(expected)) {
    assert.deepEqual([...(await failingChecks(url, scenario))].sort(), [...failing].sort(), scenario);
  }
}

const ENV = { SUPERVISE_MOST_PER_MINUTE: '1000', SUPERVISE_MOST_PENDING: '1000', SUPERVISE_WAIT: '200ms' };

test('the conformance suite: what supervise offers is as the protocol says', { timeout: 240_000 }, async (t) => {
  const { port } = await makeWorld(t).start(ENV);
  await compare(`http://127.0.0.1:${port}/mcp`, AS_IT_IS);
});

test('the conformance suite: tasks are as their extension says', { timeout: 240_000 }, async (t) => {
  const world = makeWorld(t);
  const { port } = await world.start(ENV);
  await compare(await translator(t, world, port), AS_TASKS);
});

test('the conformance suite: each of its scenarios is run, or is named with the reason why it does not apply', async () => {
  const { stdout } = await execa(process.execPath, [SUITE, 'list', '--server']);
  const scenarios = [...stdout.matchAll(/^ +- ([\w-]+)/gm)].map((match) => match[1] ?? '');
  assert.ok(scenarios.length >= 65);
  const isRun = (name: string): boolean => name in AS_IT_IS || name in AS_TASKS;
  const isNamed = (name: string): boolean => NOT_OFFERED.some(([pattern]) => pattern.test(name));
  assert.deepEqual(
    scenarios.filter((name) => !isRun(name) && !isNamed(name)),
    [],
  );
});

const callOfSlowCompute = z.looseObject({
  method: z.literal('tools/call'),
  params: z.looseObject({
    name: z.literal('slow_compute'),
    arguments: z.looseObject({ seconds: z._default(z.number(), 0) }),
  }),
});

const answerWithTask = z.looseObject({ result: z.looseObject({ taskId: z.string() }) });

/** Turns a call of `slow_compute` into a new proposal, which an operator approves after as many seconds as it is to take. */
async function translator(t: TestContext, world: World, port: number): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(Buffer.from(chunk));
      const text = Buffer.concat(chunks).toString();
      const call = callOfSlowCompute.safeParse(text === '' ? undefined : JSON.parse(text));
      const headers = withoutFraming(request.headers);
      let body = text;
      if (call.success) {
        const given = { routes_yaml: routesWith(`h${count++}.example`), justification: 'to be conformant' };
        body = JSON.stringify({
          ...call.data,
          params: { ...call.data.params, name: 'egress-block', arguments: given },
        });
        if (headers['mcp-name'] === 'slow_compute') headers['mcp-name'] = 'egress-block';
      }
      const answered = await fetch(`http://127.0.0.1:${port}/mcp`, {
        method: request.method ?? 'POST',
        headers,
        ...(body === '' ? {} : { body }),
      });
      const answer = await answered.text();
      const task = call.success ? answerWithTask.safeParse(JSON.parse(answer)) : undefined;
      if (call.success && task?.success === true) {
        const id = task.data.result.taskId.split('.')[0] ?? '';
        const timer = setTimeout(() => void approve(world, id), call.data.params.arguments.seconds * 1000);
        t.after(() => clearTimeout(timer));
      }
      response.writeHead(answered.status, { 'content-type': answered.headers.get('content-type') ?? 'text/plain' });
      response.end(answer);
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/mcp`;
}

function withoutFraming(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(host|connection|content-length|transfer-encoding)$/.test(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}

async function approve(world: World, id: string): Promise<void> {
  const [proposal] = (await world.proposals('?status=pending')).filter((one) => one.id === id);
  if (proposal === undefined) return;
  await world.decide(proposal, 'approved');
  await world.operator('POST', `/v1/proposals/${id}/outcome`, { result: 'applied', detail: '', diff: '' });
}
