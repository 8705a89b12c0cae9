import { covered } from '../../known-secrets/cover.ts';
import { type NamedSecret, SHORTEST_FORM } from '../../known-secrets/forms.ts';
import { matcherOf } from '../../known-secrets/matcher.ts';
import type { Scanner } from '../../scanner/finding.ts';
import { createEffort } from './effort.ts';
import type { ForeignSecrets } from './foreign-secrets.ts';
import { isList, isObject, type JsonValue } from './json.ts';
import { withValuesChanged } from './json-path.ts';
import type { Redaction } from './judge.ts';

/** Takes secrets out of values that are on their way to a client. */
export interface Redactor {
  /**
   * Hides every known secret. `value` itself where there is none. Throws where the value is nested too deep, or where it is not known what is
   * secret.
   */
  known(value: JsonValue): JsonValue;
  /** Withholds each text in which the scanner finds something. Rejects where the scan could not be finished. Undefined: there is no scanner. */
  readonly scanned: ((value: JsonValue) => Promise<JsonValue>) | undefined;
  /** The text with each known secret hidden: for logs. */
  mask(text: string): string;
}

export interface RedactorOptions {
  /** Secrets that are held here. */
  readonly secrets: readonly NamedSecret[];
  /** Those of other daemons. */
  readonly foreign?: ForeignSecrets | undefined;
  readonly scanner?: Scanner | undefined;
  /** false: known secrets are hidden in logs only. Default true. */
  readonly hidesKnown?: boolean;
}

/** A redactor of known secrets, and of what the scanner finds. */
export function createRedactor({ secrets, foreign, scanner, hidesKnown = true }: RedactorOptions): Redactor {
  const { find } = matcherOf(secrets);
  const cover = (text: string): string => covered(text, find, ({ name }) => `[redacted: ${name}]`);

  function known(value: JsonValue): JsonValue {
    if (!hidesKnown) return value;
    const own = secrets.length > 0 ? withTexts(value, cover) : value;
    const hider = foreign?.hider();
    // Most values hold none, and one look at the whole tells.
    if (hider === undefined || !hider.isIn(allTexts(own))) return own;
    const made = withTexts(own, hider.hide);
    if (hider.isIn(allTexts(made))) throw new Error('it holds a known secret across several of its texts');
    return made;
  }

  /** For logs: while the fingerprints cannot be read, what is known is hidden. */
  function mask(text: string): string {
    const made = cover(text);
    try {
      return foreign?.hider().hide(made) ?? made;
    } catch {
      return made;
    }
  }

  return {
    known,
    scanned: scanner === undefined ? undefined : (value) => withFindingsWithheld(scanner, value),
    mask,
  };
}

/** Hides what one rule names: values at paths, and matches of patterns in any text. Throws where the value is nested too deep. */
export function redactByRule(value: JsonValue, { paths, patterns }: Redaction): JsonValue {
  const atPaths = paths.reduce<JsonValue>((made, path) => withValuesChanged(made, path, () => REDACTED), value);
  if (patterns.length === 0) return atPaths;
  const effort = createEffort();
  return withTexts(atPaths, (text) =>
    patterns.reduce((made, pattern) => {
      effort.spend(pattern, made);
      return pattern.test(made) ? pattern.matcher(made).replaceAll(REDACTED) : made;
    }, text),
  );
}

const REDACTED = '[redacted]';

/** A copy with every text changed, names of keys and long numbers as well; the value itself where nothing changes. */
function withTexts(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === 'string') return change(value);
  if (isLikeSecret(value)) {
    const text = String(value);
    const made = change(text);
    return made === text ? value : made;
  }
  if (isList(value)) {
    const items = value.map((item) => withTexts(item, change));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (!isObject(value)) return value;
  let isSame = true;
  const entries = Object.entries(value).map(([key, item]): [string, JsonValue] => {
    const made: [string, JsonValue] = [change(key), withTexts(item, change)];
    isSame &&= made[0] === key && made[1] === item;
    return made;
  });
  return isSame ? value : Object.fromEntries(entries);
}

/** A number may be a secret that is all digits; no shorter one is looked for. */
function isLikeSecret(value: JsonValue): value is number {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) >= 10 ** (SHORTEST_FORM - 1);
}

/** More texts than this with findings are not told apart: the whole is withheld. */
const MOST_TEXTS = 200;

/**
 * A clean value costs one scan. Otherwise each text is scanned by itself, and one with a finding goes as a whole: where a secret ends is not known.
 */
async function withFindingsWithheld(scanner: Scanner, value: JsonValue): Promise<JsonValue> {
  const whole = await scan(scanner, JSON.stringify(value));
  if (whole === undefined) return value;
  const texts = new Set(textsIn(value));
  if (texts.size > MOST_TEXTS) throw new Error(`it holds ${whole}, and too many texts to tell in which`);
  const withheld = new Map<string, string>();
  for (const text of texts) {
    const found = await scan(scanner, text);
    if (found !== undefined) withheld.set(text, `[withheld by policy: ${found}]`);
  }
  // What only the whole shows (a secret across several texts) cannot be taken out of one of them.
  if (withheld.size === 0) throw new Error(`it holds ${whole}`);
  const cleaned = withTexts(value, (text) => withheld.get(text) ?? text);
  if ((await scan(scanner, JSON.stringify(cleaned))) !== undefined) throw new Error(`it holds ${whole}`);
  return cleaned;
}

/** What was found, for a person; undefined where the text is clean. */
async function scan(scanner: Scanner, text: string): Promise<string | undefined> {
  const result = await scanner.scan(Buffer.from(text));
  if (!result.ok) throw new Error(`it could not be scanned: ${result.reason}`);
  const [first] = result.findings;
  if (first === undefined) return result.unlisted > 0 ? 'a secret' : undefined;
  const more = result.findings.length + result.unlisted - 1;
  return more === 0 ? first.what : `${first.what} and ${more} more`;
}

/** All texts below one another, as they are: in JSON they would be escaped once more. */
function allTexts(value: JsonValue): string {
  return [...textsIn(value)].join('\n');
}

function* textsIn(value: JsonValue): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (isLikeSecret(value)) yield String(value);
  else if (isList(value)) for (const item of value) yield* textsIn(item);
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) {
      yield key;
      yield* textsIn(item);
    }
  }
}
