import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Log } from '../log/log.ts';
import { createReporter } from '../reports/reporter.ts';
import type { Scanner } from '../scanner/finding.ts';
import { createScanner } from '../scanner/scanner.ts';
import { printable } from '../text/printable.ts';
import { isSameTool, type PolicyConfig, type ToolConfig } from './config/policy.ts';
import { healthOf } from './health.ts';
import { createInterceptor } from './interceptor/handler.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createAskOperator } from './policy/ask-operator.ts';
import { createEnforcer, type Enforcer } from './policy/enforce.ts';
import { createForeignSecrets } from './policy/foreign-secrets.ts';
import { createRedactor, type Redactor } from './policy/redact.ts';
import { createCallBudget } from './relay/call-budget.ts';
import { createGuard } from './relay/guard.ts';
import { createHeaderParameters } from './relay/header-parameters.ts';
import { createMergedEndpoint } from './relay/merged-endpoint.ts';
import type { Endpoint } from './relay/route.ts';
import { createToolEndpoint, type ToolEndpoint } from './relay/tool-endpoint.ts';
import { createAdmission } from './serve/admission.ts';
import { createHttpSse } from './serve/http-sse.ts';
import { createBridgeServer } from './serve/server.ts';
import { createSessions } from './serve/sessions.ts';
import type { Front } from './serve/streamable.ts';
import type { Settings } from './settings.ts';
import { fewLines } from './tools/few-lines.ts';
import type { Driver, ProcessManager } from './tools/process.ts';

export interface BridgeOptions {
  readonly settings: Settings;
  readonly policy: PolicyConfig;
  readonly managers: Readonly<Record<Driver, ProcessManager>>;
  readonly log: Log;
}

/** The bridge, all but its ports and its files. */
export interface Bridge {
  /** Does not listen yet. */
  readonly server: Server;
  readonly metrics: Metrics;
  /** Puts a policy in force: tools that did not change go on as they are. */
  configure(policy: PolicyConfig): Promise<void>;
  /** Ends sessions and tools, and waits until they are gone. */
  stop(): Promise<void>;
}

interface ServedTool {
  readonly config: ToolConfig;
  readonly tool: ToolEndpoint;
  readonly guarded: Endpoint;
}

/** So long a call of a client of 2026-07-28 waits for what its tool asked. Milliseconds. */
const PATIENCE_MS = 600_000;
/** Milliseconds since the epoch, never going back, finer than a millisecond. */
const clock = (): number => performance.timeOrigin + performance.now();
/** What is kept of all sessions for clients that resume. Characters. */
const KEPT_CHARACTERS = 64 * 1024 * 1024;
/** Answers that say that somebody asked for what is not his. */
const REFUSALS = new Set([400, 401, 403, 404]);
const SMALLEST_LIMIT = 10 * 1024 * 1024;

