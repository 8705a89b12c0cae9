import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { stringify } from 'yaml';

const main = join(import.meta.dirname, '../../../daemons/pipelock/main.ts');

export interface LogLine {
  readonly event?: string;
  readonly [field: string]: unknown;
}

export interface Setup {
  readonly routes?: unknown;
  readonly settings?: unknown;
  readonly environment?: Readonly<Record<string, string>>;
  /** What the fake pipelock shall do; see fixtures/pipelock. */
  readonly orders?: object;
}

/** The launcher as a process of its own, in a directory of its own. */
export interface Launched extends AsyncDisposable {
  readonly directory: string;
  /** $HOME of the launcher. */
  readonly home: string;
  readonly port: number;
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly child: ReturnType<typeof start>;
  /** Every line of its log so far; what is no JSON stands in `text`. */
  readonly lines: readonly LogLine[];
  /** Waits for a line; rejects with the whole log after 15 s. */
  line(wanted: (line: LogLine) => boolean): Promise<LogLine>;
  event(name: string): Promise<LogLine>;
  write(file: 'routes.yaml' | 'settings.yaml' | 'known-secrets.json', content: unknown): void;
  health(): Promise<{ status: number; body: Record<string, unknown> }>;
}

/** Starts the launcher with an environment of nothing but what is given here. */
export async function launchPipelock(setup: Setup = {}): Promise<Launched> {
  const { routes = { routes: [] }, settings = {}, environment = {}, orders = {} } = setup;
  const directory = mkdtempSync(join(tmpdir(), 'pipelock-test-'));
  const write: Launched['write'] = (file, content) => {
    writeFileSync(join(directory, file), typeof content === 'string' ? content : stringify(content));
  };
  write('routes.yaml', routes);
  write('settings.yaml', settings);
  const home = join(directory, 'home');
  mkdirSync(home);
  writeFileSync(join(home, 'orders.json'), JSON.stringify(orders));
  const [port = 0, healthPort = 0, metricsPort = 0] = await freePorts(3);
  const child = start({
    PATH: process.env.PATH ?? '',
    HOME: home,
    PIPELOCK_LISTEN: `127.0.0.1:${port}`,
    PIPELOCK_HEALTH_PORT: String(healthPort),
    PIPELOCK_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    PIPELOCK_ROUTES: join(directory, 'routes.yaml'),
    PIPELOCK_SETTINGS: join(directory, 'settings.yaml'),
    PIPELOCK_DATA: join(directory, 'data'),
    ...environment,
  });
  const lines: LogLine[] = [];
  void (async () => {
    for await (const line of child.iterable({ from: 'all' })) lines.push(parsed(String(line)));
  })().catch(() => {});

  const line: Launched['line'] = (wanted) =>
    eventually(
      () => lines.find(wanted),
      () => `no such line in the log:\n${lines.map((each) => JSON.stringify(each)).join('\n')}`,
    );

  return {
    directory,
    home,
    port,
    healthPort,
    metricsPort,
    child,
    lines,
    write,
    line,
    event: (name) => line((each) => each.event === name),
    async health() {
      const response = await fetch(`http://127.0.0.1:${healthPort}/health`);
      return { status: response.status, body: JSON.parse(await response.text()) };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await child;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function start(env: Readonly<Record<string, string>>) {
  return execa(process.execPath, [main], { extendEnv: false, reject: false, all: true, buffer: false, env });
}

/** Starts it and waits until it is healthy. */
export async function launchHealthy(setup: Setup = {}): Promise<Launched> {
  const launched = await launchPipelock(setup);
  await untilHealthy(launched);
  return launched;
}

export async function untilHealthy(launched: Launched): Promise<void> {
  await eventually(
    async () => (await launched.health().catch(() => undefined))?.status === 200 || undefined,
    () => `not healthy:\n${launched.lines.map((each) => JSON.stringify(each)).join('\n')}`,
  );
}

/** Asks until there is an answer; rejects after 15 s. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  complaint: () => string,
): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(complaint());
    await pause(20);
  }
}

function parsed(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : { text: line };
  } catch {
    return { text: line };
  }
}

/** Ports that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
