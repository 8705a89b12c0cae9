import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { authority } from './authority.ts';
import type { Attempt, Finding, HttpTarget } from './check.ts';
import { reason } from './reason.ts';

/** Bytes of an answer's body that are read; of a longer one the rest is not waited for. */
export const BODY_LIMIT = 65_536;

/**
 * One GET on a connection of its own. The status decides: 200 to 399 or the target's list, so a redirect passes as in
 * Kubernetes and is not followed. The body must come to its end (or to `BODY_LIMIT`) in time; a JSON object can say in it
 * `reason`, why it failed, or `warning`, what is to be known although it passed. Anything else is thrown away.
 * Certificates are not verified and no proxy is used: the question is whether this daemon answers.
 */
export async function probeHttp(target: HttpTarget, attempt: Attempt): Promise<Finding> {
  attempt.pending('no answer');
  const request = open(target);
  return new Promise((resolve) => {
    request.on('error', (error) => resolve({ passed: false, said: reason(error) }));
    request.on('response', (response) => resolve(judge(response, target, attempt)));
    request.on('upgrade', (response, socket) => {
      // From here on the socket is ours: Node has taken its own listeners off.
      socket.on('error', () => {});
      socket.destroy();
      resolve(judgeStatus(response, target));
    });
    const close = (): void => void request.destroy();
    if (attempt.signal.aborted) close();
    else attempt.signal.addEventListener('abort', close, { once: true });
    request.end();
  });
}

/** Without the query, which may hold what should not be shown. */
export function nameHttp(target: HttpTarget): string {
  return `GET ${target.scheme}://${authority(target)}${target.path.split('?', 1)[0]}`;
}

/** Both modules load here, not at the start of PID 1, and without `import()`, which a script with a code cache has not. */
function open(target: HttpTarget): ClientRequest {
  const options: RequestOptions = {
    host: target.host,
    port: target.port,
    path: target.path,
    headers: { 'user-agent': 'bottled', accept: '*/*', ...lowerCased(target.headers) },
    agent: false,
  };
  if (target.scheme === 'http') return process.getBuiltinModule('node:http').request(options);
  return process.getBuiltinModule('node:https').request({ ...options, rejectUnauthorized: false });
}

/** So that a header given in bundle.yaml replaces the probe's own however it is written. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function judge(response: IncomingMessage, target: HttpTarget, attempt: Attempt): Finding | Promise<Finding> {
  const finding = judgeStatus(response, target);
  const isJson = JSON_TYPE.test(response.headers['content-type'] ?? '');
  if (!finding.passed && !isJson) {
    response.on('error', () => {});
    return finding;
  }
  attempt.pending(`${finding.said}, but its body did not end`);
  return new Promise((resolve) => {
    const body: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (isJson) body.push(chunk);
      if (bytes >= BODY_LIMIT) resolve(finding);
    });
    response.on('end', () => resolve(isJson ? remarked(finding, Buffer.concat(body).toString()) : finding));
    response.on('error', () => resolve({ passed: false, said: `${finding.said}, but its body broke off` }));
  });
}

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;

/** The finding with what the body says of it. */
function remarked(finding: Finding, body: string): Finding {
  const { reason: why, warning } = objectIn(body);
  if (!finding.passed) return typeof why === 'string' ? { ...finding, said: `${finding.said}: ${why}` } : finding;
  return typeof warning === 'string' ? { ...finding, remark: warning } : finding;
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function judgeStatus(response: IncomingMessage, target: HttpTarget): Finding {
  const status = response.statusCode ?? 0;
  const passed = target.status === undefined ? status >= 200 && status <= 399 : target.status.includes(status);
  return { passed, said: String(status) };
}
