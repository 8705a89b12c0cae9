import type { Bench, Series } from '../series.ts';
import { boot } from './boot.ts';
import { logs } from './logs.ts';
import { mcpBridge } from './mcp-bridge.ts';
import { memory } from './memory.ts';
import { orphans } from './orphans.ts';
import { probe } from './probe.ts';
import { proxy } from './proxy.ts';
import { push } from './push.ts';
import { respawn } from './respawn.ts';
import { sse } from './sse.ts';
import { stop } from './stop.ts';
import { transfer } from './transfer.ts';

/** What can be measured, by the name that `--only` takes. */
export const MEASURES: Readonly<Record<string, (bench: Bench) => readonly Series[]>> = {
  boot,
  respawn,
  stop,
  logs,
  memory,
  orphans,
  probe,
  proxy,
  transfer,
  sse,
  push,
  'mcp-bridge': mcpBridge,
};
