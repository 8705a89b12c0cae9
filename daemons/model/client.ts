import { type AnswerFormat, modelsOf, pieceOf, requestOf, textOf } from './completion.ts';
import { eventData } from './event-stream.ts';
import { bodyOf, bounded, exchange, retryable } from './exchange.ts';
import { SidecarLlmError } from './fault.ts';
import { jsonText } from './json-text.ts';
import { startPatience } from './patience.ts';

/** What asks a language model. */
export interface LlmClient {
  prompt(systemMessage: string, userMessage: string): Promise<string>;
}

/**
 * A client of a model server that speaks the OpenAI API, as vLLM does. Every call rejects with a `SidecarLlmError`, and has one
 * deadline for all it takes: a server that is not there yet or warms up is asked again and again until then.
 */
export interface SidecarLlmClient extends LlmClient {
  /** The answer as the model wrote it; for a format of JSON a text that `JSON.parse` takes, without a code fence. */
  prompt(systemMessage: string, userMessage: string, call?: Call): Promise<string>;
  /** The answer piece by piece, as the model writes it. Who stops reading ends the request. Asked again only before the first piece. */
  stream(systemMessage: string, userMessage: string, call?: Call): AsyncIterable<string>;
  /** The names that can stand in `model`: those of the server's model and of its adapters. Resolves when the server is ready. */
  models(call?: Pick<Call, 'deadline_ms' | 'signal'>): Promise<readonly string[]>;
}

/** What can be said of one call. */
export interface Call {
  /** The model or LoRA adapter that answers. */
  readonly model?: string;
  /** Default `text`. */
  readonly format?: AnswerFormat;
  /** For all attempts and the whole answer, in milliseconds. */
  readonly deadline_ms?: number;
  readonly signal?: AbortSignal;
  readonly mostTokens?: number;
  readonly temperature?: number;
}

export interface SidecarLlmOptions {
  /** Default: `LLM_SIDECAR_URL`, else {@link DEFAULT_URL}. */
  readonly baseUrl?: string | URL;
  /** For calls that name none. */
  readonly model: string;
  /** vLLM asks for none unless it is told to. Default `EMPTY`. */
  readonly apiKey?: string;
  /** Of calls that name none, in milliseconds. Default two minutes. */
  readonly deadline_ms?: number;
  /** The longest answer, in bytes as it comes over the wire. Default 1 MiB. */
  readonly mostBytes?: number;
}

/** Where the model server is in a bottle. */
export const DEFAULT_URL = 'http://vllm-sidecar:8000/v1';

const DEADLINE_MS = 120_000;
const MOST_BYTES = 1024 * 1024;

/** Throws a TypeError where the URL is none. */
export function createSidecarLlmClient(options: SidecarLlmOptions): SidecarLlmClient {
  const { model, apiKey = 'EMPTY', deadline_ms = DEADLINE_MS, mostBytes = MOST_BYTES } = options;
  const base = baseOf(options.baseUrl ?? (process.env.LLM_SIDECAR_URL || DEFAULT_URL));

  function questionOf(systemMessage: string, userMessage: string, call: Call, isStream: boolean): object {
    return requestOf({
      model: call.model ?? model,
      systemMessage,
      userMessage,
      format: call.format ?? 'text',
      isStream,
      mostTokens: call.mostTokens,
      temperature: call.temperature,
    });
  }

  async function prompt(systemMessage: string, userMessage: string, call: Call = {}): Promise<string> {
    const body = questionOf(systemMessage, userMessage, call, false);
    const patience = startPatience(call.deadline_ms ?? deadline_ms, call.signal);
    const answer = await patience.untilDone(async (signal) => {
      const url = new URL('chat/completions', base);
      return wholeOf(await exchange({ method: 'POST', url, apiKey, body, signal }), signal);
    });
    const text = textOf(answer);
    return (call.format ?? 'text') === 'text' ? text : jsonText(text);
  }

  async function* stream(systemMessage: string, userMessage: string, call: Call = {}): AsyncGenerator<string> {
    const body = questionOf(systemMessage, userMessage, call, true);
    const patience = startPatience(call.deadline_ms ?? deadline_ms, call.signal);
    const response = await patience.untilDone((signal) =>
      exchange({ method: 'POST', url: new URL('chat/completions', base), apiKey, body, signal }),
    );
    let [isBegun, isOver] = [false, false];
    try {
      for await (const data of eventData(bounded(response, mostBytes))) {
        if (data === '[DONE]') {
          isOver = true;
          break;
        }
        const { text, isLast } = pieceOf(data);
        isOver ||= isLast;
        if (text === '') continue;
        isBegun = true;
        yield text;
      }
      if (!isOver) patience.signal.throwIfAborted();
    } catch (error) {
      const fault = patience.faultOf(error);
      throw fault instanceof SidecarLlmError ? fault : cutOff(error);
    } finally {
      response.destroy();
    }
    if (!isOver) throw new SidecarLlmError({ kind: 'cut-off', detail: 'the stream has no end' });
    if (!isBegun) throw new SidecarLlmError({ kind: 'empty', finish: undefined });
  }

  async function models(call: Pick<Call, 'deadline_ms' | 'signal'> = {}): Promise<readonly string[]> {
    const patience = startPatience(call.deadline_ms ?? deadline_ms, call.signal);
    const answer = await patience.untilDone(async (signal) =>
      wholeOf(await exchange({ method: 'GET', url: new URL('models', base), apiKey, signal }), signal),
    );
    return modelsOf(answer);
  }

  /** A connection that breaks before the answer is whole is asked anew. */
  async function wholeOf(response: Awaited<ReturnType<typeof exchange>>, signal: AbortSignal): Promise<string> {
    try {
      const text = await bodyOf(response, mostBytes);
      // An answer that ends with its connection looks whole where it was broken off here.
      signal.throwIfAborted();
      return text;
    } catch (error) {
      throw retryable(error);
    }
  }

  return { prompt, stream, models };
}

function cutOff(error: unknown): SidecarLlmError {
  return new SidecarLlmError({ kind: 'cut-off', detail: error instanceof Error ? error.message : String(error) });
}

/** With a slash at its end, so that names are below it. */
function baseOf(written: string | URL): URL {
  const url = new URL(written);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError(`${url.protocol} is not http or https`);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
