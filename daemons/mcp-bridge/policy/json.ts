/** A JSON value as `JSON.parse` gives it. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** What can be asked of a parsed text: `undefined` where it is no JSON. Never throws. */
export function parseJson(text: string): JsonValue | undefined {
  try {
    // `JSON.parse` says `any`; what it makes of a text without a reviver is a JSON value.
    const value: JsonValue = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** Levels of maps and lists in one another. More have no honest use, and cost far more time than as many bytes of any other text. */
export const MOST_LEVELS = 256;

/** Whether a text, if it is JSON, is nested deeper than {@link MOST_LEVELS}. Takes one look at each character. */
export function isTooDeep(text: string): boolean {
  let levels = 0;
  let isQuoted = false;
  for (let at = text.length <= MOST_LEVELS ? text.length : 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (isQuoted) {
      if (character === BACKSLASH) at += 1;
      else if (character === QUOTE) isQuoted = false;
    } else if (character === QUOTE) isQuoted = true;
    else if (character === BRACKET || character === BRACE) {
      levels += 1;
      if (levels > MOST_LEVELS) return true;
    } else if (character === BRACKET + 2 || character === BRACE + 2) levels -= 1;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Each is closed by the character after the next in ASCII. */
const BRACKET = 0x5b;
const BRACE = 0x7b;

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !isList(value);
}

export function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The object, or one without keys where it is none. */
export function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/** The text, or an empty one where it is none. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
