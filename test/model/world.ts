import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { portOf, trackConnections } from '../../daemons/listen/listen.ts';
import { createSidecarLlmClient, type SidecarLlmClient, type SidecarLlmOptions } from '../../daemons/model/client.ts';
import { SidecarLlmError, type SidecarLlmFault } from '../../daemons/model/fault.ts';
import { createMockModel, type MockOptions } from '../../daemons/model/mock/server.ts';

/** A mock that listens, and a client of it. */
export interface World {
  readonly url: string;
  readonly server: Server;
  readonly client: SidecarLlmClient;
}

export async function makeWorld(
  t: TestContext,
  mock: Partial<MockOptions> = {},
  options: Partial<SidecarLlmOptions> = {},
): Promise<World> {
  const server = createMockModel({ models: ['base', 'green_agent_adapter', 'red_agent_adapter'], ...mock });
  const url = await listening(t, server);
  return { url, server, client: createSidecarLlmClient({ baseUrl: url, model: 'base', ...options }) };
}

/** Listens on a free port until the test ends; the base URL of the API. */
export async function listening(t: TestContext, server: Server): Promise<string> {
  const connections = new Set<Socket>();
  trackConnections(server, connections);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of connections) socket.destroy();
  });
  return `http://127.0.0.1:${portOf(server)}/v1`;
}

/** The fault that a call rejects with. */
export async function faultOf(call: Promise<unknown>): Promise<SidecarLlmFault> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof SidecarLlmError, String(error));
    return error.fault;
  }
  assert.fail('it was answered');
}

/** All pieces of a stream. */
export async function piecesOf(stream: AsyncIterable<string>): Promise<readonly string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
