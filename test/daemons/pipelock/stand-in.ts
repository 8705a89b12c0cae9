import type { LookupAddress } from 'node:dns';
import * as z from 'zod/mini';
import { type StandIn, startStandIn } from '../../../daemons/pipelock/embedded/stand-in.ts';
import { generate } from '../../../daemons/pipelock/generator.ts';
import type { PipelockConfig } from '../../../daemons/pipelock/pipelock-config.ts';
import { settingsSchema } from '../../../daemons/pipelock/settings.ts';
import type { Scanner } from '../../../daemons/scanner/finding.ts';
import { eventually, type LogLine } from './launcher.ts';

/** What counts as a secret here. */
export const MARK = 'MARKED-AS-SECRET';

const scanner: Scanner = {
  async scan(bytes) {
    const text = Buffer.from(bytes).toString('latin1');
    if (text.includes('CANNOT-BE-SCANNED')) return { ok: false, reason: 'it took too long' };
    const finding = { rule: 'marked', what: 'a mark', line: 1, column: 1, fingerprint: '', digest: '' };
    return { ok: true, findings: text.includes(MARK) ? [finding] : [], unlisted: 0 };
  },
  async close() {},
};

/** The stand-in inside the test, with names that resolve as the test says. */
export interface Local extends AsyncDisposable {
  readonly standIn: StandIn;
  readonly port: number;
  readonly lines: readonly LogLine[];
  event(name: string): Promise<LogLine>;
}

export function configWith(settings: object): PipelockConfig {
  const here = { host: '127.0.0.1', port: 0 };
  const policy = { hosts: [], injectedHeaders: ['authorization'] };
  return generate(policy, z.parse(settingsSchema, settings), { proxy: here, metrics: here });
}

export async function startLocal(
  settings: object,
  resolve?: (host: string) => Promise<readonly LookupAddress[]>,
): Promise<Local> {
  const lines: LogLine[] = [];
  const standIn = await startStandIn({
    config: configWith(settings),
    scanner,
    log: (level, message, fields) => lines.push({ level, message, ...fields }),
    ...(resolve === undefined ? {} : { resolve }),
  });
  return {
    standIn,
    port: standIn.port,
    lines,
    event: (name) =>
      eventually(
        () => lines.find(({ event }) => event === name),
        () => JSON.stringify(lines),
      ),
    [Symbol.asyncDispose]: () => standIn.close(),
  };
}
