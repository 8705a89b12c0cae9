import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa, type Options } from 'execa';

/** A gate before one upstream on this machine, and an agent with a clone: all real processes. */

const MAIN = fileURLToPath(new URL('../../../daemons/git-gate/main.ts', import.meta.url));

export interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  /** What git says to a person, `remote:` lines among it. */
  readonly said: string;
}

/** The environment of the agent's git: nothing of whoever runs the tests. */
export const AGENT_ENV = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

/** Runs git to its end, whatever it is. */
export async function git(cwd: string, args: readonly string[], options: Options = {}): Promise<Ran> {
  const ran = await execa('git', [...args], {
    cwd,
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    timeout: 60_000,
    ...options,
    env: { ...AGENT_ENV, ...options.env },
  });
  return { code: ran.exitCode, stdout: String(ran.stdout ?? ''), said: String(ran.stderr ?? '') };
}

/** Runs git and expects that it succeeds. */
export async function must(cwd: string, ...args: readonly string[]): Promise<string> {
  const ran = await git(cwd, args);
  if (ran.code !== 0) throw new Error(`git ${args.join(' ')} ended with ${ran.code}: ${ran.said}`);
  return ran.stdout;
}

/** A token that looks real and never was: made anew each time. */
export function fakeToken(): string {
  return `ghp_${randomBytes(64)
    .toString('base64')
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 36)}`;
}

export function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'git-gate-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

/** A bare repository with one commit on `main`. */
export async function makeUpstream(folder: string, name = 'upstream.git'): Promise<string> {
  const path = join(folder, name);
  await must(folder, 'init', '--quiet', '--bare', '--initial-branch=main', path);
  const seed = mkdtempSync(join(folder, 'seed-'));
  await must(seed, 'init', '--quiet', '--initial-branch=main');
  writeFileSync(join(seed, 'README.md'), '# Here\n');
  await must(seed, 'add', '.');
  await must(seed, 'commit', '--quiet', '-m', 'Begin');
  await must(seed, 'push', '--quiet', path, 'main');
  return path;
}

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface Gate {
  readonly pid: number;
  readonly http: string;
  readonly git: string;
  readonly data: string;
  readonly settings: string;
  readonly log: readonly LogLine[];
  /** Resolves with the next or an earlier line of this event that `fits`. */
  logged(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine>;
  /** Writes git-gate.yaml anew; does not wait for it to count. */
  write(yaml: string): void;
  signal(name: NodeJS.Signals): void;
  /** How it ended. */
  readonly ended: Promise<number | undefined>;
}

export interface GateOptions {
  readonly folder: string;
  readonly yaml: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the daemon, and ends it with the test. */
export async function startGate(t: TestContext, { folder, yaml, env = {} }: GateOptions): Promise<Gate> {
  const settings = join(folder, 'etc', 'git-gate.yaml');
  const data = join(folder, 'data');
  mkdirSync(join(folder, 'etc'), { recursive: true });
  mkdirSync(data, { recursive: true });
  writeFileSync(settings, yaml);
  const gitPort = await freePort();
  const child = execa(process.execPath, [MAIN], {
    reject: false,
    stdin: 'ignore',
    extendEnv: false,
    buffer: false,
    env: {
      PATH: process.env.PATH ?? '',
      GIT_GATE_SETTINGS: settings,
      GIT_GATE_DATA: data,
      GIT_GATE_LISTEN: '127.0.0.1',
      GIT_GATE_HTTP_PORT: '0',
      GIT_GATE_GIT_PORT: String(gitPort),
      ...env,
    },
  });
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const listener of [...waiting]) listener();
  };
  child.stderr?.on('data', (chunk: Buffer) => {
    log.push({ level: 'stderr', event: 'stderr', message: chunk.toString() });
    wake();
  });
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(JSON.parse(line));
      wake();
    });
  }
  let hasEnded = false;
  const ended = child.then((result) => {
    hasEnded = true;
    wake();
    return result.exitCode;
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  async function logged(event: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    const deadline = Date.now() + 30_000;
    while (Date.now() < deadline) {
      const found = log.find((line) => line.event === event && fits(line));
      if (found !== undefined) return found;
      if (hasEnded) break;
      await new Promise<void>((resolve) => {
        const listener = () => {
          waiting.delete(listener);
          clearTimeout(timer);
          resolve();
        };
        const timer = setTimeout(listener, 1000);
        waiting.add(listener);
      });
    }
    throw new Error(`no "${event}" in the log: ${JSON.stringify(log, undefined, 1)}`);
  }
  const { http } = await logged('listening');
  return {
    pid: child.pid ?? 0,
    http: `http://127.0.0.1:${http}`,
    git: `git://127.0.0.1:${gitPort}`,
    data,
    settings,
    log,
    logged,
    write: (text) => writeFileSync(settings, text),
    signal: (name) => void child.kill(name),
    ended,
  };
}

/** A port that was free a moment ago: 0 would turn git:// off. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export interface World {
  readonly folder: string;
  readonly upstream: string;
  readonly gate: Gate;
  /** The agent's clone, made through the gate. */
  readonly agent: string;
}

/** A gate before one file upstream named `demo`; `repo` and `top` are further lines of YAML. */
export async function makeWorld(
  t: TestContext,
  {
    repo = '',
    top = '',
    env = {},
    prepare,
  }: { repo?: string; top?: string; env?: Record<string, string>; prepare?: (upstream: string) => Promise<void> } = {},
): Promise<World> {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  await prepare?.(upstream);
  const gate = await startGate(t, { folder, yaml: yamlFor(upstream, repo, top), env });
  const agent = join(folder, 'agent');
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, agent);
  return { folder, upstream, gate, agent };
}

/** `git-gate.yaml` with one repository. */
export function yamlFor(upstream: string, repo = '', top = ''): string {
  return `repos:\n  demo:\n    url: file://${upstream}\n${repo === '' ? '' : `    ${repo}\n`}${top}\n`;
}

/** Writes files and commits them. */
export async function commit(
  agent: string,
  files: Readonly<Record<string, string | Buffer>>,
  message = 'Work',
): Promise<string> {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(agent, name, '..'), { recursive: true });
    writeFileSync(join(agent, name), text);
  }
  await must(agent, 'add', '--all');
  await must(agent, 'commit', '--quiet', '--allow-empty', '-m', message);
  return (await must(agent, 'rev-parse', 'HEAD')).trim();
}

/** Every ref of a repository: name to id. */
export async function refsOf(repository: string): Promise<Readonly<Record<string, string>>> {
  const listed = await must(repository, 'for-each-ref', '--format=%(refname) %(objectname)');
  const lines = listed.split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]));
}
