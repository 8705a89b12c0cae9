import { quote } from '../../config/problem.ts';
import type { Fault } from './fault.ts';
import type { Bottle } from './schema.ts';

/** Tools that need the engine's socket, and have not got it. */
export function* toolFaults({ sidecars, mcp }: Bottle): Generator<Fault> {
  if (sidecars.docker_socket !== undefined) return;
  for (const [index, { name, driver }] of (mcp?.tools ?? []).entries()) {
    if (driver !== 'local-docker') continue;
    yield {
      path: ['mcp', 'tools', index, 'driver'],
      message: `${quote(name)} runs in a container, and the bundle cannot start any`,
      hint: 'give it the engine by sidecars.docker_socket, which is to give it the host; or use driver: local',
    };
  }
}

/** The engine's socket where it is not needed, or reaches further than is meant. */
export function* toolWarnings({ sidecars, mcp }: Bottle): Generator<Fault> {
  if (sidecars.docker_socket === undefined) return;
  const tools = mcp?.tools ?? [];
  if (!tools.some(({ driver }) => driver === 'local-docker')) {
    yield {
      path: ['sidecars', 'docker_socket'],
      message: 'is not needed: no tool has driver local-docker; it is not mounted',
      ofKey: true,
    };
    return;
  }
  for (const [index, { name, driver }] of tools.entries()) {
    if (driver !== 'local') continue;
    yield {
      path: ['mcp', 'tools', index, 'driver'],
      message: `${quote(name)} runs as the user of mcp-bridge, who has the engine's socket: it has the host, too`,
      hint: 'put it into an image and write driver: local-docker',
    };
  }
}
