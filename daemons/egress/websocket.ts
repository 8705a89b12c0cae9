import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { responseFramingFault } from '../http/framing.ts';
import { endToEnd, firstValue, type RawHeaders, without } from '../http/headers.ts';
import { answerTextOn, head } from '../http/refusal.ts';
import { type Engine, judged, refusalLine, reportAnswered, reportGone, settled, upstreamRefusal } from './engine.ts';
import { refusedBy } from './fields.ts';
import type { Allowed, Held, Question, Refused, Verdict } from './verdict.ts';
import { closeFrame, createFrameTap, maskedCloseFrame } from './websocket-frames.ts';

/** What is ours to say in the handshake; extensions are never agreed on, so that no frame is compressed and each can be looked into. */
const ownFields = new Set([
  'host',
  'connection',
  'upgrade',
  'content-length',
  'transfer-encoding',
  'expect',
  'sec-websocket-extensions',
]);
const acceptance = new Set(['content-length', 'sec-websocket-extensions']);
/** More of a refusal than anybody reads. */
const longestRefusal = 16 * 1024;

/** Why a request that wants to become a WebSocket cannot (RFC 6455 4.2.1). */
export function handshakeFault(method: string, headers: RawHeaders): string | undefined {
  if (method !== 'GET') return 'a WebSocket begins with GET';
  if (firstValue(headers, 'sec-websocket-version') !== '13') return 'only version 13 of WebSocket is spoken here';
  if (!/^[A-Za-z0-9+/]{22}==$/.test(firstValue(headers, 'sec-websocket-key') ?? ''))
    return 'no proper Sec-WebSocket-Key';
  return undefined;
}

/** Judges a WebSocket handshake and, where it is allowed, carries the frames both ways until one side ends. */
export function openWebSocket(
  engine: Engine,
  question: Question,
  socket: Duplex,
  early: Buffer,
  whenOver: () => void,
): void {
  const startedAt = performance.now();
  const verdict = excess(engine) ?? judged(engine, question);
  if (verdict.kind === 'held') hold(engine, question, verdict, socket, early, startedAt, whenOver);
  else carryOut(engine, question, verdict, socket, early, startedAt, whenOver);
}

function carryOut(
  engine: Engine,
  question: Question,
  verdict: Verdict,
  socket: Duplex,
  early: Buffer,
  startedAt: number,
  whenOver: () => void,
): void {
  if (verdict.kind === 'allowed') {
    carry(engine, question, verdict, socket, early, startedAt, whenOver);
    return;
  }
  const text = verdict.kind === 'refused' ? refusalLine(verdict) : verdict.body;
  answerTextOn(socket, { status: verdict.status, text }, engine.limits.linger_ms);
  reportAnswered(engine, question, verdict, startedAt);
  whenOver();
}

/** Keeps a handshake until a person has decided. It is read on meanwhile, since only so does it show that the agent has left. */
function hold(
  engine: Engine,
  question: Question,
  held: Held,
  socket: Duplex,
  early: Buffer,
  startedAt: number,
  whenOver: () => void,
): void {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  const pieces = [early];
  let size = early.length;
  const keep = (piece: Buffer): void => {
    pieces.push(piece);
    size += piece.length;
    // Nothing is to be said before the handshake is answered.
    if (size > longestRefusal) socket.destroy();
  };
  engine.open.webSockets += 1;
  socket.on('error', leave);
  socket.on('close', leave);
  socket.on('end', leave);
  socket.on('data', keep);
  void settled(engine, question, held, gone.signal).then((verdict) => {
    engine.open.webSockets -= 1;
    socket.removeListener('close', leave);
    socket.removeListener('end', leave);
    socket.removeListener('data', keep);
    socket.pause();
    if (!gone.signal.aborted) {
      carryOut(engine, question, verdict, socket, Buffer.concat(pieces), startedAt, whenOver);
      return;
    }
    socket.destroy();
    reportGone(engine, question, startedAt);
    whenOver();
  });
}

function excess({ open, limits }: Engine): Refused | undefined {
  if (open.webSockets < limits.webSockets) return undefined;
  const reason = `${limits.webSockets} WebSockets are open; close one first`;
  return { kind: 'refused', status: 503, code: 'too-many-websockets', reason };
}

