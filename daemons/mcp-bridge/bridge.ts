import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { Log } from '../log/log.ts';
import type { Scanner } from '../scanner/finding.ts';
import { createScanner } from '../scanner/scanner.ts';
import { isSameTool, type PolicyConfig, type ToolConfig } from './config/policy.ts';
import { healthOf } from './health.ts';
import { createInterceptor } from './interceptor/handler.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createEnforcer, type Enforcer } from './policy/enforce.ts';
import { createRedactor, type Redactor } from './policy/redact.ts';
import { createCallBudget } from './relay/call-budget.ts';
import { createGuard } from './relay/guard.ts';
import { createMergedEndpoint } from './relay/merged-endpoint.ts';
import type { Endpoint } from './relay/route.ts';
import { createToolEndpoint, type ToolEndpoint } from './relay/tool-endpoint.ts';
import { createAdmission } from './serve/admission.ts';
import { createHttpSse } from './serve/http-sse.ts';
import { createBridgeServer } from './serve/server.ts';
import { createSessions } from './serve/sessions.ts';
import type { Front } from './serve/streamable.ts';
import type { Settings } from './settings.ts';
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

/** A session of the legacy era of which nothing was heard for so long ends. Milliseconds. */
const SESSION_IDLE_MS = 1_800_000;
/** So long a call of a client of 2026-07-28 waits for what its tool asked. Milliseconds. */
const PATIENCE_MS = 600_000;
/** Milliseconds since the epoch, never going back, finer than a millisecond. */
const clock = (): number => performance.timeOrigin + performance.now();
const SMALLEST_LIMIT = 10 * 1024 * 1024;

export function createBridge({ settings, policy, managers, log }: BridgeOptions): Bridge {
  let scanner = scannerOf(policy);
  let redactor = redactorOf(policy);
  let enforcer = enforcerOf(policy, redactor);
  const served = new Map<string, ServedTool>();
  const tools = (): Iterable<ToolEndpoint> => [...served.values()].map(({ tool }) => tool);

  const metrics = createMetrics({
    sessions: () => sessions.active(),
    processStatus: () => (healthOf(tools()).isHealthy ? 1 : 0),
    restarts: () => [...tools()].reduce((sum, tool) => sum + tool.restarts(), 0),
  });
  const sessions = createSessions({
    most: settings.mostSessions,
    idleTimeout: SESSION_IDLE_MS,
    clock,
    onOpen: metrics.countSessionOpened,
    onEnd: (session) => metrics.countSession(clock() - session.startedAt, session.evicted()),
  });
  const front: Front = {
    sessions,
    clock,
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
    health: () => healthOf(tools()),
    other(request, response, path) {
      if (!interceptor.handles(path)) return false;
      void interceptor.handle(request, response);
      return true;
    },
    onRequest: metrics.countHttp,
  });
  for (const config of policy.tools.values()) serve(config);

  function largest(): number {
    const sizes = [...served.values()].map(({ config }) => config.limits.messageSize);
    return sizes.length === 0 ? SMALLEST_LIMIT : Math.max(...sizes);
  }

  function scannerOf({ redact }: PolicyConfig): Scanner | undefined {
    return redact.scanner ? createScanner() : undefined;
  }

  function redactorOf({ redact, secrets }: PolicyConfig): Redactor {
    return createRedactor(secrets, scanner, redact.knownSecrets);
  }

  function enforcerOf({ rules }: PolicyConfig, own: Redactor): Enforcer {
    return createEnforcer({ rules, redactor: own, log });
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
      start: async ({ onMessage, onDropped }) => {
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
          onStderr: (line) => log('info', `${name}: ${line}`, { event: 'tool-stderr', tool: name }),
          maxMessage: limits.messageSize,
          mask: redactor.mask,
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
    const guarded = createGuard(tool, {
      tool: name,
      enforcer: () => enforcer,
      budget: createCallBudget(name, limits),
      onInspected: metrics.countInspected,
    });
    served.set(name, { config, tool, guarded });
  }

  async function configure(next: PolicyConfig): Promise<void> {
    const before = scanner;
    scanner = scannerOf(next);
    redactor = redactorOf(next);
    enforcer = enforcerOf(next, redactor);
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
