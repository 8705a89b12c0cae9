import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../contenders/contender.ts';
import { freePort, startServer } from '../server.ts';
import type { Gate, GatePlace } from './gate.ts';

const PROGRAM = join(import.meta.dirname, '../../dist/git-gate.mjs');

/** The daemon as the bundle runs it, with the scanner of the bundle alone. */
export const gitGate = gate('git-gate', 'none', notBuilt);

/** The same with the second engine, where it is installed. */
export const gitGateTwice = gate('git-gate + second engine', 'auto', () => {
  const found = ['betterleaks', 'gitleaks'].some((program) => findProgram(program) !== undefined);
  return found ? notBuilt() : 'neither betterleaks nor gitleaks is on the PATH';
});

function notBuilt(): string | undefined {
  return existsSync(PROGRAM) ? undefined : 'dist/git-gate.mjs is not built (npm run build)';
}

function gate(name: string, engine: 'none' | 'auto', absent: () => string | undefined): Gate {
  return { name, role: 'ours', absent, start: (place) => start(place, engine) };
}

async function start({ directory, upstreams, names }: GatePlace, engine: 'none' | 'auto') {
  const settings = join(directory, 'git-gate.yaml');
  const data = join(directory, 'data');
  mkdirSync(data);
  const repos = names.map((name) => `  ${name}: { url: "file://${join(upstreams, `${name}.git`)}" }\n`);
  writeFileSync(settings, `second_engine: ${engine}\nrepos:\n${repos.join('')}`);
  const port = await freePort();
  const environment = {
    GIT_GATE_SETTINGS: settings,
    GIT_GATE_DATA: data,
    GIT_GATE_LISTEN: '127.0.0.1',
    GIT_GATE_HTTP_PORT: String(port),
    GIT_GATE_GIT_PORT: '0',
  };
  const server = await startServer({
    name: 'git-gate',
    command: [process.execPath, PROGRAM],
    port,
    directory,
    environment,
  });
  return { url: (repo: string) => `http://127.0.0.1:${port}/${repo}.git`, stop: server.stop };
}
