import type { ClientRequest, IncomingMessage } from 'node:http';
import { responseFramingFault } from '../http/framing.ts';
import type { RawHeaders } from '../http/headers.ts';
import {
  answerWhole,
  breakOff,
  discardRest,
  finish,
  flushHead,
  hasArrived,
  hasBegun,
  isGone,
  pairs,
  requestTrailers,
  sendContinue,
  sendHead,
  sendInformation,
  wasTaken,
} from './agent-side.ts';
import type { Asked } from './asked.ts';
import { type Engine, judged, plainText, refusalLine, reportAnswered, upstreamRefusal } from './engine.ts';
import { fieldsBack, fieldsOut, isPlainText, refusedBy, trailersBack, trailersOut } from './fields.ts';
import { collectBody, whileHeld } from './hold.ts';
import type { Allowed, Held, Refused, Verdict } from './verdict.ts';

/** Requests that can be sent again when a kept connection turned out to be closed (RFC 9110 9.2.2). */
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const noContent = new Set([204, 304]);
/** How long an upstream that does not know `Expect` may stay silent before the body is sent all the same (RFC 9110 10.1.1). */
const patience_ms = 1_000;

/** Judges a request and answers it: by itself, or with what comes back from upstream. `whenOver` is called once, last. */
export function exchange(engine: Engine, asked: Asked, whenOver: () => void): (() => void) | undefined {
  const startedAt = performance.now();
  const verdict = excess(engine, asked) ?? judged(engine, asked.question);
  return proceed(engine, asked, verdict, startedAt, whenOver);
}

function proceed(
  engine: Engine,
  asked: Asked,
  verdict: Verdict | Held,
  startedAt: number,
  whenOver: () => void,
): (() => void) | undefined {
  const { agent, question } = asked;
  const kept = { engine, asked, startedAt, whenOver };
  if (verdict.kind === 'held') {
    return whileHeld(verdict, { ...kept, goOn: (settled) => proceed(engine, asked, settled, startedAt, whenOver) });
  }
  if (verdict.kind === 'allowed') {
    const { holdBody } = verdict;
    if (holdBody === undefined || !isCollectable(engine, asked)) {
      return forward(engine, asked, verdict, startedAt, whenOver);
    }
    return collectBody({
      ...kept,
      goOn(arrived) {
        const read = { ...asked, arrived, expectsContinue: false };
        const held = arrived.isWhole ? holdBody(arrived.bytes) : undefined;
        return proceed(engine, read, held ?? verdict, startedAt, whenOver);
      },
    });
  }
  const text = verdict.kind === 'refused' ? refusalLine(verdict) : verdict.body;
  const contentType = verdict.kind === 'refused' ? plainText : verdict.contentType;
  answerWhole(agent, verdict.status, text, contentType, question.method, engine.limits.linger_ms);
  reportAnswered(engine, question, verdict, startedAt);
  whenOver();
  return undefined;
}

function isCollectable({ limits }: Engine, { length, arrived }: Asked): boolean {
  if (arrived !== undefined || length === undefined || length === 0) return false;
  return length === 'chunked' || length <= limits.heldBodyBytes;
}

function excess({ open, limits }: Engine, { length }: Asked): Refused | undefined {
  if (open.exchanges >= limits.exchanges) {
    return {
      kind: 'refused',
      status: 503,
      code: 'too-many-requests',
      reason: `${limits.exchanges} requests are under way; try again`,
    };
  }
  if (typeof length === 'number' && length > limits.requestBytes) return tooLarge(limits.requestBytes);
  return undefined;
}

function tooLarge(limit: number): Refused {
  return {
    kind: 'refused',
    status: 413,
    code: 'body-too-large',
    reason: `the request body is larger than ${limit} bytes`,
  };
}

