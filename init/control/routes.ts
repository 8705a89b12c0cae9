import * as z from 'zod/mini';
import { formatDuration } from '../../config/duration.ts';
import { key } from '../../config/values.ts';
import { type HealthRoute, httpStatus } from '../../healthcheck/codes.ts';
import { HEALTH_JSON, type HealthJson, healthJson } from '../../healthcheck/health-json.ts';
import { PLANES } from '../lifecycle/event.ts';
import { parseSignal } from '../posix/signal-names.ts';
import { VERSION } from '../version.ts';
import { MOST_ENTRIES } from './audit.ts';
import { featuresOf } from './capabilities.ts';
import { eventStream } from './event-stream.ts';
import type { Init } from './init.ts';
import { logReply } from './log-stream.ts';
import { JSON_LINES_TYPE, JSON_TYPE, json, METRICS_TYPE } from './media.ts';
import { metricsText } from './metrics.ts';
import { type ProblemKind, problem } from './problem.ts';
import { reach, type Wanted } from './reach.ts';
import { type Call, type Reply, type Response, type Route, route } from './route.ts';
import type { Answered } from './schemas.ts';
import { wantsEvents } from './sse.ts';
import { STATE_WORDS } from './state-words.ts';

/** The longest `wait`, in ms. */
export const MAX_WAIT = 600_000;

const wait = key(
  z._default(wholeNumber(MAX_WAIT), 0),
  'ms to wait until the daemon has reached the wanted state or failed; 0 answers at once.',
);

function wholeNumber(maximum: number) {
  return z.coerce.number().check(z.int(), z.minimum(0), z.maximum(maximum));
}

const commandAnswers: Record<number, Response> = {
  200: { type: JSON_TYPE, summary: 'The wanted state is reached.', schema: 'CommandResult' },
  202: { type: JSON_TYPE, summary: 'Accepted; not waited for.', schema: 'CommandResult' },
};
const commandProblems: readonly ProblemKind[] = ['refused', 'daemon-failed', 'not-in-time'];

const healthAnswers = (yes: string, no: string): Record<number, Response> => ({
  200: { type: HEALTH_JSON, summary: yes, schema: 'Health' },
  503: { type: HEALTH_JSON, summary: no, schema: 'Health' },
});

