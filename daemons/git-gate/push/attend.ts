import type { Duplex } from 'node:stream';
import type { Log } from '../../log/log.ts';
import type { Reporter } from '../../reports/reporter.ts';
import type { Scanner } from '../../scanner/finding.ts';
import type { SecondEngine } from '../../scanner/second-engine.ts';
import { printable } from '../../text/printable.ts';
import type { Admitted } from '../gate.ts';
import type { Release } from '../locks.ts';
import type { Settings } from '../settings.ts';
import { isWhole, MOST_QUESTION, parseQuestion } from './hook.ts';
import { judge, type Outcome } from './judge.ts';
import { tellReasons } from './report.ts';

export interface AttendOptions {
  readonly settings: Settings;
  readonly scanner: Scanner;
  readonly secondEngine: SecondEngine | undefined;
  /** Undefined where the operator cannot be asked. */
  readonly reporter: Reporter | undefined;
  readonly log: Log;
}

/** The gate's end of one push: it hears the hook's question, and answers it. */
export interface Attendance {
  /** git has ended. Resolves to what was answered, when nothing of it goes on and the lock is free; undefined: nothing was asked. */
  end(): Promise<Outcome | undefined>;
}

/** Waits for the hook of one push at `channel`. `signal` ends whatever goes on for it. */
export function attendPush(
  channel: Duplex,
  nonce: string,
  admitted: Admitted,
  signal: AbortSignal,
  options: AttendOptions,
): Attendance {
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, ended.signal]);
  let text = '';
  let lock: Release | undefined;
  let answer: Promise<Outcome | undefined> | undefined;

  async function decide(): Promise<Outcome | undefined> {
    lock = await admitted.lock(stop);
    if (stop.aborted) return undefined;
    const { repo, config, path } = admitted;
    const { settings, scanner, secondEngine, reporter } = options;
    const outcome =
      lock === undefined
        ? unanswered('another push to this repository takes too long; try again')
        : await judge(parseQuestion(text, nonce), {
            settings,
            repo,
            config,
            path,
            scanner,
            secondEngine,
            reporter,
            signal: stop,
          });
    if (stop.aborted && !outcome.accepted) return outcome;
    for (const line of outcome.say) channel.write(`say ${printable(line, 2000)}\n`);
    channel.end(outcome.accepted ? 'accept\n' : 'refuse\n');
    return outcome;
  }

  channel.on('error', () => {});
  channel.on('close', () => ended.abort());
  channel.on('data', (chunk: Buffer) => {
    if (answer !== undefined) return;
    text += chunk.toString('latin1');
    if (text.length > MOST_QUESTION) channel.destroy();
    else if (isWhole(text, nonce)) {
      text = Buffer.from(text, 'latin1').toString('utf8');
      answer = decide();
    }
  });

  return {
    async end() {
      ended.abort();
      channel.destroy();
      const outcome = await answer;
      lock?.();
      return outcome;
    },
  };
}

function unanswered(reason: string): Outcome {
  return { accepted: false, rules: ['busy'], say: tellReasons([reason]), changes: [], objects: 0, bytes: 0 };
}
