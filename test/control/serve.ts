import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Control, createControl } from '../../init/control/control.ts';
import type { Limits } from '../../init/control/limits.ts';
import { type FakeInit, fakeInit } from './fake-init.ts';

/** A control server over a fake init, on sockets of its own. */
export interface Served {
  readonly init: FakeInit;
  readonly control: Control;
  readonly socket: string;
  /** Port of the TCP listener. */
  readonly port: number;
  readonly problems: string[];
}

/** A folder that is gone after the test. */
export function scratch(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bottled-test-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function serve(test: TestContext, limits: Partial<Limits> = {}): Promise<Served> {
  const socket = join(scratch(test), 'run', 'control.sock');
  const init = fakeInit();
  const problems: string[] = [];
  const onProblem = (text: string): void => void problems.push(text);
  const control = await createControl({ init, socket, listen: '127.0.0.1:0', onProblem, limits });
  test.after(() => control.close());
  return { init, control, socket, port: control.address?.port ?? 0, problems };
}

export interface Asked {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as JSON. */
  readonly json: unknown;
}

export interface Question {
  readonly to: { readonly socket: string } | { readonly port: number };
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Opens a request; the answer's body is still to be read. */
export function open({ to, method = 'GET', path, headers = {}, body = '' }: Question): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const where = 'socket' in to ? { socketPath: to.socket } : { host: '127.0.0.1', port: to.port };
    const outgoing = request({ ...where, method, path, headers, agent: false }, resolve);
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** One request and its whole answer. */
export async function ask(question: Question): Promise<Asked> {
  const response = await open(question);
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += chunk;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    get json(): unknown {
      return JSON.parse(body);
    },
  };
}

/** Waits until `condition` holds; fails after five seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
