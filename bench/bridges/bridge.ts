import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { BridgePlace } from '../agent/task.ts';
import type { Role } from '../series.ts';

/** What puts a tool on stdio behind HTTP. */
export interface BridgeContender {
  readonly name: string;
  readonly role: Role;
  readonly only?: readonly string[];
  /** Starts a process for each call: its rate is measured, and thousands of calls one after the other are not made. */
  readonly isSlow?: boolean;
  /** Why it cannot run here, with the remedy; undefined where it can. */
  absent(): string | undefined;
  start(place: { readonly directory: string; readonly tool: readonly string[] }): Promise<RunningBridge>;
}

export interface RunningBridge {
  /** Where clients find the tool. */
  readonly place: BridgePlace;
  /** Of the bridge, whose children are tools; undefined where there is no bridge. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Where bench/install-peers.sh puts the packages of npm, unless a variable says otherwise. */
export function packageDirectory(name: string, variable: string): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return process.env[variable] ?? join(cache, 'bottled-bench/node_modules', name);
}

/** Why a package of npm cannot take part; undefined where it can. */
export function packageAbsent(name: string, variable: string): string | undefined {
  const directory = packageDirectory(name, variable);
  if (existsSync(join(directory, 'package.json'))) return undefined;
  return `${name} is not in ${directory}, nor where ${variable} says (bench/install-peers.sh)`;
}
