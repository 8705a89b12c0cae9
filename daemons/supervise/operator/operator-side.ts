import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type * as z from 'zod/mini';
import type { Scanner } from '../../scanner/finding.ts';
import { fitForLog, incidentDraft } from '../incident-draft.ts';
import type { Proposal } from '../proposal.ts';
import type { Refusal } from '../queue/decide.ts';
import type { Changed, Desk } from '../queue/desk.ts';
import { readTarget, TARGETS } from '../targets.ts';
import { printableText } from '../text.ts';
import { createEventStreams } from './events.ts';
import { decisionRequest, incidentRequest, outcomeRequest } from './requests.ts';

export interface OperatorSideOptions {
  readonly desk: Desk;
  /** The directory of the targets. */
  readonly config: string;
  readonly scanner: Scanner;
  /** What is wrong with a text that the operator puts in place of a proposed one, a line each. */
  readonly faultsOf: (proposal: Proposal, final: string) => Promise<readonly string[]>;
  readonly onError: (error: Error) => void;
  /** What is told of the model that is asked for second opinions; null where none is. */
  readonly modelStatus: () => object | null;
}

export interface OperatorSide {
  readonly server: Server;
  close(): void;
}

/** Two texts of 512 KiB with what JSON adds. */
const LARGEST_BODY = 4 * 1024 * 1024;

type Answer = { readonly status: number; readonly body: unknown } | 'streams' | Refusal;

/** The operator's API, as proposal.ts describes it. The socket that it is served on is all that protects it. */
export function createOperatorSide(options: OperatorSideOptions): OperatorSide {
  const { desk, config, scanner, faultsOf, onError, modelStatus } = options;
  const streams = createEventStreams(desk);

  async function route(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://operator');
    const [version, what, id, action, ...rest] = url.pathname.split('/').slice(1);
    const is = (method: string): boolean => request.method === method;
    if (version !== 'v1' || rest.length > 0) return nothingHere(url.pathname);
    if (id === undefined) {
      if (what === 'proposals') return is('GET') ? { status: 200, body: list(url) } : wrongMethod('GET');
      if (what === 'status') return is('GET') ? { status: 200, body: status() } : wrongMethod('GET');
      if (what === 'events') return is('GET') ? 'streams' : wrongMethod('GET');
      if (what === 'incidents') return is('POST') ? incident(request) : wrongMethod('POST');
      return nothingHere(url.pathname);
    }
    if (what !== 'proposals') return nothingHere(url.pathname);
    if (action === undefined) return is('GET') ? one(id) : wrongMethod('GET');
    if (action === 'decision') return is('POST') ? decide(id, request) : wrongMethod('POST');
    if (action === 'outcome') return is('POST') ? outcome(id, request) : wrongMethod('POST');
    return nothingHere(url.pathname);
  }

  function list({ searchParams }: URL): { readonly proposals: readonly Proposal[] } {
    const [wanted, kind] = [searchParams.get('status'), searchParams.get('kind')];
    const proposals = [...desk.state.entries.keys()]
      .flatMap((id) => desk.find(id)?.proposal ?? [])
      .filter((one) => (wanted === null || one.status === wanted) && (kind === null || one.kind === kind));
    return { proposals };
  }

  function one(id: string): Answer {
    const proposal = desk.find(id)?.proposal;
    return proposal === undefined ? notFound(id) : { status: 200, body: proposal };
  }

  function status(): unknown {
    const counts: Record<string, number> = {};
    for (const { proposal } of desk.state.entries.values())
      counts[proposal.status] = (counts[proposal.status] ?? 0) + 1;
    const { refused, merged } = desk.counts;
    return {
      counts,
      log: { records: desk.head.seq, hash: desk.head.hash },
      readOnly: desk.readOnly ?? null,
      refused,
      merged,
      model: modelStatus(),
    };
  }

  async function decide(id: string, request: IncomingMessage): Promise<Answer> {
    const read = await bodyOf(request, decisionRequest);
    if (!read.ok) return read;
    const { verdict, shown, by, reason, final } = read.value;
    const proposal = desk.find(id)?.proposal;
    if (proposal === undefined) return desk.readOnly === undefined ? notFound(id) : readOnly(desk.readOnly);
    const target = TARGETS.find((name) => name === proposal.target);
    const held = target === undefined ? undefined : await readTarget(config, target);
    if (final !== undefined && verdict === 'modified') {
      const faults = await faultsOf(proposal, final);
      if (faults.length > 0) return unfit('final is not valid', faults.join('\n'));
    }
    const made = {
      verdict,
      shown,
      by: printableText(by),
      ...(reason === undefined ? {} : { reason: await masked(reason) }),
      ...(final === undefined ? {} : { final }),
    };
    return answered(await desk.decide(id, made, held?.hash), 200);
  }

  async function outcome(id: string, request: IncomingMessage): Promise<Answer> {
    const read = await bodyOf(request, outcomeRequest);
    if (!read.ok) return read;
    const { result, detail, diff } = read.value;
    const made = { result, detail: await masked(detail), diff: await masked(diff) };
    return answered(await desk.outcome(id, made), 200);
  }

  async function incident(request: IncomingMessage): Promise<Answer> {
    const read = await bodyOf(request, incidentRequest);
    if (!read.ok) return read;
    const submitted = await desk.submit(await incidentDraft(scanner, read.value));
    if (submitted.ok) return { status: submitted.isNew ? 201 : 200, body: submitted.proposal };
    if (submitted.cause === 'read-only') return readOnly(submitted.reason);
    return { ok: false, status: 429, title: 'too many', detail: submitted.reason };
  }

  const masked = (text: string): Promise<string> => fitForLog(scanner, text);

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const found = await route(request);
    if (found === 'streams') {
      if (!streams.open(response)) send(response, unavailable('too many streams are open'));
      return;
    }
    send(response, found);
  }

  const server = createServer({ requestTimeout: 30_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      onError(error instanceof Error ? error : new Error(String(error)));
      const detail = error instanceof Error ? error.message : String(error);
      if (!response.headersSent) send(response, unavailable(detail));
      else response.destroy();
    });
  });
  server.maxConnections = 128;
  return { server, close: streams.close };
}

