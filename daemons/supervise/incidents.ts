import { get, type IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod/mini';
import type { Log } from '../log/log.ts';

/** Something that happened to a daemon of the bundle and that a person should look at. */
export interface Incident {
  readonly daemon: string;
  /** As the init names it (`exit-code`, `probe-failed`, `killed-after-grace`, …), or `given-up`. */
  readonly cause: string;
  /** What happened and what to do, in words. */
  readonly text: string;
  /** What the daemon wrote last, oldest first; secrets are masked by the init. */
  readonly lines: readonly string[];
  /** When it happened, RFC 3339. */
  readonly time: string;
}

export interface IncidentOptions {
  /** The init's socket for reading (`control.read` in the bundle file). */
  readonly socket: string;
  readonly log: Log;
  /** Takes an incident in. Where it rejects, the incident is told again later. */
  readonly post: (incident: Incident) => void | Promise<void>;
  /** Only incidents after this moment (RFC 3339): that of the last one that was taken in before. Absent: all that the init still knows. */
  readonly since?: string | undefined;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** The init gives a sign of life every 15 s. */
const SILENCE_MS = 45_000;
const ANSWER_MS = 5_000;
const LINES = 20;
const LONGEST_LINE = 500;
/** A status of a large bundle comes as one line. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What of the init's history is told here; see docs/control-api.md. */
const entrySchema = z.object({
  id: z.int(),
  time: z.string(),
  type: z.string(),
  daemon: z.optional(z.string()),
  to: z.optional(z.string()),
  cause: z.optional(z.string()),
  text: z.string(),
});

type Entry = z.output<typeof entrySchema>;

const logLineSchema = z.object({ message: z.string() });

/**
 * Follows the init's events and hands over what a person should look at, each at least once and in order. Goes on where it was after
 * the connection broke off. Returns the way to stop. Never throws.
 */
export function followIncidents({ socket, log, post, since }: IncidentOptions): () => void {
  const stopped = new AbortController();
  let last = 0;
  let wait = FIRST_WAIT_MS;
  let isTold = false;
  void followAlways();
  return () => stopped.abort();

  async function followAlways(): Promise<void> {
    while (!stopped.signal.aborted) {
      const why = await follow().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
      if (stopped.signal.aborted) return;
      if (!isTold) {
        isTold = true;
        log(
          'warn',
          `supervise: incidents of the daemons are not heard of: ${why}; the init at ${socket} is tried again`,
          {
            event: 'incidents-not-followed',
            reason: why,
          },
        );
      }
      await pause(wait, undefined, { signal: stopped.signal }).catch(() => {});
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** One connection, until it ends. Resolves with why. */
  async function follow(): Promise<string> {
    const response = await open(`/v1/events?after=${last}`, 'text/event-stream');
    if (response.statusCode !== 200) {
      response.destroy();
      return `the init answered ${response.statusCode}`;
    }
    let isSilent = false;
    const silence = setTimeout(() => {
      isSilent = true;
      response.destroy();
    }, SILENCE_MS);
    try {
      if (isTold)
        log('info', 'supervise: incidents of the daemons are heard of again', { event: 'incidents-followed' });
      isTold = false;
      for await (const { event, data } of serverSentEvents(response, () => silence.refresh())) {
        wait = FIRST_WAIT_MS;
        if (event === 'snapshot' || event === 'gap') continue;
        const entry = entrySchema.safeParse(parseJson(data));
        if (!entry.success) continue;
        await tell(entry.data);
        last = entry.data.id;
      }
    } finally {
      clearTimeout(silence);
      response.destroy();
    }
    return isSilent ? 'it gave no sign of life' : 'the init ended the stream';
  }

  async function tell(entry: Entry): Promise<void> {
    const { daemon, time, text } = entry;
    const cause = causeOf(entry);
    if (daemon === undefined || cause === undefined || (since !== undefined && time <= since)) return;
    await post({ daemon, cause, text, lines: await lastLines(daemon), time });
  }

  /** None where they cannot be had: the incident counts more. */
  async function lastLines(daemon: string): Promise<readonly string[]> {
    try {
      const response = await open(`/v1/logs?daemon=${encodeURIComponent(daemon)}&lines=${LINES}`, 'application/jsonl');
      const timer = setTimeout(() => response.destroy(), ANSWER_MS);
      try {
        const lines: string[] = [];
        for await (const line of linesOf(response)) {
          const parsed = logLineSchema.safeParse(parseJson(line));
          if (parsed.success) lines.push(parsed.data.message.slice(0, LONGEST_LINE));
        }
        return lines.slice(-LINES);
      } finally {
        clearTimeout(timer);
      }
    } catch {
      return [];
    }
  }

  function open(path: string, accept: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { host: 'localhost', accept };
      const asked = get({ socketPath: socket, path, headers, agent: false, signal: stopped.signal }, resolve);
      asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error('the init does not answer')));
      asked.on('response', () => asked.setTimeout(0));
      asked.on('error', reject);
    });
  }
}

/** Why a person should look at this; undefined where nobody has to. Who is given up after its dependency follows what is told already. */
function causeOf({ type, to, cause }: Entry): string | undefined {
  if (type === 'incident') return cause ?? 'unknown';
  return type === 'changed' && to === 'failed' && cause !== 'dependency-failed' ? 'given-up' : undefined;
}

interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** The events of a stream as the HTML standard writes them ("Server-sent events"); `heard` is called for every line, comments too. */
async function* serverSentEvents(response: IncomingMessage, heard: () => void): AsyncGenerator<ServerSentEvent> {
  let event = '';
  for await (const line of linesOf(response)) {
    heard();
    if (line.startsWith('event: ')) event = line.slice('event: '.length);
    else if (line.startsWith('data: ')) yield { event, data: line.slice('data: '.length) };
  }
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const piece of response) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_BYTES) throw new Error('the init sent too long a line');
    yield* lines;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