export function createBridge({ settings, policy, managers, log }: BridgeOptions): Bridge {
  const foreign = settings.knownSecrets.length === 0 ? undefined : createForeignSecrets(settings.knownSecrets);
  const ask =
    settings.reports &&
    createAskOperator({
      reporter: createReporter({ source: 'mcp-bridge', places: settings.reports, clock: Date.now }),
      redactor: () => redactor,
    });
  let scanner = scannerOf(policy);
  let redactor = redactorOf(policy);
  let enforcer = enforcerOf(policy, redactor);
  let digest = policy.digest;
  const served = new Map<string, ServedTool>();
  const tools = (): Iterable<ToolEndpoint> => [...served.values()].map(({ tool }) => tool);

  const metrics = createMetrics({
    sessions: () => sessions.active(),
    processStatus: () => (healthOf(tools(), digest).isHealthy ? 1 : 0),
  });
  const sessions = createSessions({
    most: settings.mostSessions,
    idleTimeout: settings.sessionIdle,
    clock,
    onOpen: metrics.countSessionOpened,
    onEnd: (session) => metrics.countSession(clock() - session.startedAt, session.evicted()),
  });
  const front: Front = {
    sessions,
    clock,
    memory: { used: 0, most: KEPT_CHARACTERS },
    onAnswered: metrics.countMessage,
    onReconnected: metrics.countReconnection,
  };
  const merged = createMergedEndpoint(
    () => new Map([...served].map(([name, { guarded }]) => [name, guarded])),
    (tool, reason) => log('warn', `${redactor.mask(reason)}; it is left out of /mcp`, { event: 'tool-absent', tool }),
  );
  const interceptor = createInterceptor({ enforcer: () => enforcer, hasTool: (name) => served.has(name), log });
  const server = createBridgeServer({
    front,
    httpSse: createHttpSse(front, () => randomBytes(16).toString('hex')),
    admit: createAdmission({ hosts: settings.hosts, token: settings.token }),
    endpointOf: (tool) => (tool === undefined ? merged : served.get(tool)?.guarded),
    bodyLimit: (tool) => (tool === undefined ? largest() : (served.get(tool)?.config.limits.messageSize ?? largest())),
    health: () => healthOf(tools(), digest),
    other(request, response, path) {
      if (!interceptor.handles(path)) return false;
      void interceptor.handle(request, response);
      return true;
    },
    refusalAt: interceptor.refusalAt,
    onRequest(path, status, asked) {
      metrics.countHttp(path, status);
      if (!REFUSALS.has(status)) return;
      const what = printable(asked, 200);
      log('warn', `refused ${what} with ${status}`, { event: 'request-refused', asked: what, status });
    },
  });
  for (const config of policy.tools.values()) serve(config);

  function largest(): number {
    const sizes = [...served.values()].map(({ config }) => config.limits.messageSize);
    return sizes.length === 0 ? SMALLEST_LIMIT : Math.max(...sizes);
  }

  function scannerOf({ redact }: PolicyConfig): Scanner | undefined {
    return redact.scanner ? createScanner({ knownSecrets: settings.knownSecrets }) : undefined;
  }

  function redactorOf({ redact, secrets }: PolicyConfig): Redactor {
    return createRedactor({ secrets, foreign, scanner, hidesKnown: redact.knownSecrets });
  }

  function enforcerOf({ rules }: PolicyConfig, own: Redactor): Enforcer {
    return createEnforcer({ rules, redactor: own, ask, log });
  }

  function serve(config: ToolConfig): void {
    const { name, limits } = config;
    const manager = managers[config.driver];
    const tool = createToolEndpoint({
      name,
      isStateless: config.life === 'stateless',
      maxProcesses: config.maxSessions,
      idleTimeout: config.idleTimeout,
      callTimeout: limits.callTimeout,
      patience: PATIENCE_MS,
      health: config.health,
      onRestart: () => metrics.countRestart(name),
      onHung: () =>
        log('error', `the tool ${name} gives no sign of life; it is ended and started anew`, {
          event: 'tool-hung',
          tool: name,
        }),
      start: async ({ onMessage, onDropped, environment = {} }) => {
        const process = await manager.start(config.command, {
          onMessage,
          onDropped(dropped) {
            log('warn', `the tool ${name} wrote a line that is no message (${dropped.why}): ${dropped.beginning}`, {
              event: 'tool-noise',
              tool: name,
              bytes: dropped.bytes,
            });
            onDropped(dropped);
          },
          onStderr: fewLines((line) => log('info', `${name}: ${line}`, { event: 'tool-stderr', tool: name })),
          maxMessage: limits.messageSize,
          environment,
          // The redactor of a later policy masks what a process of today says then.
          mask: (text) => redactor.mask(text),
        });
        log('info', `the tool ${name} runs (${process.id})`, {
          event: 'tool-started',
          tool: name,
          process: process.id,
        });
        void process.ended.then((end) => {
          const level = end.asked ? 'info' : 'error';
          const how = end.kind === 'exit' ? `exited with code ${end.code}` : `was ended by ${end.signal}`;
          log(level, `the tool ${name} ${how} (${process.id})`, {
            event: 'tool-ended',
            tool: name,
            process: process.id,
          });
        });
        return process;
      },
    });
    const headerParameters = createHeaderParameters(tool);
    const guarded = createGuard(headerParameters.endpoint, {
      tool: name,
      enforcer: () => enforcer,
      budget: createCallBudget(name, limits),
      onInspected: metrics.countInspected,
    });
    metrics.noteTool(name);
    served.set(name, { config, tool, guarded: headerParameters.checked(guarded) });
  }

  async function configure(next: PolicyConfig): Promise<void> {
    const before = scanner;
    scanner = scannerOf(next);
    redactor = redactorOf(next);
    enforcer = enforcerOf(next, redactor);
    digest = next.digest;
    const gone = [...served.values()].filter(({ config }) => {
      const after = next.tools.get(config.name);
      return after === undefined || !isSameTool(config, after);
    });
    for (const { config } of gone) served.delete(config.name);
    const fresh = [...next.tools.values()].filter(({ name }) => !served.has(name));
    for (const config of fresh) serve(config);
    if (gone.length > 0 || fresh.length > 0) {
      const changed = new Set(gone.map(({ config }) => config.name));
      sessions.removeWhere(({ path }) => !path.startsWith('/mcp/') || changed.has(path.slice('/mcp/'.length)));
    }
    await Promise.all(gone.map(({ tool }) => tool.stop()));
    await before?.close();
  }

  return {
    server,
    metrics,
    configure,
    async stop() {
      sessions.close();
      await Promise.all([...tools()].map((tool) => tool.stop()));
      await scanner?.close();
    },
  };
}
