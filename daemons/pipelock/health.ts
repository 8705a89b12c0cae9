import { createServer, get, type Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { formatListen, type Listen } from './environment.ts';

/** What the launcher tells of its engine. */
export interface Health {
  readonly status: 'healthy' | 'unhealthy';
  readonly engine: 'pipelock' | 'embedded';
  /** Of the engine; undefined where it did not tell. */
  readonly version?: string;
  /** Why it is not healthy. */
  readonly reason?: string;
  /** What a person should know although it is healthy. */
  readonly warning?: string;
}

export const STAND_IN_WARNING =
  'this is the embedded stand-in, not pipelock: it looks for secrets with a smaller set of rules and does not scan answers';

const ANSWER_MS = 2_000;
const STARTING_MS = 10_000;
const MOST_ANSWER_BYTES = 64 * 1024;
const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Asks the engine and judges what it says: it is healthy only if it lets requests through and scans them. Never rejects. */
export async function askHealth(engine: Health['engine'], proxy: Listen): Promise<Health> {
  const answer = await fetchHealth(reachable(proxy));
  const base = { engine, ...(engine === 'embedded' ? { warning: STAND_IN_WARNING } : {}) };
  if (typeof answer === 'string') return { ...base, status: 'unhealthy', reason: answer };
  const version = typeof answer.version === 'string' ? { version: answer.version } : {};
  const reason = faultOf(answer);
  if (reason !== undefined) return { ...base, ...version, status: 'unhealthy', reason };
  return { ...base, ...version, status: 'healthy' };
}

/** Waits until the engine answers at all, at most 10 s: before that, a SIGHUP could kill it instead of reloading it. */
export async function untilAnswers(proxy: Listen): Promise<void> {
  const deadline = performance.now() + STARTING_MS;
  while (performance.now() < deadline && typeof (await fetchHealth(reachable(proxy))) === 'string') await pause(100);
}

/** pipelock says `healthy` also while its kill switch refuses everything (internal/proxy, handleHealth). */
function faultOf(answer: Readonly<Record<string, unknown>>): string | undefined {
  if (answer.status !== 'healthy') return `the engine says ${JSON.stringify(answer.status)}`;
  if (answer.kill_switch_active !== false) return 'the kill switch is active: every request is refused';
  if (answer.forward_proxy_enabled !== true) return 'forward_proxy is off: no request can pass';
  if (answer.request_body_scan_enabled !== true) return 'request_body_scanning is off: secrets could leave';
  return undefined;
}

function reachable({ host, port }: Listen): Listen {
  return { host: ANY_ADDRESS.has(host) ? '127.0.0.1' : host, port };
}

/** What the engine answers, or why there is no answer. */
function fetchHealth(listen: Listen): Promise<Readonly<Record<string, unknown>> | string> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const options = { host: listen.host, port: listen.port, path: '/health', agent: false, signal };
    const request = get(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MOST_ANSWER_BYTES) request.destroy(new Error('its answer is too long'));
      });
      response.on('error', () => resolve('the engine broke off its answer'));
      response.on('end', () => resolve(objectIn(text) ?? `the engine answered ${response.statusCode} without JSON`));
    });
    request.on('error', (error) => {
      const what = signal.aborted ? `no answer within ${ANSWER_MS / 1000} s` : error.message;
      resolve(`the engine does not answer on ${formatListen(listen)}: ${what}`);
    });
  });
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Serves `GET /health` on 127.0.0.1: 200 while healthy, 503 otherwise. Resolves with the port; rejects where it cannot listen. */
export function serveHealth(port: number, ask: () => Promise<Health>): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
    if (request.url !== '/health') {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found; the page is /health\n');
      return;
    }
    ask().then((health) => {
      response.writeHead(health.status === 'healthy' ? 200 : 503, { 'Content-Type': 'application/json' });
      response.end(`${JSON.stringify(health)}\n`);
    }, response.destroy.bind(response));
  });
  server.maxConnections = 64;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve({ server, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}
