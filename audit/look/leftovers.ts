import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Bundle } from '../../init/bundle/schema.ts';
import type { FoundFile, LeftoverFacts } from '../leftovers.ts';

/** What lies deeper belongs to git alone, which looks after its own. */
const DEPTH = 4;
const MOST_FILES = 20_000;

/** Files below the data, configuration and run directories of a bundle. */
export function lookForLeftovers(
  bundle: Bundle,
  directories: readonly string[],
  served: ReadonlySet<string>,
): LeftoverFacts {
  const files: FoundFile[] = [];
  const unseen: string[] = [];
  const seen = new Set<string>();
  for (const directory of [...dataOf(bundle), ...configurationOf(bundle), ...directories]) {
    walk(directory, DEPTH, { files, unseen, seen });
  }
  const spools = spoolsOf(bundle).map((directory) => ({ directory, reports: reportsIn(directory) }));
  return { files, unseen, isCutShort: files.length >= MOST_FILES, served, spools };
}

interface Walk {
  readonly files: FoundFile[];
  readonly unseen: string[];
  readonly seen: Set<string>;
}

function walk(directory: string, depth: number, found: Walk): void {
  if (found.seen.has(directory) || found.files.length >= MOST_FILES) return;
  found.seen.add(directory);
  for (const entry of entriesOf(directory, found.unseen)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (depth > 1) walk(path, depth - 1, found);
      continue;
    }
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const kind = stat.isSocket() ? 'socket' : stat.isFile() ? 'file' : 'other';
    if (found.files.push({ path, kind, written: stat.mtimeMs }) >= MOST_FILES) return;
  }
}

function entriesOf(directory: string, unseen: string[]): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM') unseen.push(directory);
    return [];
  }
}

function dataOf({ daemons }: Bundle): readonly string[] {
  return Object.values(daemons).flatMap(({ data }) => data.map(({ path }) => path));
}

/** The directories of the configuration files that daemons name. */
function configurationOf({ daemons }: Bundle): readonly string[] {
  const files = Object.values(daemons).flatMap(({ environment }) =>
    CONFIGURATION.flatMap((name) => environment[name] ?? []),
  );
  return [...new Set(files.filter((file) => file !== '').map((file) => dirname(file)))];
}

const CONFIGURATION = ['EGRESS_ROUTES', 'PIPELOCK_SETTINGS', 'GIT_GATE_SETTINGS', 'MCP_BRIDGE_POLICY'];
const SPOOLS = ['EGRESS_REPORTS', 'GIT_GATE_REPORTS', 'MCP_BRIDGE_REPORTS'];

function spoolsOf({ daemons }: Bundle): readonly string[] {
  const directories = Object.values(daemons).flatMap(({ environment }) =>
    SPOOLS.flatMap((name) => environment[name] ?? []),
  );
  return directories.filter((directory) => directory !== '');
}

function reportsIn(directory: string): number {
  return entriesOf(directory, []).filter(({ name }) => name.endsWith('.json')).length;
}
