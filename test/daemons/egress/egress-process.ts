import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const MAIN = fileURLToPath(new URL('../../../daemons/egress/main.ts', import.meta.url));

/** One log line of egress. */
export interface LogLine {
  readonly event: string;
  readonly message: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

/** The daemon under test, on ports of its own, with its files in a directory of its own. */
export interface EgressProcess extends AsyncDisposable {
  readonly port: number;
  readonly metricsPort: number;
  readonly directory: string;
  /** Its routes.yaml. */
  readonly routesFile: string;
  readonly pid: number;
  /** All that it wrote so far, to both streams. */
  output(): string;
  lines(): readonly LogLine[];
  /** The first line with this event after the first `skip` of them; waits for it. */
  line(event: string, skip?: number): Promise<LogLine>;
  signal(name: NodeJS.Signals): void;
  /** Exit code, once it has ended. */
  ended(): Promise<number | undefined>;
}

export interface EgressOptions {
  /** What routes.yaml holds; undefined where there is no such file. */
  readonly routes?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Files of the directory of credentials. */
  readonly credentials?: Readonly<Record<string, string>>;
  readonly upstream?: string;
}

/** Starts egress and waits until it is ready or has ended. */
export async function startEgress(options: EgressOptions): Promise<EgressProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'egress-'));
  const [config, secrets] = [join(directory, 'config'), join(directory, 'credentials')];
  await mkdir(config);
  await mkdir(secrets);
  const routesFile = join(config, 'routes.yaml');
  if (options.routes !== undefined) await writeFile(routesFile, options.routes);
  for (const [name, text] of Object.entries(options.credentials ?? {})) await writeFile(join(secrets, name), text);
  const env = {
    EGRESS_LISTEN: '127.0.0.1',
    EGRESS_PORT: '0',
    EGRESS_METRICS_PORT: '0',
    EGRESS_ROUTES: routesFile,
    EGRESS_DATA: join(directory, 'data'),
    EGRESS_UPSTREAM_PROXY: options.upstream ?? 'http://127.0.0.1:1',
    ...(options.credentials === undefined ? {} : { CREDENTIALS_DIRECTORY: secrets }),
    ...options.env,
  };
  const child = execa(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, ...env },
    extendEnv: false,
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: 10_000,
  });
  let text = '';
  child.all.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = once(child.all, 'end');

  function lines(): readonly LogLine[] {
    return text
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line));
  }

  async function line(event: string, skip = 0): Promise<LogLine> {
    return until(
      `a line with event ${event}; it wrote:\n${text}`,
      () => lines().filter((one) => one.event === event)[skip],
    );
  }

  const exit = ended.then(() => child).then(({ exitCode }) => exitCode);
  let hasEnded = false;
  void exit.then(() => {
    hasEnded = true;
  });
  await until(
    'egress to be ready or to end',
    () => hasEnded || lines().some(({ event }) => event === 'egress_ready') || undefined,
  );
  const ready = lines().find(({ event }) => event === 'egress_ready');
  return {
    port: Number(ready?.port ?? 0),
    metricsPort: Number(ready?.metrics_port ?? 0),
    directory,
    routesFile,
    pid: child.pid ?? 0,
    output: () => text,
    lines,
    line,
    signal: (name) => void child.kill(name),
    ended: () => exit,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exit;
      await rm(directory, { recursive: true });
    },
  };
}

/** Waits until `look` finds something. Fails with what was waited for after 20 seconds. */
export async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A request as pipelock got it. */
export interface Arrived {
  readonly method: string;
  /** The absolute URI. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** Stands where pipelock stands, and tells what came. */
export interface FakePipelock extends AsyncDisposable {
  readonly url: string;
  readonly arrived: readonly Arrived[];
  /** Ends it before the end of the test. */
  stop(): Promise<void>;
}

type Answer = (request: Arrived, response: ServerResponse) => void;

/** Starts it; `answer` gives what the origin would. */
export async function startFakePipelock(
  answer: Answer = (_, response) => response.end('hello\n'),
): Promise<FakePipelock> {
  const arrived: Arrived[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/health') response.end('{"status":"healthy"}');
    else void receive(request, response);
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers, rawHeaders } = request;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const one = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() };
    arrived.push(one);
    answer(one, response);
  }

  async function stop(): Promise<void> {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${addressOf(server.address()).port}`,
    arrived,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (typeof address === 'object' && address !== null) return address;
  throw new Error('the server has no port');
}
