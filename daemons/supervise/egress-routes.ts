import { request } from 'node:http';

/** Longest answer that is read, in bytes: a thousand routes and more. */
const LONGEST = 2 * 1024 * 1024;

/**
 * The routes that are in force, as YAML, as egress tells them at `http://egress.internal/routes` through its proxy port. Rejects with an
 * error for a person where there is no good answer in time.
 */
export function listEgressRoutes(proxy: URL, timeout_ms: number, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const asked = request({
    host: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port === '' ? 80 : proxy.port,
    path: 'http://egress.internal/routes',
    headers: { host: 'egress.internal', accept: 'application/yaml' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeout_ms)]),
    agent: false,
  });
  asked.once('error', (error) => {
    const isLate = error.name === 'TimeoutError' || error.name === 'AbortError';
    const reason = isLate ? `no answer within ${timeout_ms / 1000} s` : error.message;
    reject(new Error(`egress cannot be asked: ${reason}`));
  });
  asked.once('response', (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > LONGEST) asked.destroy(new Error(`its answer is longer than ${LONGEST} bytes`));
    });
    response.once('error', (error) => reject(new Error(`egress cannot be asked: ${error.message}`)));
    response.once('end', () => {
      if (response.statusCode === 200) resolve(Buffer.concat(chunks).toString());
      else reject(new Error(`egress cannot be asked: it answered ${response.statusCode}`));
    });
  });
  asked.end();
  return promise;
}
