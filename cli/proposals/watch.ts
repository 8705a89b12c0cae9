import { setTimeout as pause } from 'node:timers/promises';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';
import type { Desk } from './desk.ts';
import { listText, newsText } from './picture.ts';
import { isAtTerminal } from './terminal.ts';

/** How long until supervise is looked for again. */
const AGAIN_MS = 1_000;

/** Prints what waits for a decision, and then each proposal as it comes. A supervise that is away for a while is waited for. */
export async function watch({ supervise, values }: Desk): Promise<ExitCode> {
  const seen = new Set<string>();
  let isBegun = false;

  async function tell(proposals: readonly Proposal[]): Promise<void> {
    const fresh = proposals.filter(({ id, status }) => status === 'pending' && !seen.has(id));
    for (const { id } of fresh) seen.add(id);
    if (values.json) await print(fresh.map((proposal) => `${JSON.stringify(proposal)}\n`).join(''));
    else if (isBegun) await print(fresh.map((proposal) => newsText(proposal, Date.now())).join(''));
    else if (fresh.length > 0) await print(listText(fresh, Date.now()));
    else if (isAtTerminal() && !values.once)
      await print('nothing waits for a decision; what comes is told here until Ctrl-C\n');
    isBegun = true;
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
