import type { ControlTokens } from '../../bundle/control.ts';
import type { TokenStatus } from '../../status.ts';
import type { Access } from '../route.ts';
import { readToken } from './read-token.ts';
import { createToken, TIMING, type Timing, type Token } from './token.ts';

/** What a bearer token is worth: what it may do, or why it may not. */
export type Worth =
  | { readonly may: readonly Access[]; readonly who: string }
  /** No token is this one. */
  | 'wrong'
  /** No token that is known is this one, and a source has not answered yet. */
  | 'unknown';

/** The bearer tokens of the TCP listener. */
export interface Tokens {
  /** What any of them could be good for. */
  readonly offers: readonly Access[];
  judge(given: string): Promise<Worth>;
  status(): readonly TokenStatus[];
  close(): void;
}

export interface TokensOptions {
  readonly sources: ControlTokens;
  /** Told all that must be in no log; each call replaces the one before. */
  readonly onSecrets: (secrets: readonly string[]) => void;
  readonly onChange: (level: 'info' | 'warn', text: string) => void;
  readonly timing?: Partial<Timing>;
}

const MAY = { read: ['health', 'read'], operate: ['health', 'read', 'operate'] } as const;

/** Begins to read the tokens, each from its own source and on its own timer; undefined where the bundle names none. */
export function createTokens({ sources, onSecrets, onChange, timing }: TokensOptions): Tokens | undefined {
  const hidden = new Map<string, readonly string[]>();
  const tokens: Token[] = [];
  for (const name of ['read', 'operate'] as const) {
    const source = sources[name];
    if (source === undefined) continue;
    const hide = (secrets: readonly string[]): void => {
      hidden.set(name, secrets);
      onSecrets([...hidden.values()].flat());
    };
    const options = { name, source, read: readToken, onSecrets: hide, onChange, timing: { ...TIMING, ...timing } };
    tokens.push(createToken(options));
  }
  if (tokens.length === 0) return undefined;
  let same = false;

  /** The one that it is: each is compared, so that the time tells nothing. Of two that are the same, the lesser. */
  function find(given: string): Token | undefined {
    const matching = tokens.filter((token) => token.matches(given));
    return matching[0];
  }

  /** One text for both would let everybody who may look give commands. */
  function tellSame(): void {
    const [first, second] = tokens;
    const are = first !== undefined && second !== undefined && first.equals(second);
    if (are && !same) onChange('warn', 'both tokens are the same text, which is good for reading only; make two');
    same = are;
  }

  return {
    offers: [...new Set(tokens.flatMap(({ name }) => [...MAY[name]]))],
    async judge(given) {
      await Promise.all(tokens.map((token) => token.look()));
      let found = find(given);
      if (found === undefined) {
        await Promise.all(tokens.map((token) => token.doubt()));
        found = find(given);
      }
      tellSame();
      if (found !== undefined) return { may: MAY[found.name], who: `${found.name} token` };
      return tokens.every((token) => token.known()) ? 'wrong' : 'unknown';
    },
    status: () => tokens.map((token) => token.status()),
    close() {
      for (const token of tokens) token.close();
    },
  };
}
