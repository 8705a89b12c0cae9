import { existsSync } from 'node:fs';
import { bytesOf, type Contents, type Entry } from '../backup/archive/contents.ts';
import { type Archive, readArchive } from '../backup/archive/read.ts';
import { spooled } from '../backup/archive/spool.ts';
import type { Step } from '../backup/restore/plan.ts';
import { isWriting, planRestore, type RestoreOptions, restore as restoreArchive } from '../backup/restore.ts';
import { describeByteSize } from '../config/byte-size.ts';
import { socketToReach } from '../init/control/socket-path.ts';
import { isServed } from '../init/control/unix-socket.ts';
import { wholeBundle } from './bundle-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { print, shown, table } from './output.ts';
import { tellProgress } from './progress.ts';
import type { Arguments } from './verb.ts';
import type { Verbs } from './verbs.ts';

/** Puts back what a backup holds, or tells what it would do. */
export async function restore({ values, names: [file = ''] }: Arguments<Verbs['restore']>): Promise<ExitCode> {
  const { identity } = values;
  if (file !== '-') return act({ file, identity }, values);
  const spool = await spooled(process.stdin);
  try {
    return await act({ file: spool.file, identity }, values);
  } finally {
    spool.remove();
  }
}

type Values = Arguments<Verbs['restore']>['values'];

async function act(archive: Archive, values: Values): Promise<ExitCode> {
  if (values.list) {
    await print(listText(await readArchive(archive)));
    return EXIT.ok;
  }
  const options: RestoreOptions = {
    config: !values['without-config'],
    secrets: values['with-secrets'],
    force: values.force,
    now: new Date(),
    tell: tellProgress,
  };
  const plan = await planRestore(archive, await wholeBundle(values.file), options);
  if (values['dry-run']) await print(planTable(plan.steps, values.force));
  const socket = socketToReach(values.socket, process.env);
  if (existsSync(socket) && (await isServed(socket))) {
    throw new Failure(EXIT.failed, `the bundle runs (an init serves ${socket}); nothing was changed. Stop it first`);
  }
  if (plan.objection !== undefined) throw new Failure(EXIT.failed, plan.objection);
  if (values['dry-run']) return EXIT.ok;
  const { aside, isOwnerLost } = await restoreArchive(archive, plan, options);
  for (const [from, to] of aside) process.stderr.write(`note: what was in ${from} is now ${to}\n`);
  if (isOwnerLost) process.stderr.write(`note: ${OWNER_LOST}\n`);
  await print(planTable(plan.steps, values.force));
  return EXIT.ok;
}

const OWNER_LOST =
  'only root can give files to their owners: all belong to this user now, as which the bundle has to run; or run restore as root';

function listText({ bundle, bottled, time, places, entries }: Contents): string {
  const rows = places.map(({ id, path }) => {
    const own = entries.filter(({ place }) => place === id);
    return [id, String(filesIn(own)), describeByteSize(bytesOf(own)), shown(path)];
  });
  const sound = `${bundle}, backed up ${time} by bottled ${bottled}; every checksum is right\n`;
  return shown(sound) + table(['PLACE', 'FILES', 'SIZE', 'WAS AT'], rows);
}

function planTable(steps: readonly Step[], force: boolean): string {
  const rows = steps.map((step) => [
    step.place.id,
    step.target ?? '-',
    String(filesIn(step.entries)),
    describeByteSize(bytesOf(step.entries)),
    outcome(step, force),
  ]);
  return table(['PLACE', 'TO', 'FILES', 'SIZE', 'WHAT'], rows);
}

function outcome(step: Step, force: boolean): string {
  if (step.target === undefined) return 'no such place in the bundle file';
  if (step.standing === undefined) return 'left as it is';
  if (step.standing === 'other')
    return force ? 'restored; what was there is moved aside' : 'refused: something else is there';
  if (step.standing === 'alike') return 'there already; owner and mode restored';
  return isWriting(step) ? 'restored' : 'there already, the same';
}

function filesIn(entries: readonly Entry[]): number {
  return entries.filter(({ type }) => type === 'file').length;
}
