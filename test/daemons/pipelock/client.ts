import { type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sends the body without a length, in these parts. */
  readonly chunks?: readonly string[];
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Asks a proxy for an absolute URI, as egress does. */
export async function ask(
  port: number,
  uri: string,
  { method, headers = {}, body, chunks }: Asked = {},
): Promise<Answer> {
  const outgoing = open(port, uri, { method: method ?? ((body ?? chunks) ? 'POST' : 'GET'), headers });
  const answered = answerOf(outgoing);
  for (const chunk of chunks ?? []) outgoing.write(chunk);
  if (body === undefined) outgoing.end();
  else outgoing.end(body);
  const answer = await answered;
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts).toString() };
}

export function open(
  port: number,
  uri: string,
  { method, headers }: { method: string; headers: Readonly<Record<string, string>> },
): ClientRequest {
  return request({
    host: '127.0.0.1',
    port,
    path: uri,
    method,
    headers: { Host: new URL(uri).host, ...headers },
    agent: false,
  });
}

export function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    // A refusal may come before the body is sent; writing the rest of it then fails, which is no fault.
    outgoing.on('error', (error) => reject(error));
  });
}
