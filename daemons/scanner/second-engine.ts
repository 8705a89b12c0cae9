import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, relative, resolve } from 'node:path';
import * as z from 'zod/mini';
import { isExecutable } from '../program/executable.ts';
import { digestOf, fingerprintOf } from './collector.ts';
import type { SecretFinding } from './finding.ts';

/** A finding in one of the files that were scanned. */
export interface FileFinding extends SecretFinding {
  /** Relative to the directory. */
  readonly file: string;
}

/** What the second engine says. As with the first, a scan that could not be finished is not a clean one. */
export type SecondResult =
  | { readonly ok: true; readonly findings: readonly FileFinding[] }
  | { readonly ok: false; readonly reason: string };

/** A scanner that is a program of its own, with rules of its own. */
export interface SecondEngine {
  readonly name: 'betterleaks' | 'gitleaks';
  /** Path of the program. */
  readonly program: string;
  /**
   * Scans all files below `directory`, which the caller filled. The files' names should mean nothing (object ids, say): both programs pass over
   * names such as `go.sum` or `logo.png`, and heed a file `.gitleaksignore`, so none may begin with a dot. Never rejects.
   */
  scanDirectory(directory: string): Promise<SecondResult>;
}

export interface SecondEngineOptions {
  /** Name or path of the program. Default: `betterleaks`, else `gitleaks`. */
  readonly command?: string;
  /** Where programs are looked for. Default: `PATH`. */
  readonly path?: string;
  /** How long one scan may take, in milliseconds. Default 60 s. */
  readonly timeout_ms?: number;
}

/** The program's own rules but the one that takes any random-looking text for a secret. */
const CONFIG = '[extend]\nuseDefault = true\ndisabledRules = ["generic-api-key"]\n';

/** An exit code that means findings and nothing else: 1 is also that of an error. */
const FOUND = 77;

const MOST_REPORT_BYTES = 64 * 1_048_576;

/** What a warning says that is none: how many there are. */
const SUMMARY = /leaks found: \d+/;

const report = z.array(
  z.object({
    RuleID: z.string(),
    StartLine: z.number(),
    StartColumn: z.number(),
    Secret: z.string(),
    File: z.string(),
  }),
);

/** The second engine, if its program is installed. */
export function findSecondEngine(options: SecondEngineOptions = {}): SecondEngine | undefined {
  const { path = process.env.PATH ?? '', timeout_ms = 60_000 } = options;
  for (const command of options.command === undefined ? ['betterleaks', 'gitleaks'] : [options.command]) {
    const program = programOf(command, path);
    if (program === undefined) continue;
    const name = basename(program).startsWith('betterleaks') ? 'betterleaks' : 'gitleaks';
    return { name, program, scanDirectory: (directory) => scanDirectory(name, program, directory, timeout_ms) };
  }
  return undefined;
}

function programOf(command: string, path: string): string | undefined {
  const candidates = command.includes('/') ? [command] : path.split(delimiter).map((folder) => join(folder, command));
  return candidates.map((candidate) => resolve(candidate)).find(isExecutable);
}

async function scanDirectory(
  name: string,
  program: string,
  directory: string,
  timeout_ms: number,
): Promise<SecondResult> {
  // A missing directory is a clean one to these programs.
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return { ok: false, reason: `${name}: there is no directory ${directory}` };
  }
  let own: string | undefined;
  try {
    // Lists of what to pass over are read from there, whatever the arguments say.
    const hidden = (await readdir(directory)).find((file) => file.startsWith('.'));
    if (hidden !== undefined) return { ok: false, reason: `${name}: a file to scan must not be called ${hidden}` };
    own = await mkdtemp(join(tmpdir(), 'second-engine-'));
    const config = join(own, 'config.toml');
    await writeFile(config, CONFIG);
    const ended = await run(program, argumentsFor(directory, own, config, timeout_ms), own, timeout_ms);
    return judge(name, directory, ended);
  } catch (error) {
    return {
      ok: false,
      reason: `${name} could not be run: ${error instanceof Error ? error.message : 'unknown error'}`,
    };
  } finally {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  }
}

/** Nothing in the files has a say: no configuration, no comment, no limit of size. */
function argumentsFor(directory: string, own: string, config: string, timeout_ms: number): readonly string[] {
  return [
    'dir',
    resolve(directory),
    ...['--config', config],
    ...['--gitleaks-ignore-path', own],
    '--ignore-gitleaks-allow',
    // The scanner of the bundle decodes by itself; this one would take twice as long.
    ...['--max-decode-depth', '0'],
    ...['--max-archive-depth', '2'],
    ...['--timeout', String(Math.ceil(timeout_ms / 1000))],
    ...['--exit-code', String(FOUND)],
    // On stdout and with the secrets, of which the fingerprints are made: it stays in memory.
    ...['--report-format', 'json', '--report-path', '-'],
    ...['--log-level', 'warn', '--no-banner', '--no-color'],
  ];
}

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
  readonly fault: string | undefined;
}

function run(program: string, args: readonly string[], cwd: string, timeout_ms: number): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(program, args, {
    cwd,
    // Its settings could come by environment variables as well.
    env: { PATH: '/usr/bin:/bin', HOME: cwd, TMPDIR: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let size = 0;
  let fault: string | undefined;
  const stop = (reason: string) => {
    fault ??= reason;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => stop(`took longer than ${timeout_ms} ms`), timeout_ms);
  const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
    size += chunk.length;
    if (size > MOST_REPORT_BYTES) stop('reported too much');
    else chunks.push(chunk);
  };
  child.stdout.on('data', keep(out));
  child.stderr.on('data', keep(err));
  child.on('error', (error) => {
    clearTimeout(timer);
    reject(error);
  });
  child.on('close', (code) => {
    clearTimeout(timer);
    resolve({ code, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString(), fault });
  });
  return promise;
}

function judge(name: string, directory: string, { code, stdout, stderr, fault }: Ended): SecondResult {
  if (fault !== undefined) return { ok: false, reason: `${name} ${fault}` };
  if (code !== 0 && code !== FOUND) return { ok: false, reason: `${name} ended with ${code ?? 'a signal'}` };
  const warnings = stderr.split('\n').filter((line) => line.trim() !== '' && !SUMMARY.test(line));
  // It warns of what it could not read and then goes on as if that were clean. The text itself may quote a file.
  if (warnings.length > 0) return { ok: false, reason: `${name} gave ${warnings.length} warning(s)` };
  const parsed = report.safeParse(parseJson(stdout));
  if (!parsed.success) return { ok: false, reason: `${name} wrote a report that cannot be read` };
  if ((code === FOUND) !== parsed.data.length > 0) {
    return { ok: false, reason: `${name} ended with ${code} and ${parsed.data.length} findings` };
  }
  return { ok: true, findings: parsed.data.map((finding) => findingOf(name, directory, finding)) };
}

function findingOf(name: string, directory: string, finding: z.output<typeof report>[number]): FileFinding {
  const rule = `${name}-${finding.RuleID}`;
  return {
    rule,
    what: `${finding.RuleID} (${name})`,
    file: relative(resolve(directory), resolve(directory, finding.File)),
    line: finding.StartLine,
    column: finding.StartColumn,
    fingerprint: fingerprintOf(rule, Buffer.from(finding.Secret)),
    digest: digestOf(Buffer.from(finding.Secret)),
  };
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
