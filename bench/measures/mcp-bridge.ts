import { join } from 'node:path';
import { runTask } from '../agent/run.ts';
import type { BridgePlace, CallsTask, Revision } from '../agent/task.ts';
import type { BridgeContender, RunningBridge } from '../bridges/bridge.ts';
import { residentSet } from '../proc.ts';
import { type Bench, type Metric, type Rounds, type Series, subjectsAmong } from '../series.ts';

const CLIENTS = 16;
const WARM_MS = 700;

interface Tool {
  readonly name: string;
  readonly command: readonly string[];
}

const BARE = toolOf('bare tool', 'bare-tool.ts');
const SDK = toolOf('SDK tool', 'sdk-tool.ts');

function toolOf(name: string, file: string): Tool {
  return { name, command: [process.execPath, join(import.meta.dirname, '../processes', file)] };
}

/** What a bridge adds to a call of a local tool, how many calls it carries, its memory, and the first call of all. */
export function mcpBridge(bench: Bench): readonly Series[] {
  return [
    callsSeries(bench, BARE, '2025-11-25'),
    callsSeries(bench, SDK, '2025-11-25'),
    fullOnly(bench, callsSeries(bench, BARE, '2026-07-28')),
    fullOnly(bench, callsSeries(bench, SDK, '2026-07-28')),
    memorySeries(bench),
    firstCallSeries(bench, BARE),
    fullOnly(bench, firstCallSeries(bench, SDK)),
  ];
}

function fullOnly({ quick }: Bench, series: Series): Series {
  return quick ? { ...series, skipped: 'only in the full run' } : series;
}

/** A bridge runs through all rounds, because what counts is one that is warm. */
function callsSeries(bench: Bench, tool: Tool, revision: Revision): Series {
  const of = (what: string) => `${what}, ${tool.name}, ${revision}`;
  const metrics: readonly Metric[] = [
    { name: of('added at p50'), unit: 'ms' },
    { name: of('round trip'), unit: 'ms', beside: true },
    { name: of('calls at 1'), unit: '/s' },
    { name: of(`calls at ${CLIENTS}`), unit: '/s' },
    { name: of('p99'), unit: 'ms', beside: true },
    { name: of('load generator busy'), unit: '%', beside: true },
  ];
  const about = `tools/call of ${revision}, each client makes its next call when it has the answer; p50 of one client less that of the tool itself on stdio, seconds before; calls per second of one client and of ${CLIENTS}`;
  const running = new Map<string, RunningBridge>();
  const window_ms = bench.quick ? 1_500 : 2_000;
  const ask = (place: BridgePlace, clients: number) =>
    calls(bench, { place, revision, clients, warm_ms: WARM_MS, until: { ms: window_ms } });

  const trial = async (bridge: BridgeContender) => {
    const known = running.get(bridge.name) ?? (await started(bench, bridge, tool));
    running.set(bridge.name, known);
    const { place } = known;
    const alone = bridge.role === 'floor' ? undefined : await ask({ kind: 'stdio', command: tool.command }, 1);
    const one = await ask(place, 1);
    const many = await ask(place, CLIENTS);
    return {
      ...(alone && { [of('added at p50')]: one.p50_ms - alone.p50_ms }),
      [of('round trip')]: one.p50_ms,
      [of('calls at 1')]: one.count / one.seconds,
      [of(`calls at ${CLIENTS}`)]: many.count / many.seconds,
      [of('p99')]: many.p99_ms,
      [of('load generator busy')]: many.busy,
    };
  };
  const rounds = { full: 3, quick: 2, peers: { full: 3, quick: 2 } };
  return {
    ...seriesAmong(bench, of('calls'), rounds, trial),
    about,
    metrics,
    after: async () => {
      for (const bridge of running.values()) await bridge.stop();
      running.clear();
    },
  };
}

/** The bridge's own memory: a tool is another process. */
function memorySeries(bench: Bench): Series {
  const few = 20_000;
  const times = bench.quick ? 3 : 10;
  const trial = async (bridge: BridgeContender) => {
    const { place, pid, stop } = await started(bench, bridge, BARE);
    if (pid === undefined) throw new Error('there is no bridge whose memory could be measured');
    try {
      const make = (count: number) =>
        calls(bench, { place, revision: '2025-11-25', clients: CLIENTS, warm_ms: 0, until: { calls: count } });
      await make(few);
      const after = residentSet(pid);
      await make((times - 1) * few);
      return { 'resident after calls': after, 'growth over calls': residentSet(pid) - after };
    } finally {
      await stop();
    }
  };
  const able = bench.bridges.filter(({ role, isSlow }) => role !== 'floor' && isSlow !== true);
  const rounds = { full: 2, quick: 1, peers: { full: 1, quick: 1 } };
  return {
    ...seriesAmong({ ...bench, bridges: able }, 'memory of the bridge', rounds, trial),
    about: `resident set of the bridge, without its tool, after ${few} calls of ${CLIENTS} clients, and how much more it is after ${times} times as many`,
    metrics: [
      { name: 'resident after calls', unit: 'MiB' },
      { name: 'growth over calls', unit: 'MiB' },
    ],
  };
}

function firstCallSeries(bench: Bench, tool: Tool): Series {
  const metric = `first call, ${tool.name}`;
  const trial = async (bridge: BridgeContender) => {
    const { place, stop } = await started(bench, bridge, tool);
    try {
      const until = { calls: 1 };
      const { first_ms } = await calls(bench, { place, revision: '2025-11-25', clients: 1, warm_ms: 0, until });
      return { [metric]: first_ms };
    } finally {
      await stop();
    }
  };
  const rounds = { full: 7, quick: 3, peers: { full: 5, quick: 2 } };
  return {
    ...seriesAmong(bench, metric, rounds, trial),
    about:
      'a bridge that has served nobody yet: from the first byte of initialize to the answer to the first call, the start of the tool included. mcp-proxy has started it before it listens',
    metrics: [{ name: metric, unit: 'ms' }],
  };
}

function seriesAmong(
  bench: Bench,
  name: string,
  rounds: Rounds,
  trial: (bridge: BridgeContender) => Promise<Readonly<Record<string, number>>>,
): Pick<Series, 'name' | 'subjects' | 'base' | 'skipped'> {
  const subjects = subjectsAmong(bench.bridges, bench.quick, 'mcp-bridge', rounds, trial);
  return { name, subjects, base: 'direct stdio', ...(subjects.length === 0 && { skipped: 'no bridge takes part' }) };
}

function started({ workshop }: Bench, bridge: BridgeContender, { command }: Tool): Promise<RunningBridge> {
  return bridge.start({ directory: workshop.directory(), tool: command });
}

function calls({ workshop }: Bench, task: Omit<CallsTask, 'kind'>) {
  return runTask(workshop.directory(), { ...task, kind: 'calls' });
}
