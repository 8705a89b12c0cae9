import { get } from 'node:http';

const ANSWER_MS = 2_000;
const MOST_BYTES = 8 * 1024 * 1024;

export interface Question {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a daemon answers as JSON; undefined where it does not answer in 2 s, or without JSON. */
export async function askJson(question: Question): Promise<unknown> {
  return parsed((await askText(question)) ?? '');
}

/** What a daemon answers; undefined where it does not in 2 s. */
export function askText({ host, port, path, headers = {} }: Question): Promise<string | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const asked = get({ host, port, path, headers, agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > MOST_BYTES) asked.destroy();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(text));
    });
    asked.on('error', () => resolve(undefined));
  });
}

/** A member of a JSON object, where it is a text. */
export function textIn(value: unknown, name: string): string | undefined {
  const member: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return typeof member === 'string' ? member : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
