import type { HealthReport, HealthStatus } from '../../healthcheck/aggregate.ts';
import type { AuditEntry } from '../../init/control/audit.ts';
import type { Answer, Init } from '../../init/control/init.ts';
import type { Caller, Command, ControlPlane } from '../../init/lifecycle/event.ts';
import type { LogRecord } from '../../init/logs/logs.ts';
import type { BundleStatus, CommandStatus, DaemonStatus, HistoryEntry, TokenStatus } from '../../init/status.ts';

/** An init of which a test decides everything. */
export interface FakeInit extends Init {
  /** Every command so far. */
  readonly commands: { daemon: string; command: Command; plane: ControlPlane }[];
  /** Who gave each of them, as the control plane knows it. */
  readonly givers: (string | undefined)[];
  /** What the status tells of tokens. */
  tokens: () => readonly TokenStatus[];
  /** Adds to the history; a change of state is also taken into the status. */
  record(entry: Omit<HistoryEntry, 'id' | 'time'> & { readonly time?: string }): void;
  /** A daemon writes a line. */
  say(daemon: string, line: string): void;
  /** Forgets history entries up to `id`. */
  forget(id: number): void;
  /** What becomes of the next commands. */
  behave(behaviour: (daemon: string, command: Command) => Answer): void;
  setHealth(status: HealthStatus): void;
  change(daemon: string, fields: Partial<DaemonStatus>): void;
  /** How many listen to history and logs. */
  listeners(): number;
}

const TIME = '2026-01-02T03:04:05.678Z';

const DAEMON: DaemonStatus = {
  name: '',
  state: 'running',
  ready: true,
  essential: false,
  pid: 100,
  restarts: 0,
  cause: null,
  detail: null,
  hint: null,
  exit_code: null,
  waiting_for: null,
  state_for_ms: 65_000,
  cpu: 0.5,
  memory_bytes: 10_485_760,
  remark: null,
  fallback: false,
};

export function fakeInit(names: readonly string[] = ['egress', 'git-gate', 'pipelock']): FakeInit {
  const daemons = new Map<string, DaemonStatus>(
    names.map((name, index) => [name, { ...DAEMON, name, essential: index === 0, pid: 100 + index }]),
  );
  const commands: FakeInit['commands'] = [];
  const counts = { cli: 0, http: 0, signal: 0, mcp: 0, web: 0 };
  const historyListeners = new Set<(entry: HistoryEntry) => void>();
  const logListeners = new Set<(record: LogRecord) => void>();
  const records: LogRecord[] = [];
  let entries: HistoryEntry[] = [];
  let nextId = 1;
  let health: HealthStatus = 'healthy';
  let answer = (daemon: string, command: Command): Answer => ({
    daemon,
    accepted: true,
    text: `${daemon}: ${command.do}`,
  });

  function change(name: string, fields: Partial<DaemonStatus>): void {
    const daemon = daemons.get(name);
    if (daemon !== undefined) daemons.set(name, { ...daemon, ...fields });
  }

  const times: Record<ControlPlane, string | null> = { cli: null, http: null, signal: null, mcp: null, web: null };
  const trail: AuditEntry[] = [];
  const givers: FakeInit['givers'] = [];
  let last: ControlPlane | null = null;

  function count(plane: ControlPlane): void {
    counts[plane] += 1;
    times[plane] = TIME;
    last = plane;
  }

  function take(daemon: string, command: Command, { plane, who }: Caller): void {
    commands.push({ daemon, command, plane });
    givers.push(who);
    count(plane);
    trail.push({ time: TIME, plane, who: who ?? null, command: command.do, daemon, result: 'accepted', text: 'done' });
  }

  const commandStatus = (): CommandStatus => ({
    total: Object.values(counts).reduce((sum, each) => sum + each, 0),
    by_plane: { ...counts },
    last_by_plane: { ...times },
    last_plane: last,
    last_time: last === null ? null : TIME,
  });

  const fake: FakeInit = {
    commands,
    givers,
    daemons: () => [...daemons.keys()],
    status: (): BundleStatus => ({
      bundle: {
        name: 'test',
        health,
        version: '0.1.0',
        pid: 1,
        uptime_ms: 192_000,
        file: '/etc/bottled/bundle.yaml',
        sha256: '0'.repeat(64),
        ending: null,
      },
      daemons: [...daemons.values()],
      control: {
        commands: commandStatus(),
        tokens: fake.tokens(),
        denied: { unauthenticated: 0, 'not-permitted': 0, 'too-many-requests': 0 },
      },
    }),
    health: (): HealthReport => ({
      status: health,
      text: `${health}: said by the test`,
      daemons: [...daemons.values()].map(({ name, essential, ready }) => ({
        name,
        essential,
        wanted: true,
        ready,
        everReady: true,
        overdue: false,
        text: ready ? 'running' : 'backoff: exit code 3',
      })),
    }),
    async command(daemon, command, caller) {
      take(daemon, command, caller);
      return answer(daemon, command);
    },
    async reload(caller) {
      count(caller.plane);
      return answer('', { do: 'restart' });
    },
    history: (after) => entries.filter(({ id }) => id > after),
    onHistory(listener) {
      historyListeners.add(listener);
      return () => historyListeners.delete(listener);
    },
    logs: (wanted, lines) =>
      lines === 0
        ? []
        : records.filter(({ daemon }) => wanted.includes(daemon)).slice(-Math.min(lines, records.length)),
    onLog(wanted, listener) {
      const filtered = (record: LogRecord): void => {
        if (wanted.includes(record.daemon)) listener(record);
      };
      logListeners.add(filtered);
      return () => logListeners.delete(filtered);
    },
    logCounters: () => ({ bytes: 4_096, lines: 12, dropped: 3 }),
    commandStatus,
    audit: (entries) => trail.slice(-entries),
    capabilities: () => ({
      layout: 'bundle',
      daemons: [...daemons.values()].map(({ name, essential }) => ({
        name,
        essential,
        restart: 'always',
        probe: null,
      })),
    }),
    tokens: () => [],

    record(entry) {
      const whole = { id: nextId++, time: TIME, ...entry };
      if (entry.daemon !== undefined && entry.to !== undefined) {
        change(entry.daemon, { state: entry.to, ready: entry.ready ?? false });
      }
      entries.push(whole);
      for (const listener of historyListeners) listener(whole);
    },
    say(daemon, line) {
      const record: LogRecord = { time: Date.UTC(2026, 0, 2, 3, 4, 5), daemon, stream: 'stdout', line };
      records.push(record);
      for (const listener of logListeners) listener(record);
    },
    forget(id) {
      entries = entries.filter((entry) => entry.id > id);
    },
    behave(behaviour) {
      answer = behaviour;
    },
    setHealth(status) {
      health = status;
    },
    change,
    listeners: () => historyListeners.size + logListeners.size,
  };
  return fake;
}