/** The whole control API. */
export const ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/livez',
    access: 'health',
    summary: 'Is the init alive? Answers wherever its loop turns.',
    responses: { 200: { type: HEALTH_JSON, summary: 'The loop of the init turns.', schema: 'Health' } },
    handler: () => json({ status: 'pass' }, 200, HEALTH_JSON),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    access: 'health',
    summary: 'May the bundle get work? The status alone, without the daemons.',
    responses: healthAnswers('The bundle is healthy or degraded.', 'The bundle is starting or unhealthy.'),
    handler({ init }) {
      const { checks: _checks, ...summary } = report(init);
      return health(init, '/readyz', summary);
    },
  }),
  route({
    method: 'GET',
    path: '/healthz',
    access: 'health',
    summary: 'The health of the bundle, with one entry per daemon.',
    responses: healthAnswers('The bundle is healthy or degraded.', 'The bundle is starting or unhealthy.'),
    handler: ({ init }) => health(init, '/healthz', { ...report(init), commands: init.commandStatus() }),
  }),
  route({
    method: 'GET',
    path: '/metrics',
    access: 'health',
    summary: 'Metrics in the Prometheus text format.',
    responses: { 200: { type: METRICS_TYPE, summary: 'Every family, one HELP and TYPE each.' } },
    handler: ({ init }) => ({ status: 200, type: METRICS_TYPE, body: metricsText(init) }),
  }),
  route({
    method: 'GET',
    path: '/v1/status',
    access: 'read',
    summary: 'The bundle and all its daemons.',
    responses: { 200: { type: JSON_TYPE, summary: 'The status now.', schema: 'Status' } },
    handler: ({ init }) => json(init.status()),
  }),
  route({
    method: 'GET',
    path: '/v1/daemons/{name}',
    access: 'read',
    summary: 'One daemon.',
    responses: { 200: { type: JSON_TYPE, summary: 'Its status now.', schema: 'Daemon' } },
    handler: ({ init, daemon }) => json(init.status().daemons.find((status) => status.name === daemon)),
  }),
  commandRoute('start', 'Starts a daemon and, where needed, what it depends on.'),
  commandRoute('stop', 'Stops a daemon; it stays stopped until it is started again.'),
  commandRoute('restart', 'Stops a daemon and starts it again.'),
  route({
    method: 'POST',
    path: '/v1/daemons/{name}/signal',
    access: 'operate',
    summary: "Sends a signal to a daemon's first process.",
    body: { signal: key(z.string(), 'A name such as "HUP" or "SIGHUP", or a number.') },
    responses: { 200: { type: JSON_TYPE, summary: 'The signal is sent.', schema: 'SignalResult' } },
    problems: ['refused'],
    async handler({ init, daemon, body, caller }) {
      const signal = parseSignal(body.signal);
      if (signal === undefined)
        return problem('bad-request', `"${body.signal}" is not a signal; name one such as "HUP"`);
      const answer = await init.command(daemon, { do: 'signal', signal }, caller);
      return answer.accepted ? json({ daemon, accepted: true, text: answer.text }) : problem('refused', answer.text);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/reload',
    access: 'operate',
    summary: 'Reads the bundle file anew. Only what has changed is touched; an invalid file changes nothing.',
    responses: { 200: { type: JSON_TYPE, summary: 'The new file is in force.', schema: 'ReloadResult' } },
    problems: ['refused', 'invalid-bundle'],
    async handler({ init, caller }) {
      const { accepted, text, problem: kind = 'refused' } = await init.reload(caller);
      return accepted ? json({ accepted, text }) : problem(kind, text);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/events',
    access: 'read',
    summary:
      'Changes of state, incidents, commands: the history that is kept, or with Accept: text/event-stream a snapshot, what was missed since Last-Event-ID, and then each entry as it happens.',
    query: {
      after: key(z.optional(wholeNumber(Number.MAX_SAFE_INTEGER)), 'Only entries with a higher id.'),
    },
    responses: { 200: { type: JSON_TYPE, summary: 'What is kept of the history.', schema: 'Events' } },
    problems: ['too-many-streams'],
    handler({ init, query, header }) {
      const lastId = Number.parseInt(header('last-event-id') ?? '', 10);
      if (wantsEvents(header('accept'))) return eventStream(init, lastId >= 0 ? lastId : query.after);
      return json({ events: init.history(query.after ?? 0) });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    access: 'read',
    summary:
      'Who has commanded what, and what became of it; from before the start of the init, too, where control.audit keeps it.',
    query: { lines: key(z._default(wholeNumber(MOST_ENTRIES), 100), 'At most this many, the latest ones.') },
    responses: { 200: { type: JSON_TYPE, summary: 'The latest commands, oldest first.', schema: 'Audit' } },
    handler: ({ init, query }) => json({ entries: init.audit(query.lines) }),
  }),
  route({
    method: 'GET',
    path: '/v1/logs',
    access: 'read',
    summary: 'The latest lines of the daemons as JSON lines, or as server-sent events with Accept: text/event-stream.',
    query: {
      daemon: key(z.optional(z.string()), 'Names, separated by commas; all where absent.'),
      lines: key(z._default(wholeNumber(1_000_000), 100), 'At most this many.'),
      follow: key(z._default(z.enum(['0', '1']), '0'), '1: goes on with each new line.'),
    },
    responses: { 200: { type: JSON_LINES_TYPE, summary: 'One object per line.', schema: 'LogLine' } },
    problems: ['unknown-daemon', 'too-many-streams'],
    handler: ({ init, query, header }) =>
      logReply(init, {
        daemon: query.daemon,
        lines: query.lines,
        follow: query.follow === '1',
        events: wantsEvents(header('accept')),
      }),
  }),
  route({
    method: 'GET',
    path: '/v1/capabilities',
    access: 'read',
    summary: 'What this init can do, and what of it the caller may.',
    responses: { 200: { type: JSON_TYPE, summary: 'Its capabilities.', schema: 'Capabilities' } },
    handler: (call) => json(capabilities(call)),
  }),
  route({
    method: 'GET',
    path: '/v1/openapi.json',
    access: 'read',
    summary: 'This API as an OpenAPI 3.1 document.',
    responses: { 200: { type: JSON_TYPE, summary: 'The document.' } },
    async handler() {
      const { openapi } = await import('./openapi.ts');
      return json(openapi(ROUTES, VERSION));
    },
  }),
];

function report(init: Init): HealthJson {
  return healthJson(init.health(), { version: VERSION, now: new Date() });
}

function health(init: Init, path: HealthRoute, body: Answered<'Health'>): Reply {
  return json(body, httpStatus(path, init.health().status), HEALTH_JSON);
}

function capabilities({ init, caller, may }: Call): Answered<'Capabilities'> {
  const { layout, daemons } = init.capabilities();
  const open = ROUTES.filter(({ access }) => may.includes(access));
  return {
    api: 'v1',
    version: VERSION,
    control_plane: caller.plane,
    planes: [...PLANES],
    access: [...may],
    features: featuresOf(open.map(({ path }) => path)),
    layout,
    compose_agent: layout === 'bundle',
    daemons,
    routes: ROUTES.map(({ method, path, access }) => ({ method, path, access })),
  };
}

function commandRoute(verb: Wanted, summary: string): Route {
  return route({
    method: 'POST',
    path: `/v1/daemons/{name}/${verb}`,
    access: 'operate',
    summary,
    query: { wait },
    responses: commandAnswers,
    problems: commandProblems,
    handler: (call) => command(call, call.daemon, verb, call.query.wait),
  });
}

async function command({ init, caller, left }: Call, daemon: string, verb: Wanted, ms: number): Promise<Reply> {
  const outcome = await reach(init, daemon, verb, ms, left, () => init.command(daemon, { do: verb }, caller));
  if (outcome.kind === 'refused') return problem('refused', outcome.answer.text);
  const state = outcome.daemon?.state ?? null;
  const now = `${daemon} ${state === null ? 'is no longer in the bundle' : STATE_WORDS[state]}`;
  if (outcome.kind === 'accepted') {
    return json({ daemon, accepted: true, reached: false, state, text: outcome.answer.text }, 202);
  }
  if (outcome.kind === 'reached') return json({ daemon, accepted: true, reached: true, state, text: now });

  const { detail = null, hint = null, waiting_for = null } = outcome.daemon ?? {};
  const waits = waiting_for === null ? null : `waits for ${waiting_for}`;
  const because = (reasons: readonly (string | null)[]): string => {
    const known = reasons.filter((reason) => reason !== null);
    return known.length === 0 ? '' : `: ${known.join('; ')}`;
  };
  return outcome.kind === 'not-in-time'
    ? problem('not-in-time', `after ${formatDuration(ms)} ${now} still${because([waits])}`, { daemon, state })
    : problem('daemon-failed', `${now}${because([detail, waits, hint])}`, { daemon, state });
}
