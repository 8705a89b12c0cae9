import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';

/** What an agent gets. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
  /** What the agent trusts, for https. */
  readonly ca?: string;
}

/** Asks for a URL by way of the proxy on `port`, as an agent with HTTP_PROXY and HTTPS_PROXY does. */
export async function askThrough(port: number, url: string, ask: Ask = {}): Promise<Got> {
  const { protocol, hostname, host, pathname, search } = new URL(url);
  const { method = 'GET', body } = ask;
  const headers = { host, ...ask.headers };
  if (protocol === 'http:')
    return answerOf({ agent: false, host: '127.0.0.1', port, path: url, method, headers }, body);
  const target = `${hostname}:${new URL(url).port || 443}`;
  const tunnel = request({ host: '127.0.0.1', port, method: 'CONNECT', path: target, headers: { host: target } });
  tunnel.end();
  const [response, socket]: [IncomingMessage, Socket] = await connected(tunnel);
  if (response.statusCode !== 200) throw new Error(`CONNECT got ${response.statusCode}`);
  const secure = connect({ socket, servername: hostname, ca: ask.ca ?? [] });
  await once(secure, 'secureConnect');
  try {
    return await answerOf({ createConnection: () => secure, path: `${pathname}${search}`, method, headers }, body);
  } finally {
    secure.destroy();
  }
}

/** The PEM of the authority that the proxy on `port` shows. */
export async function authorityOf(port: number): Promise<string> {
  return (await askThrough(port, 'http://egress.internal/ca.pem')).body;
}

async function connected(tunnel: ReturnType<typeof request>): Promise<[IncomingMessage, Socket]> {
  const [response, socket] = await once(tunnel, 'connect');
  return [response, socket];
}

async function answerOf(options: RequestOptions, body: string | Buffer | undefined): Promise<Got> {
  const outgoing = request(options);
  const answered: Promise<IncomingMessage[]> = once(outgoing, 'response');
  // An upload that is refused half-way ends in an error after the answer.
  outgoing.on('error', () => {});
  outgoing.end(body);
  const [response] = await answered;
  if (response === undefined) throw new Error('no answer');
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}
