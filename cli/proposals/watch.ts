import { setTimeout as pause } from 'node:timers/promises';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';
import type { Desk } from './desk.ts';
import { listText } from './picture.ts';

/** How long until supervise is looked for again. */
const AGAIN_MS = 1_000;

/** Prints what waits for a decision, and then each proposal as it comes. A supervise that is away for a while is waited for. */
export async function watch({ supervise, values }: Desk): Promise<ExitCode> {
  const seen = new Set<string>();

  async function tell(proposals: readonly Proposal[]): Promise<void> {
    const fresh = proposals.filter(({ id, status }) => status === 'pending' && !seen.has(id));
    for (const { id } of fresh) seen.add(id);
    if (fresh.length === 0) return;
    if (values.json) await print(fresh.map((proposal) => `${JSON.stringify(proposal)}\n`).join(''));
    else await print(listText(fresh, Date.now()));
  }

  if (values.once) {
    await tell(await supervise.list());
    return EXIT.ok;
  }
  for (let wasThere = false; ; ) {
    try {
      for await (const changed of supervise.changes()) {
        wasThere = true;
        await tell(changed === undefined ? await supervise.list() : [changed]);
      }
    } catch (error) {
      if (!wasThere || !(error instanceof Failure) || error.code !== EXIT.notReachable) throw error;
    }
    await pause(AGAIN_MS);
  }
}
