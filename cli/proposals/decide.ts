import { join } from 'node:path';
import { applyApproval } from '../../daemons/approval/apply.ts';
import { faultsOfWanted } from '../../daemons/approval/change.ts';
import { type Approved, approvedOf, isUnderWay, KINDS } from '../../daemons/approval/kinds.ts';
import { writeFault } from '../../daemons/approval/target-file.ts';
import type { Proposal } from '../../daemons/supervise/proposal.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { Failure } from '../failure.ts';
import { print } from '../output.ts';
import { wrong } from '../parse.ts';
import { VERBS } from '../verbs.ts';
import { type Desk, type Held, heldFor } from './desk.ts';
import { createEffects } from './effects.ts';
import { diffOf, paintDiff, proposalText } from './picture.ts';
import { confirm, editText, isAtTerminal, whoami } from './terminal.ts';

/** Approves a proposal as it is and applies it; or ends what an approval before began. */
export async function approve(desk: Desk, id: string): Promise<ExitCode> {
  const proposal = await desk.supervise.find(id);
  if (isUnderWay(proposal)) return finish(desk, proposal, undefined);
  requirePending(proposal, 'approve');
  requireReason(desk, proposal);
  requireWritable(desk, proposal);
  const held = await heldFor(proposal, desk.place);
  await show(desk, proposal, held);
  await requireValid(proposal, proposal.proposed, held, desk);
  if (!(await isMeant(desk, `Approve ${proposal.id}?`))) return nothing(proposal);
  const decided = await decide(desk, proposal, { verdict: 'approved' });
  return finish(desk, decided, held);
}

/** Lets the operator edit what is proposed, and approves that. */
export async function edit(desk: Desk, id: string): Promise<ExitCode> {
  const proposal = await desk.supervise.find(id);
  if (!KINDS[proposal.kind].canBeEdited) {
    throw new Failure(
      EXIT.failed,
      `${proposal.id} is of kind ${proposal.kind}, which holds no text to edit; approve or reject it`,
    );
  }
  requirePending(proposal, 'edit');
  requireReason(desk, proposal);
  requireWritable(desk, proposal);
  const held = await heldFor(proposal, desk.place);
  const final = await edited(desk, proposal, held);
  await show(desk, { ...proposal, proposed: final }, held);
  if (!(await isMeant(desk, `Approve ${proposal.id} as edited?`))) return nothing(proposal);
  const decided = await decide(desk, proposal, { verdict: 'modified', final });
  return finish(desk, decided, held);
}

export async function reject(desk: Desk, id: string): Promise<ExitCode> {
  if (!desk.values.reason?.trim()) throw wrong(VERBS.proposals, 'reject needs --reason TEXT: who asked is told why');
  const proposal = await desk.supervise.find(id);
  requirePending(proposal, 'reject');
  const decided = await decide(desk, proposal, { verdict: 'rejected' });
  await tell(desk, decided, `${decided.id} is rejected: ${desk.values.reason}`);
  return EXIT.ok;
}

/** Takes note of incidents. */
export async function acknowledge(desk: Desk, ids: readonly string[]): Promise<ExitCode> {
  const proposals = await Promise.all(ids.map((id) => desk.supervise.find(id)));
  const other = proposals.find(({ kind }) => kind !== 'incident');
  if (other !== undefined) {
    throw new Failure(EXIT.failed, `${other.id} is of kind ${other.kind}, not an incident; approve or reject it`);
  }
  for (const proposal of proposals) {
    if (proposal.status === 'acknowledged') continue;
    const decided = await decide(desk, proposal, { verdict: 'acknowledged' });
    await tell(desk, decided, `${decided.id} is acknowledged`);
  }
  return EXIT.ok;
}

function requirePending({ id, status, kind }: Proposal, action: 'approve' | 'edit' | 'reject'): void {
  if (kind === 'incident') {
    throw new Failure(EXIT.failed, `${id} is an incident; take note of it with: bottled proposals acknowledge ${id}`);
  }
  if (status !== 'pending') throw new Failure(EXIT.failed, `${id} is ${status}; there is nothing to ${action}`);
}

function requireReason({ values }: Desk, { id, kind }: Proposal): void {
  if (!KINDS[kind].needsReason || values.reason?.trim()) return;
  throw wrong(VERBS.proposals, `${id} lets pass what was taken for a secret (${kind}), so approve needs --reason TEXT`);
}

/** On Swarm and Kubernetes the files are given with the deployment, and nothing in the container can change them. */
function requireWritable({ place }: Desk, { id, kind }: Proposal): void {
  const { writes } = KINDS[kind];
  if (writes === undefined || writes === 'Dockerfile') return;
  const path = join(place.config, writes);
  const fault = writeFault(path);
  if (fault === undefined) return;
  throw new Failure(
    EXIT.failed,
    `${path} ${fault}, so an approval could not take effect; put the change into bottle.yaml, render and deploy it, then reject ${id} with that reason. Nothing was decided`,
  );
}

/** What cannot be in force must not be decided: the agent would be told yes. */
async function requireValid(proposal: Proposal, wanted: string, held: Held, desk: Desk): Promise<void> {
  const faults = await faultsOf(proposal, wanted, held, desk);
  if (faults.length === 0) return;
  throw new Failure(
    EXIT.failed,
    [...faults, `${proposal.id} is not valid; edit or reject it. Nothing was decided`].join('\n'),
  );
}