/** Sends an allowed request out and brings its answer back. Returns what ends it when the agent's connection is gone. */
function forward(engine: Engine, asked: Asked, allowed: Allowed, startedAt: number, whenOver: () => void): () => void {
  const { agent, question, length } = asked;
  const { limits, upstream } = engine;
  const { input, output } = agent;
  const hasBody = length !== undefined && length !== 0;
  const watch = hasBody ? allowed.watch?.() : undefined;

  let verdict: Verdict = allowed;
  let incoming: IncomingMessage | undefined;
  let isUploading = false;
  let isOver = false;
  let wasRetried = false;
  let status: number | undefined;
  let fault: string | undefined;
  let responseHeaders: RawHeaders | undefined;
  let informational = 0;
  let sentBytes = 0;
  let receivedBytes = 0;
  let waitingSince = startedAt;
  let windowBytes = 0;
  let continueTimer: NodeJS.Timeout | undefined;
  let request: ClientRequest | undefined;

  engine.open.exchanges += 1;
  const wait = { look, slot: -1 };
  engine.waits.add(wait);
  output.on('close', over);
  output.on('error', agentGone);
  if (agent.version === 1) input.on('error', agentGone);
  depart();
  return agentGone;

  function depart(): void {
    try {
      const { scheme, authority, method } = question;
      const headers = fieldsOut(allowed.headers, asked);
      request = upstream.request({ scheme, authority, method, target: allowed.target, headers });
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
      refuse({
        kind: 'refused',
        status: 400,
        code: 'bad-request',
        reason: `the request cannot be passed on (${code})`,
      });
      return;
    }
    request.on('response', respond);
    request.on('information', inform);
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      refuse(badAnswer('it switches protocols unasked'));
    });
    request.on('error', upstreamFailed);
    request.on('close', () => {
      if (incoming === undefined && !wasRetried) upstreamFailed(undefined);
    });
    if (!hasBody) {
      request.end();
      return;
    }
    request.on('drain', resumeUpload);
    if (!asked.expectsContinue) {
      upload();
      return;
    }
    request.flushHeaders();
    request.on('continue', goOn);
    continueTimer = setTimeout(goOn, patience_ms);
  }

  function goOn(): void {
    clearTimeout(continueTimer);
    if (isUploading || isOver || incoming !== undefined) return;
    sendContinue(agent);
    upload();
  }

  function upload(): void {
    isUploading = true;
    waitingSince = performance.now();
    const { arrived } = asked;
    if (arrived !== undefined) send(arrived.bytes);
    if (arrived?.isWhole === true) {
      uploaded();
      return;
    }
    input.on('data', send);
    input.on('end', uploaded);
    if (arrived !== undefined && request?.writableNeedDrain === false) input.resume();
  }

  function send(chunk: Buffer): void {
    if (isOver || request === undefined || request.destroyed) return;
    sentBytes += chunk.length;
    windowBytes += chunk.length;
    if (sentBytes > limits.requestBytes) {
      refuse(tooLarge(limits.requestBytes));
      return;
    }
    let bytes = chunk;
    if (watch !== undefined) {
      const step = watch.push(chunk);
      if (step.kind === 'refuse') {
        refuse(step.refusal);
        return;
      }
      bytes = step.bytes;
    }
    if (bytes.length > 0 && !request.write(bytes)) input.pause();
  }

  function resumeUpload(): void {
    waitingSince = performance.now();
    windowBytes = 0;
    input.resume();
  }

  function uploaded(): void {
    if (isOver || request === undefined || request.destroyed) return;
    isUploading = false;
    waitingSince = performance.now();
    const step = watch?.end();
    if (step?.kind === 'refuse') {
      refuse(step.refusal);
      return;
    }
    if (step !== undefined && step.bytes.length > 0) request.write(step.bytes);
    const trailers = length === 'chunked' ? trailersOut(allowed, requestTrailers(agent)) : [];
    if ('kind' in trailers) {
      refuse(trailers);
      return;
    }
    if (trailers.length > 0) request.addTrailers(pairs(trailers));
    request.end();
  }

  function inform(info: { statusCode: number; rawHeaders: string[] }): void {
    informational += 1;
    if (informational > limits.informational) {
      refuse(badAnswer(`it begins with more than ${limits.informational} answers of class 1xx`));
      return;
    }
    waitingSince = performance.now();
    if (info.statusCode !== 100)
      sendInformation(agent, info.statusCode, fieldsBack(allowed.answerHeaders(info.rawHeaders)));
  }

  function respond(response: IncomingMessage): void {
    clearTimeout(continueTimer);
    incoming = response;
    waitingSince = performance.now();
    response.on('error', brokenOff);
    response.on('close', () => {
      if (!response.complete) brokenOff();
    });
    if (isOver) {
      request?.destroy();
      return;
    }
    const framing = responseFramingFault(response);
    if (framing !== undefined || response.rawHeaders.length / 2 > limits.headerCount * 2) {
      refuse(badAnswer(framing ?? 'it has too many header fields'));
      return;
    }
    const { statusCode = 502 } = response;
    const headers = fieldsBack(allowed.answerHeaders(response.rawHeaders));
    if (question.method === 'HEAD' || noContent.has(statusCode)) {
      begin(statusCode, headers, false);
      response.on('end', () => finish(agent, []));
      response.resume();
    } else if ((statusCode === 403 || statusCode === 429) && isPlainText(headers)) {
      beginWithFirstBytes(response, statusCode, headers);
    } else {
      begin(statusCode, headers, true);
      pass(response);
    }
  }

  function begin(statusCode: number, headers: string[], withBody: boolean): void {
    status = statusCode;
    responseHeaders = headers;
    try {
      sendHead(agent, statusCode, headers, withBody);
    } catch {
      refuse(badAnswer('its header fields cannot be passed on'));
    }
  }

  /** Whose refusal it is shows in the first bytes, and the mark has to stand before them. */
  function beginWithFirstBytes(response: IncomingMessage, statusCode: number, headers: string[]): void {
    response.once('readable', () => {
      if (isOver) return;
      const first: unknown = response.read();
      if (Buffer.isBuffer(first)) {
        if (upstream.refused(statusCode, first)) {
          fault = 'refused-by-upstream';
          headers.push(refusedBy, upstream.name);
        }
        response.unshift(first);
      }
      begin(statusCode, headers, true);
      pass(response);
    });
  }

  function pass(response: IncomingMessage): void {
    if (isOver) return;
    output.on('drain', resumeAnswer);
    response.on('data', receive);
    response.on('end', received);
    response.resume();
    // After the tick that brings what has arrived of the body already.
    process.nextTick(flushHead, agent);
  }

  function receive(chunk: Buffer): void {
    receivedBytes += chunk.length;
    waitingSince = performance.now();
    if (!output.write(chunk)) incoming?.pause();
  }

  function resumeAnswer(): void {
    waitingSince = performance.now();
    incoming?.resume();
  }

  function received(): void {
    if (isOver || incoming === undefined) return;
    finish(agent, trailersBack(allowed.answerHeaders(incoming.rawTrailers)));
    stopUpload();
  }

  /** The answer is complete: what the agent still has to say interests nobody. */
  function stopUpload(): void {
    if (hasArrived(agent)) return;
    input.removeListener('data', send);
    request?.destroy();
    discardRest(agent, limits.linger_ms);
  }

  function upstreamFailed(error: unknown): void {
    if (isOver || incoming !== undefined || status !== undefined) return;
    if (canRepeat(error)) {
      wasRetried = true;
      depart();
      return;
    }
    refuse(upstreamRefusal(upstream.name, error));
  }

  function canRepeat(error: unknown): boolean {
    if (wasRetried || hasBody || request?.reusedSocket !== true || !repeatable.has(question.method)) return false;
    return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  }

  function brokenOff(): void {
    if (isOver || verdict.kind === 'refused' || incoming?.complete === true) return;
    fault ??= 'upstream-aborted';
    if (hasBegun(agent)) {
      breakOff(agent);
      return;
    }
    refuse(badAnswer('it broke off'));
  }

  /** Ends the exchange by our own decision: with a reason where there is still room for one. */
  function refuse(refusal: Refused): void {
    if (isOver) return;
    verdict = refusal;
    request?.destroy();
    if (!hasBegun(agent) && !isGone(agent)) status = refusal.status;
    else fault ??= refusal.code;
    input.removeListener('data', send);
    input.removeListener('end', uploaded);
    answerWhole(agent, refusal.status, refusalLine(refusal), plainText, question.method, limits.linger_ms);
  }

  function agentGone(): void {
    over();
  }

  function over(): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(continueTimer);
    engine.open.exchanges -= 1;
    engine.waits.delete(wait);
    if (!wasTaken(agent)) fault ??= 'client-aborted';
    if (incoming?.complete !== true || request?.writableFinished !== true) request?.destroy();
    const duration_ms = performance.now() - startedAt;
    engine.report({ question, verdict, status, sentBytes, receivedBytes, duration_ms, fault, responseHeaders });
    whenOver();
  }

  function look(now: number): void {
    const waited = now - waitingSince;
    if (verdict.kind !== 'allowed') return;
    if (incoming === undefined && request?.socket?.connecting !== false) {
      if (waited > limits.connect_ms) timeOut(504, 'upstream-timeout', `${upstream.name} did not take the connection`);
    } else if (isUploading && incoming === undefined) {
      lookAtUpload(now, waited);
    } else if (incoming === undefined) {
      if (waited > limits.answer_ms)
        timeOut(504, 'answer-timeout', `no answer within ${limits.answer_ms / 1000} seconds`);
    } else if (output.writableNeedDrain) {
      if (waited > limits.agentStall_ms) timeOut(504, 'client-timeout', 'the answer was not read');
    } else if (waited > limits.answerIdle_ms) {
      timeOut(504, 'answer-timeout', `the answer stopped for ${limits.answerIdle_ms / 1000} seconds`);
    }
  }

  function lookAtUpload(now: number, waited: number): void {
    if (request?.writableNeedDrain === true) {
      if (waited > limits.answer_ms)
        timeOut(504, 'upstream-timeout', `${upstream.name} stopped taking the request body`);
    } else if (waited > limits.uploadWindow_ms) {
      if (windowBytes < limits.uploadFloorBytes) timeOut(408, 'request-timeout', 'the request body arrives too slowly');
      waitingSince = now;
      windowBytes = 0;
    }
  }

  function timeOut(code: Refused['status'], name: string, reason: string): void {
    fault = 'timeout';
    refuse({ kind: 'refused', status: code, code: name, reason });
  }
}

function badAnswer(reason: string): Refused {
  return { kind: 'refused', status: 502, code: 'bad-answer', reason: `the answer is not passed on: ${reason}` };
}
