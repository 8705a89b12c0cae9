import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { bodyLength } from '../http/framing.ts';
import { firstValue, type RawHeaders } from '../http/headers.ts';
import { textHeaders } from '../http/refusal.ts';

/** One request of the agent and the place of its answer, in either version of HTTP. */
export type AgentSide = OverHttp1 | OverHttp2;

interface OverHttp1 {
  readonly version: 1;
  readonly input: IncomingMessage;
  readonly output: ServerResponse;
}

interface OverHttp2 {
  readonly version: 2;
  readonly input: ServerHttp2Stream;
  readonly output: ServerHttp2Stream;
  /** Trailers of the request, filled when they arrive. */
  readonly trailers: string[];
  /** Trailers of the answer. */
  readonly answerTrailers: string[];
}

/** Whether the answer has begun. */
export function hasBegun(agent: AgentSide): boolean {
  return agent.output.headersSent;
}

/** Whether the whole request has arrived. */
export function hasArrived(agent: AgentSide): boolean {
  return agent.version === 1 ? agent.input.complete : agent.input.readableEnded || agent.input.endAfterHeaders;
}

/** Whether nothing can be answered any more. */
export function isGone(agent: AgentSide): boolean {
  return agent.output.destroyed || agent.output.writableEnded;
}

/** Whether the whole answer was handed over, once its place is closed. */
export function wasTaken({ version, output }: AgentSide): boolean {
  return output.writableFinished && (version === 1 || output.rstCode === constants.NGHTTP2_NO_ERROR);
}

/** Tells the agent to go on with its body (RFC 9110 10.1.1). */
export function sendContinue(agent: AgentSide): void {
  sendInformation(agent, 100, []);
}

/** Sends a 1xx answer before the final one. HTTP/1.0 knows none. */
export function sendInformation(agent: AgentSide, status: number, headers: RawHeaders): void {
  if (isGone(agent) || hasBegun(agent)) return;
  if (agent.version === 2) agent.output.additionalHeaders(asObject(headers, status));
  else if (agent.input.httpVersion !== '1.0') agent.output.writeInformation(status, headers);
}

/**
 * Begins the answer. `headers` are end-to-end; Content-Length among them says how long the body is, without it the body is as long as
 * it turns out. `hasBody` is false for what has none by rule (HEAD, 204, 304). The head leaves with the
 * first piece of the body, or with `flushHead`.
 */
export function sendHead(agent: AgentSide, status: number, headers: RawHeaders, hasBody: boolean): void {
  if (agent.version === 2) {
    const { output } = agent;
    // Trailers come after a body of unknown length only, and to wait for them costs a frame.
    const waitForTrailers = hasBody && firstValue(headers, 'content-length') === undefined;
    if (waitForTrailers) output.once('wantTrailers', () => output.sendTrailers(asObject(agent.answerTrailers)));
    output.respond(asObject(headers, status), { endStream: !hasBody, waitForTrailers });
    return;
  }
  const { output } = agent;
  output.sendDate = false;
  output.writeHead(status, [...headers]);
}

/** Sends what `sendHead` wrote, where no piece of the body has taken it along: one write is cheaper than two. */
export function flushHead(agent: AgentSide): void {
  if (agent.version === 1 && !agent.output.destroyed) agent.output.flushHeaders();
}

/** Ends the answer, with trailers where the framing has room for them. */
export function finish(agent: AgentSide, trailers: RawHeaders): void {
  if (agent.version === 1) {
    if (trailers.length > 0 && agent.output.chunkedEncoding) agent.output.addTrailers(pairs(trailers));
    agent.output.end();
    return;
  }
  agent.answerTrailers.push(...trailers);
  agent.output.end();
}

/** Trailers of the request, once all of it has arrived. */
export function requestTrailers(agent: AgentSide): RawHeaders {
  return agent.version === 1 ? agent.input.rawTrailers : agent.trailers;
}

/** Ends an answer that cannot be completed so that the agent sees that it is not complete. */
export function breakOff(agent: AgentSide): void {
  if (agent.version === 1) agent.output.destroy();
  // With `close` the stream would be ended first, as if this were all of it.
  else agent.output.destroy(new Error('the answer broke off'));
}

/**
 * Answers with a text. A body that is still arriving is read and thrown away for `linger_ms`, so that the agent gets to read the answer
 * before its connection is reset; then the connection ends (in HTTP/2, the stream).
 */
export function answerWhole(
  agent: AgentSide,
  status: number,
  text: string,
  contentType: string,
  method: string,
  linger_ms: number,
): void {
  if (isGone(agent)) return;
  if (hasBegun(agent)) {
    breakOff(agent);
    return;
  }
  const headers = textHeaders({ status, text }, contentType);
  const hasBody = method !== 'HEAD';
  if (agent.version === 2) {
    agent.output.respond(asObject(headers, status), { endStream: !hasBody });
    if (hasBody) agent.output.end(text);
    if (!hasArrived(agent)) agent.output.close(constants.NGHTTP2_NO_ERROR);
    return;
  }
  const { input, output } = agent;
  if (hasArrived(agent) || (bodyLength(input.rawHeaders) ?? 0) === 0) {
    output.writeHead(status, headers);
    output.end(hasBody ? text : undefined);
    return;
  }
  output.writeHead(status, [...headers, 'Connection', 'close']);
  if (hasBody) output.write(text);
  else output.flushHeaders();
  const timer = setTimeout(end, linger_ms);
  timer.unref();
  function end(): void {
    clearTimeout(timer);
    output.end();
  }
  input.removeAllListeners('data');
  input.once('end', end);
  input.once('close', end);
  input.resume();
}

/** Reads and throws away what still arrives of a request that has been answered; ends the connection where that takes too long. */
export function discardRest(agent: AgentSide, linger_ms: number): void {
  if (hasArrived(agent)) return;
  if (agent.version === 2) {
    agent.output.close(constants.NGHTTP2_NO_ERROR);
    return;
  }
  const { input } = agent;
  const timer = setTimeout(() => input.socket.destroy(), linger_ms);
  timer.unref();
  input.once('close', () => clearTimeout(timer));
  input.resume();
}

/** Headers as pairs, as Node takes trailers. */
export function pairs(headers: RawHeaders): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) list.push([headers[i] ?? '', headers[i + 1] ?? '']);
  return list;
}

/** Headers as `node:http2` takes them: names in lower case, what is repeated as a list. */
function asObject(headers: RawHeaders, status?: number): Record<string, string | number | string[]> {
  const object: Record<string, string | number | string[]> = Object.create(null);
  if (status !== undefined) object[':status'] = status;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    const before = object[name];
    if (before === undefined) object[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else object[name] = [String(before), value];
  }
  return object;
}
