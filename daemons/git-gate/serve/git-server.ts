import { createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { printable } from '../../text/printable.ts';
import { createByteLimit } from './byte-limit.ts';
import { startGit } from './git-child.ts';
import { errorLine } from './pkt-line.ts';
import { repoNameOf } from './repo-name.ts';
import { protocolOf, type Service, serviceOf } from './request.ts';
import {
  boundedPush,
  type Exchange,
  logRefused,
  logUnknown,
  makeReady,
  type Serving,
  serveProcess,
} from './serving.ts';

/** How long a client may take for its first line, in ms. */
const FIRST_LINE_MS = 10_000;
/** A client that has what it came for hangs up, and git, which then reads the end of its input, ends by itself. */
const FAREWELL_MS = 500;
/** The longest first line that is read. */
const MOST_FIRST_LINE = 2048;
/** What a client that fetches may say. */
const MOST_TALK = 64 * 1024 ** 2;

/** What a client of git:// asks for in its first line (gitprotocol-pack(5), "Git Transport"). */
export interface GitQuestion {
  readonly service: Service;
  readonly name: string;
  readonly protocol: string | undefined;
}

/** git:// for the repositories of the gate. It starts git itself, since `git daemon` hands the hook no way to ask us. */
export function createGitServer(serving: Serving, isReady: () => boolean): Server {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    void answer(socket, serving, isReady).catch(() => socket.destroy());
  });
  server.maxConnections = 256;
  return server;
}

async function answer(socket: Socket, serving: Serving, isReady: () => boolean): Promise<void> {
  const gone = new AbortController();
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => gone.abort(), FAREWELL_MS));
  const line = await firstLine(socket);
  if (line === undefined) {
    socket.destroy();
    return;
  }
  const question = parseGitRequest(line);
  if (typeof question === 'string') {
    logUnknown('git', socket.remoteAddress ?? '', line.split('\0', 1)[0] ?? '', question, serving.log);
    return refuse(socket, question);
  }
  if (!isReady()) return refuse(socket, 'the gate is starting; try again in a moment');
  const { name, service, protocol } = question;
  const exchange: Exchange = {
    protocol: 'git',
    service,
    name,
    client: socket.remoteAddress ?? '',
    started: performance.now(),
  };
  const refuseAll = (reason: string): void => {
    logRefused(exchange, reason, serving.log);
    refuse(socket, reason);
  };
  const admission = await serving.gate.admit(name, gone.signal);
  if (!admission.ok) return refuseAll(admission.reason);
  const { admitted } = admission;
  const { limits } = admitted.config;
  const refreshed = await makeReady(service, admitted, limits.fetch_fresh, serving);
  if (!refreshed.ok || gone.signal.aborted) {
    admitted.leave(false);
    if (!refreshed.ok) refuseAll(`${name}: ${refreshed.reason}`);
    return;
  }
  await serveProcess(exchange, admitted, serving, gone.signal, (env) => {
    const args = service === 'git-upload-pack' ? ['upload-pack', '--strict'] : ['receive-pack'];
    const version = protocol === undefined ? {} : { GIT_PROTOCOL: protocol };
    const child = startGit([...args, admitted.path], { ...env, ...version }, serving.settings.data);
    const isFetch = service === 'git-upload-pack';
    const bounded = isFetch ? createByteLimit(MOST_TALK) : boundedPush(admitted, serving);
    pipeline([socket, bounded, child.stdin], () => {});
    pipeline([child.stdout, socket], () => {});
    return child;
  });
}

/** Reads a first line, or says why it is refused. */
export function parseGitRequest(line: string): GitQuestion | string {
  const [request = '', ...extra] = line.split('\0');
  const [, word, path] = /^(\S+) \/([^/\s]+)\n?$/.exec(request) ?? [];
  const service = serviceOf(word);
  const name = path === undefined ? undefined : repoNameOf(path);
  if (word !== undefined && service === undefined)
    return 'only git-upload-pack (fetch) and git-receive-pack (push) are served';
  if (service === undefined || name === undefined) return 'there is nothing at this path; ask for /<name>.git';
  return { service, name, protocol: extra.map(protocolOf).find((version) => version !== undefined) };
}

/** The first pkt-line of a client; undefined where none comes in time, or what comes is none. The rest stays in the socket. */
function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const settle = (line: string | undefined): void => {
      clearTimeout(timer);
      socket.off('data', take);
      socket.off('end', giveUp);
      socket.off('close', giveUp);
      socket.pause();
      resolve(line);
    };
    const giveUp = () => settle(undefined);
    const take = (chunk: Buffer): void => {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length < 4) return;
      const prefix = seen.toString('latin1', 0, 4);
      const length = /^[0-9a-f]{4}$/i.test(prefix) ? Number.parseInt(prefix, 16) : 0;
      if (length < 5 || length > MOST_FIRST_LINE) giveUp();
      else if (seen.length >= length) {
        settle(seen.toString('utf8', 4, length));
        if (seen.length > length) socket.unshift(seen.subarray(length));
      }
    };
    const timer = setTimeout(giveUp, FIRST_LINE_MS);
    socket.on('data', take);
    socket.on('end', giveUp);
    socket.on('close', giveUp);
  });
}

function refuse(socket: Socket, reason: string): void {
  if (socket.destroyed) return;
  socket.end(errorLine(printable(reason)));
  socket.resume();
  // A client that keeps its side open holds a connection that others may need.
  setTimeout(() => socket.destroy(), FIRST_LINE_MS).unref();
}