function carry(
  engine: Engine,
  question: Question,
  allowed: Allowed,
  socket: Duplex,
  early: Buffer,
  startedAt: number,
  whenOver: () => void,
): void {
  const { limits, upstream } = engine;
  const tap = allowed.watch === undefined ? undefined : createFrameTap(allowed.watch, limits.webSocketMessageBytes);
  let verdict: Verdict = allowed;
  let far: Duplex | undefined;
  let isOver = false;
  let status: number | undefined;
  let fault: string | undefined;
  let responseHeaders: RawHeaders | undefined;
  let sentBytes = 0;
  let receivedBytes = 0;
  let lastAt = startedAt;
  let request: ClientRequest | undefined;

  engine.open.webSockets += 1;
  const wait = { look, slot: -1 };
  engine.waits.add(wait);
  socket.on('error', agentGone);
  socket.on('close', agentGone);
  socket.pause();
  if (early.length > 0) socket.unshift(early);
  depart();

  function depart(): void {
    const { scheme, authority, method } = question;
    try {
      const headers = without(allowed.headers, ownFields);
      request = upstream.webSocket({ scheme, authority, method, target: allowed.target, headers });
    } catch {
      refuse({ kind: 'refused', status: 400, code: 'bad-request', reason: 'the handshake cannot be passed on' });
      return;
    }
    request.on('upgrade', opened);
    request.on('response', declined);
    request.on('error', (error) => {
      if (status === undefined) refuse(upstreamRefusal(upstream.name, error));
    });
    request.end();
  }

  function opened(response: IncomingMessage, farSocket: Duplex, farEarly: Buffer): void {
    far = farSocket;
    far.on('error', farGone);
    far.on('close', farGone);
    if (isOver) {
      far.destroy();
      return;
    }
    const isAgreed = firstValue(response.rawHeaders, 'sec-websocket-extensions') === undefined;
    if (!isAgreed || firstValue(response.rawHeaders, 'upgrade')?.toLowerCase() !== 'websocket') {
      refuse({
        kind: 'refused',
        status: 502,
        code: 'bad-answer',
        reason: 'the answer to the WebSocket handshake is not sound',
      });
      return;
    }
    status = 101;
    lastAt = performance.now();
    const fields = without(endToEnd(allowed.answerHeaders(response.rawHeaders)), acceptance);
    responseHeaders = fields;
    socket.write(head(101, ['Connection', 'Upgrade', 'Upgrade', 'websocket', ...fields]), 'latin1');
    if (farEarly.length > 0) far.unshift(farEarly);
    socket.on('data', fromAgent);
    socket.on('end', () => far?.end());
    socket.on('drain', () => far?.resume());
    far.on('data', fromOrigin);
    far.on('end', () => socket.end());
    far.on('drain', () => socket.resume());
    socket.resume();
    far.resume();
  }

  function fromAgent(chunk: Buffer): void {
    if (isOver || far === undefined) return;
    lastAt = performance.now();
    sentBytes += chunk.length;
    const step = tap?.push(chunk);
    if (step === undefined) forwardToOrigin(far, chunk);
    else if (step.kind === 'pass') forwardToOrigin(far, step.bytes);
    else if (step.kind === 'refuse') {
      verdict = step.refusal;
      closeBoth(1008, refusalLine(step.refusal).trimEnd(), step.refusal.code);
    } else closeBoth(step.code, `egress: ${step.reason}`, 'websocket-fault');
  }

  function forwardToOrigin(to: Duplex, bytes: Buffer): void {
    if (bytes.length > 0 && !to.write(bytes)) socket.pause();
  }

  function fromOrigin(chunk: Buffer): void {
    if (isOver) return;
    lastAt = performance.now();
    receivedBytes += chunk.length;
    if (!socket.write(chunk)) far?.pause();
  }

  /** What came from the origin up to here are whole frames or not; a close in the middle of one ends the connection all the same. */
  function closeBoth(code: number, reason: string, why: string): void {
    fault ??= why;
    const gone = far;
    far = undefined;
    gone?.end(maskedCloseFrame(1001));
    gone?.once('finish', () => gone.destroy());
    socket.removeListener('data', fromAgent);
    socket.end(closeFrame(code, reason));
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), limits.linger_ms);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }

  /** The origin, or the upstream, answers the handshake with something else: passed on whole, where it is small. */
  function declined(response: IncomingMessage): void {
    const { statusCode = 502 } = response;
    if (isOver || responseFramingFault(response) !== undefined) {
      refuse({
        kind: 'refused',
        status: 502,
        code: 'bad-answer',
        reason: 'the answer to the WebSocket handshake is not sound',
      });
      return;
    }
    const pieces: Buffer[] = [];
    let length = 0;
    response.on('error', () => socket.destroy());
    response.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length <= longestRefusal) pieces.push(piece);
      else response.destroy();
    });
    response.on('close', () => {
      if (isOver || status !== undefined) return;
      const body = Buffer.concat(pieces);
      const isUpstreams = upstream.refused(statusCode, body);
      if (isUpstreams) fault = 'refused-by-upstream';
      status = statusCode === 101 || statusCode < 200 ? 502 : statusCode;
      const mark = isUpstreams ? [refusedBy, upstream.name] : [];
      answerTextOn(socket, { status, text: body.toString(), headers: mark }, limits.linger_ms);
    });
  }

  function refuse(refusal: Refused): void {
    if (isOver) return;
    verdict = refusal;
    status = refusal.status;
    request?.destroy();
    far?.destroy();
    answerTextOn(socket, { status: refusal.status, text: refusalLine(refusal) }, limits.linger_ms);
  }

  function agentGone(): void {
    over();
  }

  function farGone(): void {
    if (isOver || far === undefined) return;
    if (!far.readableEnded && !socket.writableEnded) fault ??= 'upstream-aborted';
    if (!socket.writableEnded) socket.destroy();
  }

  function over(): void {
    if (isOver) return;
    isOver = true;
    engine.open.webSockets -= 1;
    engine.waits.delete(wait);
    if (status === undefined) fault ??= 'client-aborted';
    socket.destroy();
    far?.destroy();
    if (status !== 101) request?.destroy();
    const duration_ms = performance.now() - startedAt;
    engine.report({ question, verdict, status, sentBytes, receivedBytes, duration_ms, fault, responseHeaders });
    whenOver();
  }

  function look(now: number): void {
    const waited = now - lastAt;
    if (status === undefined && waited > limits.connect_ms * 3) {
      fault = 'timeout';
      refuse({
        kind: 'refused',
        status: 504,
        code: 'upstream-timeout',
        reason: `${upstream.name} did not answer the handshake`,
      });
    } else if (status === 101 && waited > limits.webSocketIdle_ms) {
      closeBoth(1001, 'egress: nothing was said for too long', 'timeout');
    }
  }
}
