import type { Log } from '../../log/log.ts';
import type { SidecarLlmClient } from '../../model/client.ts';
import { SidecarLlmError } from '../../model/fault.ts';
import type { Scanner } from '../../scanner/finding.ts';
import { printable } from '../../text/printable.ts';
import { fitForLog } from '../incident-draft.ts';
import type { Proposal } from '../proposal.ts';
import type { Desk } from '../queue/desk.ts';
import { opinionOf } from './answer.ts';
import { type ModelState, watchModel } from './model-watch.ts';
import { ANSWER_SCHEMA, questionAbout } from './question.ts';

/** A model's advice about what waits for the operator. It decides nothing, and nothing waits for it. */
export interface SecondOpinions {
  readonly state: ModelState;
  /** How many were given, and about how many proposals there is none. */
  readonly counts: { readonly given: number; readonly none: number };
  close(): Promise<void>;
}

export interface SecondOpinionsOptions {
  readonly client: SidecarLlmClient;
  /** The name by which the model is asked. */
  readonly model: string;
  readonly deadline_ms: number;
  readonly desk: Desk;
  readonly scanner: Scanner;
  readonly log: Log;
}

/** Questions at the same time. */
const MOST_ASKED = 2;
/** How often the model is asked about one proposal, and how long it is left alone after it did not answer. */
const MOST_TRIES = 3;
const PAUSE_MS = 30_000;
const MOST_TOKENS = 400;

interface Tried {
  readonly times: number;
  readonly last: number;
  /** There will be no opinion. */
  readonly isOver: boolean;
}

/** Asks about each proposal that waits and has no opinion yet: when it comes, when the model comes, and after a restart. */
export function startSecondOpinions(options: SecondOpinionsOptions): SecondOpinions {
  const { client, model, deadline_ms, desk, scanner, log } = options;
  const ending = new AbortController();
  const underWay = new Map<string, Promise<void>>();
  const tried = new Map<string, Tried>();
  const counts = { given: 0, none: 0 };

  const watch = watchModel({
    client,
    onChange: (state, models) => {
      tellState(log, state, model, models);
      askNext();
    },
  });
  const unsubscribe = desk.subscribe(askNext);
  const timer = setInterval(askNext, PAUSE_MS);

  function askNext(): void {
    if (watch.state !== 'ready' || ending.signal.aborted) return;
    for (const id of tried.keys()) if (desk.find(id)?.proposal.status !== 'pending') tried.delete(id);
    for (const id of desk.state.entries.keys()) {
      if (underWay.size >= MOST_ASKED) return;
      const proposal = desk.find(id)?.proposal;
      if (proposal === undefined || !isDue(proposal)) continue;
      const asking = ask(proposal).finally(() => {
        underWay.delete(id);
        askNext();
      });
      underWay.set(id, asking);
    }
  }

  function isDue({ id, kind, status, opinion }: Proposal): boolean {
    if (status !== 'pending' || kind === 'incident' || opinion !== null || underWay.has(id)) return false;
    const before = tried.get(id);
    return before === undefined || (!before.isOver && performance.now() - before.last >= PAUSE_MS);
  }

  async function ask(proposal: Proposal): Promise<void> {
    const { id } = proposal;
    try {
      const given = await answerTo(proposal);
      if (typeof given === 'string') return note(id, given, true);
      const reason = await fitForLog(scanner, given.reason);
      const advised = await desk.advise(id, { risk: given.risk, reason, model });
      if (!advised.ok) return note(id, advised.detail, true);
      counts.given++;
    } catch (error) {
      if (ending.signal.aborted) return;
      note(id, error instanceof Error ? error.message : String(error), !isWorthAnotherTry(error));
    }
  }

  /** The opinion, or why there is none. */
  async function answerTo(proposal: Proposal): Promise<NonNullable<ReturnType<typeof opinionOf>> | string> {
    const question = questionAbout(proposal);
    if (question === undefined) return 'it is too long to ask a model about';
    const answer = await client.prompt(question.systemMessage, question.userMessage, {
      format: { name: 'opinion', schema: ANSWER_SCHEMA },
      deadline_ms,
      mostTokens: MOST_TOKENS,
      temperature: 0,
      signal: ending.signal,
    });
    return opinionOf(answer) ?? 'the answer is not what was asked for';
  }

  function note(id: string, reason: string, isFinal: boolean): void {
    const times = (tried.get(id)?.times ?? 0) + 1;
    const isOver = isFinal || times >= MOST_TRIES;
    tried.set(id, { times, last: performance.now(), isOver });
    if (!isOver) return;
    counts.none++;
    log('warn', `there is no second opinion on ${id}, which changes nothing for it: ${reason}`, {
      event: 'no-opinion',
      id,
      reason,
    });
  }

  return {
    get state() {
      return watch.state;
    },
    counts,
    async close() {
      ending.abort();
      unsubscribe();
      clearInterval(timer);
      await watch.close();
      await Promise.all(underWay.values());
    },
  };
}

function isWorthAnotherTry(error: unknown): boolean {
  if (!(error instanceof SidecarLlmError)) return false;
  return ['timeout', 'unavailable', 'cut-off'].includes(error.fault.kind);
}

function tellState(log: Log, state: ModelState, model: string, models: readonly string[]): void {
  if (state === 'away') {
    log('warn', 'the model does not answer any more; proposals have no second opinion until it does', {
      event: 'model-away',
    });
    return;
  }
  log('info', `the model is ready: ${model} is asked for a second opinion`, { event: 'model-ready', model });
  if (models.includes(model)) return;
  log('warn', `the model server has no ${model}; it has ${printable(models.slice(0, 10).join(', '))}`, {
    event: 'model-unknown',
    model,
  });
}