function send(response: ServerResponse, answer: Exclude<Answer, 'streams'>): void {
  if ('ok' in answer) {
    const { status, title, detail } = answer;
    response.writeHead(status, { 'content-type': 'application/problem+json' });
    response.end(`${JSON.stringify({ title, status, detail })}\n`);
    return;
  }
  response.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(`${JSON.stringify(answer.body)}\n`);
}

type ReadBody<T> = { readonly ok: true; readonly value: T } | Refusal;

async function bodyOf<T extends z.ZodMiniType>(request: IncomingMessage, schema: T): Promise<ReadBody<z.output<T>>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > LARGEST_BODY) return unfit('too large', `The body is longer than ${LARGEST_BODY} bytes.`);
    chunks.push(bytes);
  }
  try {
    const parsed = schema.safeParse(JSON.parse(Buffer.concat(chunks).toString()));
    if (parsed.success) return { ok: true, value: parsed.data };
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    return unfit('not valid', faults.join('; '));
  } catch {
    return unfit('not valid', 'The body is not JSON.');
  }
}

function answered(changed: Changed, status: number): Answer {
  return changed.ok ? { status, body: changed.proposal } : changed;
}

function notFound(id: string): Refusal {
  return {
    ok: false,
    status: 404,
    title: 'not found',
    detail: `There is no proposal ${JSON.stringify(id.slice(0, 40))}.`,
  };
}

function nothingHere(path: string): Refusal {
  return { ok: false, status: 404, title: 'not found', detail: `There is nothing at ${path.slice(0, 100)}.` };
}

function wrongMethod(method: string): Refusal {
  return { ok: false, status: 405, title: 'wrong method', detail: `This takes ${method}.` };
}

function unfit(title: string, detail: string): Refusal {
  return { ok: false, status: 422, title, detail };
}

function unavailable(detail: string): Refusal {
  return { ok: false, status: 503, title: 'unavailable', detail };
}

function readOnly(reason: string): Refusal {
  return { ok: false, status: 503, title: 'read-only', detail: `supervise decides nothing: ${reason}.` };
}
