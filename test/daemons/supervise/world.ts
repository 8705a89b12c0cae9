import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { execa } from 'execa';
import * as z from 'zod/mini';
import type { Proposal } from '../../../daemons/supervise/proposal.ts';

/** supervise as a real process, with an agent and an operator. */

const MAIN = fileURLToPath(new URL('../../../daemons/supervise/main.ts', import.meta.url));

export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** One running supervise. */
export interface Running {
  readonly pid: number;
  readonly port: number;
  readonly metricsPort: number;
  /** The first log line with this event; waits for it. */
  logged(event: string): Promise<Readonly<Record<string, unknown>>>;
  output(): string;
  kill(signal: NodeJS.Signals): void;
  readonly ended: Promise<number | undefined>;
}

export interface World {
  readonly directory: string;
  readonly data: string;
  readonly config: string;
  /** Starts supervise; waits until it listens. */
  start(env?: Readonly<Record<string, string>>): Promise<Running>;
  /** Starts it and does not wait. */
  launch(env?: Readonly<Record<string, string>>): Promise<Running>;
  operator(method: string, path: string, body?: unknown): Promise<Answered>;
  proposals(query?: string): Promise<readonly Proposal[]>;
  /** Decides as an operator who looked at it does. */
  decide(proposal: Proposal, verdict: string, more?: Readonly<Record<string, unknown>>): Promise<Answered>;
}

export const ROUTES = 'routes:\n  - host: a.example\n';

export function makeWorld(t: TestContext): World {
  const directory = mkdtempSync(join(tmpdir(), 'supervise-'));
  const [data, config] = [join(directory, 'data'), join(directory, 'config')];
  mkdirSync(config);
  writeFileSync(join(config, 'routes.yaml'), ROUTES);
  writeFileSync(join(config, 'Dockerfile'), 'FROM scratch\n');
  const running = new Set<Running>();
  t.after(async () => {
    for (const one of running) one.kill('SIGKILL');
    await Promise.all([...running].map(({ ended }) => ended));
    rmSync(directory, { recursive: true, force: true });
  });

  async function launch(env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const child = execa(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        SUPERVISE_DATA: data,
        SUPERVISE_CONFIG: config,
        SUPERVISE_LISTEN: '127.0.0.1',
        SUPERVISE_PORT: '0',
        SUPERVISE_METRICS_PORT: '0',
        SUPERVISE_WAIT: '0',
        ...env,
      },
      extendEnv: false,
      buffer: false,
      reject: false,
      stdin: 'ignore',
    });
    const lines: Readonly<Record<string, unknown>>[] = [];
    let text = '';
    const waiting = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        text += `${line}\n`;
        const parsed = line.startsWith('{') ? z.record(z.string(), z.unknown()).safeParse(JSON.parse(line)) : undefined;
        if (parsed?.success === true) lines.push(parsed.data);
        for (const wake of waiting) wake();
      });
    }
    const ended = child.then(({ exitCode }) => {
      for (const wake of waiting) wake();
      return exitCode;
    });
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    const logged = async (event: string): Promise<Readonly<Record<string, unknown>>> => {
      const deadline = Date.now() + 30_000;
      for (;;) {
        const found = lines.find((line) => line.event === event);
        if (found !== undefined) return found;
        if (isOver || Date.now() > deadline) throw new Error(`"${event}" was not logged:\n${text}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        const timer = setTimeout(resolve, 1000);
        await Promise.race([promise, ended]);
        clearTimeout(timer);
        waiting.delete(resolve);
      }
    };
    const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
    const one: Running = {
      pid: child.pid ?? 0,
      get port() {
        return number(lines.find(({ event }) => event === 'listening')?.port);
      },
      get metricsPort() {
        return number(lines.find(({ event }) => event === 'listening')?.metricsPort);
      },
      logged,
      output: () => text,
      kill: (signal) => {
        child.kill(signal);
      },
      ended,
    };
    running.add(one);
    void ended.then(() => running.delete(one));
    return one;
  }

  async function start(env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const one = await launch(env);
    await one.logged('listening');
    return one;
  }

  async function operator(method: string, path: string, body?: unknown): Promise<Answered> {
    const { promise, resolve, reject } = Promise.withResolvers<Answered>();
    const asked = request({ socketPath: join(data, 'operator.sock'), method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
    });
    asked.once('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  }

  return {
    directory,
    data,
    config,
    start,
    launch,
    operator,
    async proposals(query = '') {
      const { body } = await operator('GET', `/v1/proposals${query}`);
      return listOf(body);
    },
    decide: ({ id, shown }, verdict, more = {}) =>
      operator('POST', `/v1/proposals/${id}/decision`, { verdict, shown, by: 'ada', ...more }),
  };
}

/** The operator's API is its own contract: what it sends is a list of proposals. */
function listOf(body: unknown): readonly Proposal[] {
  const { proposals } = z.object({ proposals: z.array(z.custom<Proposal>()) }).parse(body);
  return proposals;
}

/** The only proposal there is. */
export async function theProposal(world: World, query = ''): Promise<Proposal> {
  const proposals = await world.proposals(query);
  const [proposal] = proposals;
  if (proposal === undefined || proposals.length !== 1) throw new Error(`there are ${proposals.length} proposals`);
  return proposal;
}

/** A client of the agent's side. Era: `auto` is the modern one. */
export async function connect(t: TestContext, { port }: Running, mode: 'auto' | 'legacy' = 'auto'): Promise<Client> {
  const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
  t.after(() => client.close().catch(() => {}));
  return client;
}

/** Proposes a route for a host. */
export function proposeHost(host: string, justification = `${host} is needed`) {
  return { name: 'egress-block', arguments: { routes_yaml: routesWith(host), justification } };
}

export function routesWith(host: string): string {
  return `${ROUTES}  - host: ${host}\n`;
}

/** A request of the modern era by hand; `capabilities` are those that it declares. */
export async function post(
  { port }: Pick<Running, 'port'>,
  method: string,
  params: Readonly<Record<string, unknown>>,
  { capabilities = {}, headers = {}, signal }: PostOptions = {},
): Promise<{ readonly status: number; readonly message: Message }> {
  const name = params.name ?? params.taskId ?? params.uri;
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': capabilities,
          'io.modelcontextprotocol/clientInfo': { name: 'agent', version: '1' },
        },
      },
    }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: response.status, message: messageSchema.parse(await response.json()) };
}

interface PostOptions {
  readonly capabilities?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const messageSchema = z.object({
  result: z.optional(z.record(z.string(), z.any())),
  error: z.optional(z.object({ code: z.number(), message: z.string(), data: z.optional(z.any()) })),
});
export type Message = z.output<typeof messageSchema>;

/** Waits for a condition, with a deadline. */
export async function until<T>(what: string, condition: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await condition();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A token that looks real and never was: made anew each time. */
export function fakeToken(): string {
  return `ghp_${randomBytes(64)
    .toString('base64')
    .replaceAll(/[^a-zA-Z0-9]/g, '')
    .slice(0, 36)}`;
}