async function faultsOf(
  { id, kind, facts }: Proposal,
  wanted: string,
  { text }: Held,
  { values, place, init }: Desk,
): Promise<readonly string[]> {
  const { writes } = KINDS[kind];
  const isAddedTo = writes === 'git-gate.yaml' || writes === 'pipelock.yaml';
  const now = isAddedTo ? createEffects(place, init).read(writes) : text;
  const approved: Approved = { id, kind, current: text, facts, wanted, reason: values.reason ?? '', by: '' };
  return faultsOfWanted(approved, now);
}

/** The text as edited, valid. On a terminal the editor opens again where it is not. */
async function edited(desk: Desk, proposal: Proposal, held: Held): Promise<string> {
  const name = proposal.target || 'proposal.txt';
  for (let text = proposal.proposed; ; ) {
    text = await editText(name, text);
    if (text === proposal.proposed) {
      throw new Failure(
        EXIT.failed,
        `nothing was changed and nothing decided; to approve it as it is: bottled proposals approve ${proposal.id}`,
      );
    }
    const faults = await faultsOf(proposal, text, held, desk);
    if (faults.length === 0) return text;
    if (!isAtTerminal())
      throw new Failure(EXIT.failed, [...faults, 'this is not valid; nothing was decided'].join('\n'));
    await print(`${faults.join('\n')}\n`);
    if (!(await confirm('This is not valid. Edit it again?'))) throw new Failure(EXIT.failed, 'nothing was decided');
  }
}

async function show({ values }: Desk, proposal: Proposal, held: Held): Promise<void> {
  if (values.json) return;
  await print(proposalText(proposal, diffOf(proposal, held.text), Date.now()));
  if (held.doubt !== undefined) await print(`${held.doubt}\n`);
}

async function isMeant({ values }: Desk, question: string): Promise<boolean> {
  if (values.yes) return true;
  if (isAtTerminal()) return confirm(question);
  throw wrong(VERBS.proposals, 'there is no terminal to ask on; give --yes');
}

async function nothing({ id }: Proposal): Promise<ExitCode> {
  await print(`nothing was decided; ${id} still waits\n`);
  return EXIT.failed;
}

async function decide(
  { supervise, values }: Desk,
  { id, shown }: Proposal,
  how: { readonly verdict: 'approved' | 'modified' | 'rejected' | 'acknowledged'; readonly final?: string },
): Promise<Proposal> {
  const given = values.shown?.toLowerCase();
  if (given !== undefined && !/^[0-9a-f]{8,64}$/.test(given)) {
    throw wrong(VERBS.proposals, `--shown "${given}" is not at least 8 digits of what "show" prints as "shown"`);
  }
  if (given !== undefined && !shown.startsWith(given)) {
    throw new Failure(EXIT.failed, `${id} is no longer what was shown; look at it again: bottled proposals show ${id}`);
  }
  const { reason } = values;
  return supervise.decide(id, { ...how, shown, by: whoami(), ...(reason === undefined ? {} : { reason }) });
}

/** Applies what is decided and reports what came of it. `held`: what was shown of the file; undefined where it was shown at another time. */
async function finish(desk: Desk, proposal: Proposal, held: Held | undefined): Promise<ExitCode> {
  const approved = approvedOf(proposal);
  if (approved === undefined) throw new Failure(EXIT.failed, `${proposal.id} is ${proposal.status} without a decision`);
  if (KINDS[proposal.kind].writes === undefined) {
    await tell(desk, proposal, `${proposal.id} is ${proposal.status}; whoever asked goes by that`);
    return EXIT.ok;
  }
  const current = held?.doubt === undefined ? (held?.text ?? approved.current) : approved.current;
  if (isAtTerminal()) await print(`${proposal.id} is ${proposal.status}; it is put into force now\n`);
  const again = `run it again: bottled proposals approve ${proposal.id}`;
  const { result, settle } = await applyApproval({ ...approved, current }, createEffects(desk.place, desk.init)).catch(
    (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new Failure(EXIT.failed, `${proposal.id} is approved, but not applied: ${why}; then ${again}`);
    },
  );
  const reported = await report(desk, proposal.id, result).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(EXIT.failed, `${proposal.id}: ${result.detail}. supervise was not told: ${why}; ${again}`);
  });
  settle();
  if (!desk.values.json && held === undefined && result.diff !== '') await print(paintDiff(result.diff));
  await tell(desk, reported, `${proposal.id} is ${result.result}: ${result.detail}`);
  return result.result === 'applied' ? EXIT.ok : EXIT.failed;
}

/** Somebody who did the same at the same time may have told it before. */
async function report(
  { supervise }: Desk,
  id: string,
  result: Parameters<Desk['supervise']['report']>[1],
): Promise<Proposal> {
  try {
    return await supervise.report(id, result);
  } catch (error) {
    const proposal = await supervise.find(id);
    if (proposal.status === 'applied' && result.result === 'applied') return proposal;
    throw error;
  }
}

async function tell({ values }: Desk, proposal: Proposal, text: string): Promise<void> {
  await print(values.json ? `${JSON.stringify(proposal)}\n` : `${text}\n`);
}
