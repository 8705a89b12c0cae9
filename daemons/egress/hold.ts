import { answerWhole, sendContinue } from './agent-side.ts';
import type { Arrived, Asked } from './asked.ts';
import { type Engine, plainText, refusalLine, reportAnswered, reportGone, settled } from './engine.ts';
import type { Held, Refused, Verdict } from './verdict.ts';

/** Ends what is under way when the agent's connection is gone. */
type End = () => void;

/** How a request goes on once nothing keeps it any more. */
export interface Kept<T> {
  readonly engine: Engine;
  readonly asked: Asked;
  readonly startedAt: number;
  /** Called where it does not go on. */
  readonly whenOver: () => void;
  readonly goOn: (with_: T) => End | undefined;
}

/** Keeps a request until a person has decided. What has not been read of its body stays in the buffers of its connection. */
export function whileHeld(held: Held, { engine, asked, startedAt, whenOver, goOn }: Kept<Verdict>): End {
  const { signal, release, end } = keep({ engine, asked, startedAt, whenOver, goOn });
  void settled(engine, asked.question, held, signal).then(release);
  return end;
}

/**
 * Reads the body of a request before it goes out, so that it can be held for what is in it. One that is longer than may be kept goes on
 * with what was read, and the rest after it.
 */
export function collectBody({ engine, asked, startedAt, whenOver, goOn }: Kept<Arrived>): End {
  const { limits, open } = engine;
  const { input } = asked.agent;
  const pieces: Buffer[] = [];
  let size = 0;
  const { release, end } = keep<Arrived | undefined>({
    engine,
    asked,
    startedAt,
    whenOver() {
      stop();
      whenOver();
    },
    goOn(arrived) {
      stop();
      if (arrived !== undefined) return goOn(arrived);
      const { question, agent } = asked;
      answerWhole(agent, 408, refusalLine(TOO_SLOW), plainText, question.method, limits.linger_ms);
      reportAnswered(engine, question, TOO_SLOW, startedAt);
      whenOver();
      return undefined;
    },
  });
  const timer = setTimeout(() => release(undefined), limits.uploadWindow_ms);

  function stop(): void {
    clearTimeout(timer);
    input.removeListener('data', take);
    input.removeListener('end', whole);
    open.heldBytes -= size;
    size = 0;
  }

  function take(piece: Buffer): void {
    pieces.push(piece);
    size += piece.length;
    open.heldBytes += piece.length;
    if (size <= limits.heldBodyBytes && open.heldBytes <= limits.heldBytes) return;
    input.pause();
    release({ bytes: Buffer.concat(pieces), isWhole: false });
  }

  function whole(): void {
    release({ bytes: Buffer.concat(pieces), isWhole: true });
  }

  if (asked.expectsContinue) sendContinue(asked.agent);
  input.on('data', take);
  input.on('end', whole);
  return end;
}

const TOO_SLOW: Refused = {
  kind: 'refused',
  status: 408,
  code: 'request-timeout',
  reason: 'the request body arrives too slowly',
};

/** Counts a request among those under way until it is released, once, or its agent leaves. */
function keep<T>({ engine, asked, startedAt, whenOver, goOn }: Kept<T>) {
  const { input, output } = asked.agent;
  const gone = new AbortController();
  let next: End | undefined;
  let isOver = false;
  engine.open.exchanges += 1;
  output.on('close', leave);
  output.on('error', leave);
  if (asked.agent.version === 1) input.on('error', leave);

  function letGo(): boolean {
    if (isOver) return false;
    isOver = true;
    engine.open.exchanges -= 1;
    output.removeListener('close', leave);
    return true;
  }

  function leave(): void {
    if (!letGo()) return;
    gone.abort();
    reportGone(engine, asked.question, startedAt);
    whenOver();
  }

  return {
    signal: gone.signal,
    release(value: T): void {
      if (letGo()) next = goOn(value);
    },
    end: (): void => (isOver ? next?.() : leave()),
  };
}
