import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type MockRequest, plainAnswer, requestSchema } from './answer.ts';

/** How the mock behaves about one question. */
export type MockAnswer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string; readonly message?: string }
  /** The connection breaks: at once, or behind so many tokens of a stream. */
  | { readonly kind: 'drop'; readonly afterTokens: number }
  | { readonly kind: 'empty' }
  /** 200, and this as it is. */
  | { readonly kind: 'raw'; readonly body: string }
  /** Takes the question and never answers. */
  | { readonly kind: 'silent' };

export interface MockOptions {
  /** Names that can be asked; another one is answered with 404, as vLLM does. */
  readonly models: readonly string[];
  /** Until it is true everything is answered with 503. Default: from the beginning. */
  readonly isWarm?: () => boolean;
  /** Between two tokens of a stream, in milliseconds. Default 0. */
  readonly tokenPause_ms?: number;
  /** Clients must show it, where it is given. */
  readonly apiKey?: string;
  /** `nth`: from 0, counts the questions that were taken. Default: {@link plainAnswer}. */
  readonly answer?: (request: MockRequest, nth: number) => MockAnswer;
}

const LARGEST_BODY = 4 * 1024 * 1024;

/** A model server without a model: `/health`, `/v1/models` and `/v1/chat/completions` of the OpenAI API as vLLM serves them. */
export function createMockModel(options: MockOptions): Server {
  const { models, isWarm = () => true, tokenPause_ms = 0, apiKey } = options;
  const { answer = (request) => ({ kind: 'text', text: plainAnswer(request) }) } = options;
  let taken = 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://mock');
    const text = await bodyOf(request);
    if (!isWarm()) return sendError(response, 503, 'the model is being loaded');
    if (pathname === '/health') {
      response.end();
      return;
    }
    if (apiKey !== undefined && request.headers.authorization !== `Bearer ${apiKey}`) {
      return sendError(response, 401, 'Unauthorized');
    }
    if (pathname === '/v1/models') {
      const data = models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'mock' }));
      return send(response, { object: 'list', data });
    }
    if (pathname !== '/v1/chat/completions') return sendError(response, 404, 'Not Found');
    if (request.method !== 'POST') return sendError(response, 405, 'Method Not Allowed');
    const asked = text === undefined ? undefined : requestSchema.safeParse(jsonOf(text)).data;
    if (asked === undefined) return sendError(response, 400, 'the body is no chat completion request');
    if (!models.includes(asked.model)) {
      return sendError(response, 404, `The model \`${asked.model}\` does not exist.`);
    }
    await reply(response, asked, answer(asked, taken++));
  }

  async function reply(response: ServerResponse, { model, stream }: MockRequest, made: MockAnswer): Promise<void> {
    switch (made.kind) {
      case 'text':
        if (stream) return sendTokens(response, model, tokensOf(made.text), false);
        return send(response, completion(model, made.text));
      case 'empty':
        if (stream) return sendTokens(response, model, [], false);
        return send(response, completion(model, null));
      case 'status':
        if (made.retryAfter !== undefined) response.setHeader('retry-after', made.retryAfter);
        return sendError(response, made.status, made.message ?? 'as it was told to');
      case 'raw':
        response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
        response.end(made.body);
        return;
      case 'drop':
        if (stream) return sendTokens(response, model, Array<string>(made.afterTokens).fill('token '), true);
        response.destroy();
        return;
      case 'silent':
        return;
    }
  }

  async function sendTokens(
    response: ServerResponse,
    model: string,
    tokens: readonly string[],
    isDropped: boolean,
  ): Promise<void> {
    response.setHeader('content-type', 'text/event-stream');
    const event = (delta: object, finish: string | null): string =>
      `data: ${JSON.stringify({ ...head(model), object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    response.write(event({ role: 'assistant', content: '' }, null));
    for (const content of tokens) {
      if (response.destroyed) return;
      response.write(event({ content }, null));
      if (tokenPause_ms > 0) await pause(tokenPause_ms);
    }
    if (!isDropped) {
      response.end(`${event({}, 'stop')}data: [DONE]\n\n`);
      return;
    }
    // What is written must have left before the connection breaks, or the client would never see it.
    response.write(':\n', () => response.destroy());
  }

  return createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
}

function completion(model: string, content: string | null): object {
  const message = { role: 'assistant', content };
  return {
    ...head(model),
    object: 'chat.completion',
    choices: [{ index: 0, message, finish_reason: 'stop' }],
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  };
}

function head(model: string): object {
  return { id: 'chatcmpl-mock', created: 0, model };
}

/** Words with the spaces behind them. */
function tokensOf(text: string): readonly string[] {
  return text.match(/\S+\s*|\s+/g) ?? [];
}

function send(response: ServerResponse, body: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

function sendError(response: ServerResponse, status: number, message: string): void {
  response.statusCode = status;
  send(response, { error: { message, type: 'MockError', param: null, code: status } });
}

/** Undefined where it is too large. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size <= LARGEST_BODY) chunks.push(bytes);
  }
  return size <= LARGEST_BODY ? Buffer.concat(chunks).toString() : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
