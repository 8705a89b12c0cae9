import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { endToEnd } from '../../http/headers.ts';
import { answerTextOn, head } from '../../http/refusal.ts';
import { pinned, type Resolved } from './addresses.ts';
import type { Subject } from './audit.ts';
import { blocked, blockText } from './block.ts';
import { MOST_HELLO_BYTES, serverName } from './client-hello.ts';
import { type Context, judgeDestination, subjectOf } from './context.ts';
import { type Destination, tunnelDestination } from './destination.ts';

const MOST_TUNNELS = 1024;
const CONNECT_MS = 15_000;
const HELLO_MS = 10_000;

let tunnels = 0;

/**
 * Takes a CONNECT: checks the host, connects to an address that was checked, and lets bytes pass once the TLS server name is that host.
 * What is inside cannot be seen.
 */
export async function openTunnel(
  context: Context,
  request: IncomingMessage,
  client: Duplex,
  early: Buffer,
): Promise<void> {
  client.on('error', () => client.destroy());
  const destination = tunnelDestination(request.url ?? '');
  const subject = subjectOf('CONNECT', destination);
  // Counted before it is judged, which takes time: many that come at once must not all find room.
  tunnels += 1;
  try {
    const judged = await judge(context, request, destination);
    if (!judged.ok || destination === undefined) {
      const block = judged.ok ? blocked('parser', 'invalid URL', 400) : judged.block;
      context.audit.blocked(subject, block);
      answerTextOn(client, { status: block.status, text: blockText(block) });
      return;
    }
    await relay({ context, subject, client, early, destination, addresses: judged.addresses });
  } finally {
    tunnels -= 1;
  }
}

async function judge(
  context: Context,
  request: IncomingMessage,
  destination: Destination | undefined,
): Promise<Resolved> {
  if (destination === undefined) return { ok: false, block: blocked('parser', 'invalid URL', 400) };
  if (tunnels > MOST_TUNNELS) return { ok: false, block: blocked('capacity', 'too many active tunnels', 503) };
  const judged = await judgeDestination(destination, context);
  if (!judged.ok) return judged;
  const block = await context.dlp.headers(endToEnd(request.rawHeaders));
  return block === undefined ? judged : { ok: false, block };
}

interface Tunnel {
  readonly context: Context;
  readonly subject: Subject;
  readonly client: Duplex;
  readonly early: Buffer;
  readonly destination: Destination;
  readonly addresses: Extract<Resolved, { ok: true }>['addresses'];
}

async function relay({ context, subject, client, early, destination, addresses }: Tunnel): Promise<void> {
  const { audit, config } = context;
  const origin = await connected(destination, addresses);
  if (typeof origin === 'string') {
    audit.failed(subject, origin);
    answerTextOn(client, { status: 502, text: `CONNECT failed: ${origin}\n` });
    return;
  }
  const abort = new AbortController();
  const life = setTimeout(() => abort.abort(), config.forward_proxy.max_tunnel_seconds * 1000);
  audit.tunnel(subject, 'tunnel_open');
  try {
    client.write(head(200, []));
    const hello = await firstBytes(client, early);
    const refusal = hello === undefined ? 'is silent' : mismatch(hello, destination);
    if (hello === undefined || refusal !== undefined) {
      audit.blocked(subject, blocked('sni', `connection through the tunnel ${refusal}`));
      return;
    }
    const idle = config.forward_proxy.idle_timeout_seconds * 1000;
    origin.setTimeout(idle, () => abort.abort());
    origin.write(hello);
    const { signal } = abort;
    await Promise.all([pipeline(client, origin, { signal }), pipeline(origin, client, { signal })]);
  } catch {
    // Either side ended it in its own way; what passed is told below.
  } finally {
    clearTimeout(life);
    client.destroy();
    origin.destroy();
    audit.tunnel(subject, 'tunnel_close', origin.bytesRead + origin.bytesWritten);
  }
}

function connected({ authority }: Destination, addresses: Tunnel['addresses']): Promise<Socket | string> {
  return new Promise((resolve) => {
    const origin = connect({ host: authority.host, port: authority.port, lookup: pinned(addresses) });
    const timer = setTimeout(() => origin.destroy(new Error('ETIMEDOUT')), CONNECT_MS);
    origin.once('connect', () => {
      clearTimeout(timer);
      resolve(origin);
    });
    origin.on('error', (error) => {
      clearTimeout(timer);
      resolve('code' in error && typeof error.code === 'string' ? error.code : error.message);
    });
  });
}

/** The first bytes, as many as hold a server name; undefined where they do not come in time. */
function firstBytes(client: Duplex, early: Buffer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let bytes = early;
    const timer = setTimeout(() => end(undefined), HELLO_MS);
    function end(result: Buffer | undefined): void {
      clearTimeout(timer);
      client.off('data', take).off('close', close);
      client.pause();
      resolve(result);
    }
    function close(): void {
      end(undefined);
    }
    function take(chunk: Buffer): void {
      bytes = Buffer.concat([bytes, chunk]);
      if (serverName(bytes).kind !== 'more' || bytes.length > MOST_HELLO_BYTES) end(bytes);
    }
    client.on('data', take).once('close', close);
    if (early.length > 0) take(Buffer.alloc(0));
    client.resume();
  });
}

/** Why these first bytes must not pass: a name that is not the one that was judged leads to another place behind the same address. */
function mismatch(hello: Buffer, { authority }: Destination): string | undefined {
  const found = serverName(hello);
  if (found.kind === 'name') {
    return found.name === authority.host ? undefined : 'names another host than the CONNECT (SNI mismatch)';
  }
  if (found.kind === 'none' && authority.isAddress && found.why === 'has no server name') return undefined;
  return found.kind === 'none' ? found.why : 'has a malformed handshake';
}
