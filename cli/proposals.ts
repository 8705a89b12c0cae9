import { isUnderWay } from '../daemons/approval/kinds.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print } from './output.ts';
import { hint, wrong } from './parse.ts';
import { acknowledge, approve, edit, reject } from './proposals/decide.ts';
import { type Desk, heldFor, openDesk } from './proposals/desk.ts';
import { diffOf, listText, nextText, proposalText } from './proposals/picture.ts';
import { isAtTerminal } from './proposals/terminal.ts';
import { verify } from './proposals/verify.ts';
import { watch } from './proposals/watch.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

interface Action {
  readonly ids: 'none' | 'one' | 'some' | 'optional';
  readonly run: (desk: Desk, ids: readonly string[]) => Promise<ExitCode>;
}

const one =
  (run: (desk: Desk, id: string) => Promise<ExitCode>): Action['run'] =>
  (desk, [id = '']) =>
    run(desk, id);

const ACTIONS: Readonly<Record<string, Action>> = {
  list: { ids: 'none', run: list },
  show: { ids: 'one', run: one(show) },
  approve: { ids: 'one', run: one(approve) },
  edit: { ids: 'one', run: one(edit) },
  reject: { ids: 'one', run: one(reject) },
  acknowledge: { ids: 'some', run: acknowledge },
  watch: { ids: 'none', run: watch },
  verify: { ids: 'optional', run: (desk, [file]) => verify(desk, file) },
};

export async function proposals({ values, names }: Arguments<Verbs['proposals']>): Promise<ExitCode> {
  const [name = 'list', ...ids] = names;
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (action === undefined) {
    const known = Object.keys(ACTIONS);
    throw wrong(VERBS.proposals, `"${name}" is not one of ${known.join(', ')}${hint(name, known)}`);
  }
  const [least, most] = { none: [0, 0], one: [1, 1], some: [1, 1_000], optional: [0, 1] }[action.ids] ?? [0, 0];
  if (ids.length < (least ?? 0)) throw wrong(VERBS.proposals, `${name} needs the id of a proposal`);
  if (ids.length > (most ?? 0)) throw wrong(VERBS.proposals, `${name}: "${ids[most ?? 0]}" is one argument too many`);
  return action.run(openDesk(values), ids);
}

async function list({ supervise, values }: Desk): Promise<ExitCode> {
  const all = await supervise.list();
  const chosen = values.all ? all : all.filter((one) => one.status === 'pending' || isUnderWay(one));
  if (values.json) await print(chosen.map((proposal) => `${JSON.stringify(proposal)}\n`).join(''));
  else if (chosen.length === 0) await print('nothing waits for a decision\n');
  else await print(listText(chosen, Date.now()));
  return EXIT.ok;
}

async function show({ supervise, place, values }: Desk, id: string): Promise<ExitCode> {
  const proposal = await supervise.find(id);
  if (values.json) {
    await print(`${JSON.stringify(proposal)}\n`);
    return EXIT.ok;
  }
  const held = await heldFor(proposal, place);
  await print(proposalText(proposal, diffOf(proposal, held.text), Date.now()));
  if (held.doubt !== undefined && proposal.status === 'pending') await print(`${held.doubt}\n`);
  if (isAtTerminal()) await print(nextText(proposal));
  return EXIT.ok;
}
