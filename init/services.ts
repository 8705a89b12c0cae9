import { join, resolve } from 'node:path';
import { digestOf } from '../config/digest.ts';
import { formatProblem } from '../config/problem.ts';
import { createHeartbeat, type Heartbeat } from '../healthcheck/heartbeat.ts';
import type { Execution } from '../healthcheck/probe/check.ts';
import { probe } from '../healthcheck/probe/probe.ts';
import type { ControlTokens } from './bundle/control.ts';
import { type LoadOptions, loadBundle } from './bundle/load.ts';
import type { Bundle } from './bundle/schema.ts';
import { readAccounts } from './child/accounts.ts';
import { concessionHere, unfitHere } from './child/fitness.ts';
import { resolveIdentity } from './child/identity.ts';
import { resolvePrivileges } from './child/privileges.ts';
import { type Ran, runCommand, runHooks } from './child/run.ts';
import { readStanding } from './child/standing.ts';
import { countCommands } from './commands.ts';
import { type Audit, type AuditEntry, openAudit } from './control/audit.ts';
import { daemonCapabilities, LEGACY_LINE, layoutOf } from './control/capabilities.ts';
import { type Control, createControl, type ReadingSocket } from './control/control.ts';
import { countDenials } from './control/denials.ts';
import type { Answer, Init } from './control/init.ts';
import type { Tokens } from './control/tokens/tokens.ts';
import type { History } from './history.ts';
import type { Incarnations, Live } from './incarnations.ts';
import type { Effect, EffectOf } from './lifecycle/effect.ts';
import type { Caller } from './lifecycle/event.ts';
import type { Logs } from './logs/logs.ts';
import type { Reaper } from './reaper.ts';
import type { Runtime } from './runtime.ts';
import { VERSION } from './version.ts';
import { healthOf, statusOf } from './view.ts';

/** What the init offers and does not need for its first spawn. */
export interface Services {
  readonly heartbeat: Heartbeat;
  probe(effect: EffectOf<'probe'>): Promise<void>;
  runHooks(effect: EffectOf<'run-hooks'>): Promise<void>;
  reload(caller: Caller): Promise<Answer>;
  /** Frees what is kept of a daemon that is no longer in the bundle. */
  forget(daemon: string): void;
  /** Opens the control socket. A bundle that cannot be operated still runs: what is wrong is logged. */
  serve(): Promise<void>;
  close(): Promise<void>;
}

export interface ServicesOptions {
  /** What the bundle was loaded from, and is from again at a reload. */
  readonly source: LoadOptions;
  /** The bundle file as it was read at the start. */
  readonly text: string;
  readonly socket: string;
  readonly runDirectory: string;
  readonly runtime: Runtime;
  readonly incarnations: Incarnations;
  readonly history: History;
  readonly logs: Logs;
  readonly reaper: Reaper;
}

