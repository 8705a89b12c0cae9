import * as z from 'zod/mini';
import { apiErrorOf, parseJson } from './exchange.ts';
import { SidecarLlmError } from './fault.ts';

/** In what form an answer is wanted. `json`: any JSON object. A schema: JSON of this shape, which vLLM makes its model keep to. */
export type AnswerFormat = 'text' | 'json' | { readonly name: string; readonly schema: object };

/** A question, as it is sent. */
export interface Question {
  readonly model: string;
  readonly systemMessage: string;
  readonly userMessage: string;
  readonly format: AnswerFormat;
  readonly isStream: boolean;
  /** Most tokens of the answer; undefined leaves it to the server. */
  readonly mostTokens: number | undefined;
  readonly temperature: number | undefined;
}

/** The body of `POST /chat/completions` of the OpenAI API. */
export function requestOf(question: Question): object {
  const { model, systemMessage, userMessage, format, isStream, mostTokens, temperature } = question;
  return {
    model,
    messages: [
      { role: 'system', content: systemMessage },
      { role: 'user', content: userMessage },
    ],
    ...(isStream ? { stream: true } : {}),
    ...(mostTokens === undefined ? {} : { max_tokens: mostTokens }),
    ...(temperature === undefined ? {} : { temperature }),
    ...responseFormat(format),
  };
}

function responseFormat(format: AnswerFormat): object {
  if (format === 'text') return {};
  if (format === 'json') return { response_format: { type: 'json_object' } };
  return { response_format: { type: 'json_schema', json_schema: { ...format, strict: true } } };
}

const finish = z.nullish(z.string());
const content = z.nullish(z.string());

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content }), finish_reason: finish })),
});

/** The text of a completion. Throws where there is none. */
export function textOf(body: string): string {
  const value = parseJson(body);
  const parsed = completionSchema.safeParse(value);
  const message = parsed.success ? undefined : apiErrorOf(value);
  if (message !== undefined) throw new SidecarLlmError({ kind: 'refused', status: 200, detail: message });
  if (!parsed.success) throw new SidecarLlmError({ kind: 'malformed', detail: 'it is no chat completion' });
  const [choice] = parsed.data.choices;
  const text = choice?.message.content ?? '';
  if (text === '') throw new SidecarLlmError({ kind: 'empty', finish: choice?.finish_reason ?? undefined });
  return text;
}

const chunkSchema = z.object({ choices: z.array(z.object({ delta: z.object({ content }), finish_reason: finish })) });

/** One event of a stream. `isLast`: the model has said why it ends. */
export function pieceOf(data: string): { readonly text: string; readonly isLast: boolean } {
  const value = parseJson(data);
  const message = apiErrorOf(value);
  if (message !== undefined) throw new SidecarLlmError({ kind: 'refused', status: 200, detail: message });
  const parsed = chunkSchema.safeParse(value);
  if (!parsed.success) throw new SidecarLlmError({ kind: 'malformed', detail: 'an event is no piece of a completion' });
  const [choice] = parsed.data.choices;
  return { text: choice?.delta.content ?? '', isLast: (choice?.finish_reason ?? null) !== null };
}

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

/** The names in an answer of `GET /models`. */
export function modelsOf(body: string): readonly string[] {
  const parsed = modelsSchema.safeParse(parseJson(body));
  if (!parsed.success) throw new SidecarLlmError({ kind: 'malformed', detail: 'it is no list of models' });
  return parsed.data.data.map(({ id }) => id);
}
