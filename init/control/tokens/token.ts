import { hash, timingSafeEqual } from 'node:crypto';
import type { TokenSource } from '../../bundle/control.ts';
import type { TokenName, TokenStatus } from '../../status.ts';
import { kindOf, nameOf, type ReadToken } from './read-token.ts';

/** One bearer token: what its source last said, kept until it says something else. */
export interface Token {
  readonly name: TokenName;
  /** Its source has answered at least once. */
  known(): boolean;
  /** True for this token; in the same time for any other text. Never where the source has not answered yet. */
  matches(given: string): boolean;
  /** True where both are known and the same. */
  equals(other: Token): boolean;
  /** Before a token is judged: what costs little to read is read anew. */
  look(): Promise<void>;
  /** After a text that matches nothing: the source may know a newer one. Asks it, unless it was asked a moment ago. */
  doubt(): Promise<void>;
  /** SHA-256 of the token. */
  digest(): Buffer | undefined;
  status(): TokenStatus;
  close(): void;
}

export interface TokenOptions {
  readonly name: TokenName;
  readonly source: TokenSource;
  /** Rejects with an `Error` of one line. */
  readonly read: (source: TokenSource, signal: AbortSignal) => Promise<ReadToken>;
  /** Told what must be in no log, before the token is in force. */
  readonly onSecrets: (secrets: readonly string[]) => void;
  /** Told once of each change: that it fails, that it works again, that the token is another. */
  readonly onChange: (level: 'info' | 'warn', text: string) => void;
  readonly timing: Timing;
}

/** All in ms. */
export interface Timing {
  readonly now: () => number;
  /** On top of `refresh`, so that many inits do not ask at one time. */
  readonly jitter: () => number;
  /** How long a source may take. */
  readonly timeout: number;
  /** Between two questions that a wrong token gives rise to. */
  readonly doubtAfter: number;
}

/** Seconds of jitter, time-out and pause of the original (status panel, compose agent). */
export const TIMING: Timing = {
  now: Date.now,
  jitter: () => 5_000 + 4_000 * Math.random(),
  timeout: 10_000,
  doubtAfter: 10_000,
};

/** A source that has never answered, Vault before it is up, is asked again after this, then after twice that, and so on, in ms. */
const FIRST_RETRY = 1_000;

/** Begins to read a token, and reads it anew on a timer of its own. */
export function createToken({ name, source, read, onSecrets, onChange, timing }: TokenOptions): Token {
  const closing = new AbortController();
  let digest: Buffer | undefined;
  let ok: boolean | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let answeredAt: number | undefined;
  let failures = 0;
  let secrets: readonly string[] = [];
  let refreshing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  void refresh();

  function refresh(): Promise<void> {
    refreshing ??= ask().finally(() => {
      refreshing = undefined;
      schedule();
    });
    return refreshing;
  }

  async function ask(): Promise<void> {
    askedAt = timing.now();
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timing.timeout)]);
    try {
      accept(await read(source, signal));
    } catch (error) {
      if (!closing.signal.aborted) refuse(error instanceof Error ? error.message : String(error));
    }
  }

  function accept(given: ReadToken): void {
    const before = digest;
    const made = hash('sha256', given.value, 'buffer');
    const isNew = before === undefined || !timingSafeEqual(before, made);
    if (isNew || !given.secrets.every((secret) => secrets.includes(secret))) {
      // The earlier ones stay masked as well: requests that were under way may still name them.
      onSecrets([...given.secrets, ...secrets]);
      secrets = given.secrets;
    }
    digest = made;
    answeredAt = timing.now();
    if (before === undefined) onChange('info', `the ${name} token is known, from ${nameOf(source)}`);
    else if (isNew) onChange('info', `the ${name} token is another now, from ${nameOf(source)}; the old one is void`);
    else if (ok === false) onChange('info', `the ${name} token can be refreshed again, from ${nameOf(source)}`);
    ok = true;
  }

  function refuse(why: string): void {
    failures += 1;
    const then =
      digest === undefined
        ? 'nobody gets in by it until its source answers'
        : 'the one that is known stays in force, and it is tried again';
    if (ok !== false) onChange('warn', `the ${name} token cannot be refreshed: ${why}; ${then}`);
    ok = false;
  }

  function schedule(): void {
    clearTimeout(timer);
    // The environment of a process does not change: there is nothing to come back for.
    if (closing.signal.aborted || (source.environment !== undefined && digest !== undefined)) return;
    const soon = Math.min(source.refresh, FIRST_RETRY * 2 ** Math.min(failures - 1, 20));
    timer = setTimeout(() => void refresh(), digest === undefined ? soon : source.refresh + timing.jitter()).unref();
  }

  return {
    name,
    known: () => digest !== undefined,
    matches: (given) => digest !== undefined && timingSafeEqual(hash('sha256', given, 'buffer'), digest),
    equals(other) {
      const theirs = other.digest();
      return digest !== undefined && theirs !== undefined && timingSafeEqual(digest, theirs);
    },
    async look() {
      if (source.file === undefined) return;
      // One that began before this request may have read the file as it was.
      await refreshing;
      await refresh();
    },
    async doubt() {
      if (refreshing === undefined && timing.now() - askedAt < timing.doubtAfter) return;
      await refresh();
    },
    digest: () => digest,
    status: () => ({
      name,
      source: kindOf(source),
      known: digest !== undefined,
      last_refresh_ok: ok,
      age_ms: answeredAt === undefined ? null : Math.max(0, timing.now() - answeredAt),
      refresh_failures: failures,
    }),
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}