export function createServices(options: ServicesOptions): Services {
  const { source, socket, runDirectory, runtime, incarnations, history, logs, reaper } = options;
  const startedAt = runtime.now();
  const file = resolve(source.file);
  let sha256 = digestOf(options.text);
  const layout = layoutOf(process.env);
  const onProblem = (text: string): void => logs.own('error', undefined, text);
  /** What a daemon's last passing probe wanted to be known. */
  const remarks = new Map<string, { readonly incarnation: number; readonly text: string }>();
  let control: Control | undefined;
  let tokens: Tokens | undefined;
  let audit: Audit | undefined;
  /** Commands that came before the trail was open. */
  const unwritten: AuditEntry[] = [];
  const commands = countCommands(history, (entry) => {
    if (audit === undefined) unwritten.push(entry);
    else audit.add(entry);
  });
  const denials = countDenials((text) => logs.own('warn', undefined, text));

  const init: Init = {
    daemons: () => [...runtime.state().daemons.keys()],
    status: () =>
      statusOf(
        runtime.state(),
        runtime.now(),
        { version: VERSION, pid: process.pid, uptime_ms: Math.round(runtime.now() - startedAt), file, sha256 },
        incarnations.usage(),
        remarkOf,
        { commands: commands.status(), tokens: tokens?.status() ?? [], denied: denials.counts() },
      ),
    health: () => healthOf(runtime.state()),
    command: async (daemon, command, caller) => answerIn(runtime.send({ type: 'command', daemon, command, ...caller })),
    reload,
    history: history.after,
    onHistory: history.onEntry,
    logs: logs.read,
    onLog: logs.follow,
    logCounters: logs.counters,
    audit: (entries) => audit?.latest(entries) ?? [],
    commandStatus: commands.status,
    capabilities: () => ({ layout, daemons: daemonCapabilities(runtime.state().bundle) }),
  };

  async function reload(caller: Caller): Promise<Answer> {
    const loaded = await loadBundle(source);
    const problems = loaded.ok ? unfitHere(loaded.bundle, source.file) : loaded.problems.map(formatProblem);
    if (!loaded.ok || problems.length > 0) {
      const text = `the bundle file is not valid, the old one stays in force: ${problems.join('\n')}`;
      logs.own('error', undefined, text, { plane: caller.plane });
      history.add({ type: 'answer', command: 'reload', ...caller, accepted: false, text });
      return { accepted: false, text, problem: 'invalid-bundle' };
    }
    for (const warning of loaded.warnings) logs.own('warn', undefined, formatProblem(warning));
    const concession = concessionHere(loaded.bundle);
    if (concession !== undefined && concession !== concessionHere(runtime.state().bundle)) {
      logs.own('warn', undefined, concession, { event: 'users-shared' });
    }
    const before = init.daemons();
    const answer = answerIn(runtime.send({ type: 'reload', bundle: loaded.bundle, ...caller }));
    if (answer.accepted) sha256 = digestOf(loaded.text);
    const kept = new Set(init.daemons());
    for (const name of before) if (!kept.has(name)) forget(name);
    return answer;
  }

  function forget(daemon: string): void {
    logs.forget(daemon);
    remarks.delete(daemon);
    incarnations.forget(daemon);
  }

  async function runProbe({ daemon, incarnation, spec }: EffectOf<'probe'>): Promise<void> {
    const live = incarnations.find(daemon, incarnation);
    if (live === undefined || spec.healthcheck === undefined) return;
    const end = abortedAtEnd(live);
    const { passed, detail, remark } = await probe(spec.healthcheck, {
      signal: end.signal,
      hide: logs.masked,
      execute: (argv, { timeout_ms, signal }) => execute(live, spec.working_dir, argv, timeout_ms, signal),
    });
    end.forget();
    if (remark === undefined) remarks.delete(daemon);
    else remarks.set(daemon, { incarnation, text: remark });
    runtime.send({ type: 'probed', daemon, incarnation, passed, detail });
  }

  /** Of the daemon that runs now, not of one before it. */
  function remarkOf(daemon: string): string | null {
    const remark = remarks.get(daemon);
    return remark !== undefined && incarnations.find(daemon, remark.incarnation) !== undefined ? remark.text : null;
  }

  async function execute(
    live: Live,
    cwd: string | undefined,
    argv: readonly string[],
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<Execution> {
    const over = AbortSignal.any([AbortSignal.timeout(timeout), ...(signal === undefined ? [] : [signal])]);
    const { environment, privileges } = live;
    const ran = await runCommand({ argv, prefix: privileges.prefix, environment, cwd, reaper, signal: over });
    return executionOf(ran);
  }

  async function runStage({ daemon, incarnation, stage, spec }: EffectOf<'run-hooks'>): Promise<void> {
    const live = incarnations.find(daemon, incarnation);
    const hooks = spec[stage];
    const failure =
      live === undefined ? undefined : await runHooks(hooks, (index) => runHook(live, spec.working_dir, hooks[index]));
    runtime.send({ type: 'hooks-ended', daemon, incarnation, stage, ...(failure !== undefined && { failure }) });
  }

  async function runHook(live: Live, cwd: string | undefined, hook: Hook | undefined): Promise<Ran> {
    if (hook === undefined) return { exit: undefined, output: '', error: 'there is no such hook' };
    const privileges = hook.user === undefined ? live.privileges : resolvePrivileges({ ...PLAIN, user: hook.user });
    if ('error' in privileges) return { exit: undefined, output: '', error: privileges.error.message };
    const own = Object.entries(hook.environment).map(([name, value]) => [name, value ?? process.env[name] ?? '']);
    const end = abortedAtEnd(live);
    const ran = await runCommand({
      argv: hook.command,
      prefix: privileges.prefix,
      environment: { ...live.environment, ...Object.fromEntries(own) },
      cwd: hook.working_dir ?? cwd,
      reaper,
      signal: end.signal,
    });
    end.forget();
    return { ...ran, output: logs.masked(ran.output) };
  }

  /** Loaded only where there are any: few bundles have tokens, and cryptography takes its time to load. */
  async function openTokens(sources: ControlTokens): Promise<Tokens | undefined> {
    const { createTokens } = await import('./control/tokens/tokens.ts');
    return createTokens({ sources, onSecrets, onChange });
  }

  function onSecrets(secrets: readonly string[]): void {
    incarnations.hide(TOKENS, secrets);
  }

  function onChange(level: 'info' | 'warn', text: string): void {
    logs.own(level, undefined, text, { event: 'control-token' });
  }

  function readingSocket({ path, user }: NonNullable<Bundle['control']['read']>): ReadingSocket | undefined {
    const at = path ?? join(runDirectory, 'read.sock');
    if (user === undefined) return { path: at };
    const { identity, problems } = resolveIdentity({ user, group_add: [] }, readStanding(), readAccounts());
    if (problems.length === 0) return { path: at, owner: identity };
    onProblem(`control.read.${problems.join('; ')}; nothing is served on ${at}`);
    return undefined;
  }

  return {
    heartbeat: createHeartbeat({
      directory: runDirectory,
      report: () => healthOf(runtime.state()),
      onProblem,
    }),
    probe: runProbe,
    runHooks: runStage,
    reload,
    forget,
    async serve() {
      const { listen, read, hosts = [], origins = [], tokens: sources, audit: trail } = runtime.state().bundle.control;
      if (layout === 'split') logs.own('warn', undefined, LEGACY_LINE, { event: 'legacy-mode' });
      const opening = openAudit(trail, (text) => logs.own('warn', undefined, text, { event: 'audit-trail' }));
      try {
        const reading = read === undefined ? undefined : readingSocket(read);
        tokens = listen === undefined || sources === undefined ? undefined : await openTokens(sources);
        control = await createControl({
          init,
          socket,
          listen,
          reading,
          tokens,
          allowed: { hosts, origins },
          onProblem,
          onDenied: denials.add,
        });
        logs.own('info', undefined, `control socket: ${socket}`);
      } catch (error) {
        onProblem(`${error instanceof Error ? error.message : error}; the bundle runs on, but cannot be operated`);
      }
      audit = await opening;
      for (const entry of unwritten.splice(0)) audit.add(entry);
    },
    async close() {
      await control?.close();
      await audit?.close();
    },
  };
}

/** Whose the tokens are among the secrets that are masked in logs: a name that no daemon can have. */
const TOKENS = 'control/tokens';

type Hook = EffectOf<'run-hooks'>['spec']['post_start'][number];

const PLAIN = { group_add: [], cap_add: [], cap_drop: [], security_opt: [], ulimits: {}, oom_score_adj: undefined };

/** A signal that is aborted when the first process of an incarnation has ended. */
function abortedAtEnd(live: Live): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  if (live.exit === undefined) live.atEnd.add(abort);
  else abort();
  return { signal: controller.signal, forget: () => live.atEnd.delete(abort) };
}

function answerIn(effects: readonly Effect[]): Answer {
  const answer = effects.find((effect) => effect.type === 'answer');
  if (answer === undefined) return { accepted: false, text: 'the init is busy; try again' };
  const { daemon, accepted, text } = answer;
  return { ...(daemon !== undefined && { daemon }), accepted, text };
}

function executionOf({ exit, output, error }: Ran): Execution {
  return {
    code: exit !== undefined && 'code' in exit ? exit.code : null,
    signal: exit !== undefined && 'signal' in exit ? exit.signal : null,
    output,
    ...(error !== undefined && { error }),
  };
}
