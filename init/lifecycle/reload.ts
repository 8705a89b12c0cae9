import { isDeepStrictEqual } from 'node:util';
import type { Bundle, DaemonSpec } from '../bundle/schema.ts';
import { askRestart, callerOf, restartDependents } from './command.ts';
import type { Caller } from './event.ts';
import { newDaemon } from './new-daemon.ts';
import type { Daemon } from './state.ts';
import { drop, enter, isAlive, type Step, update } from './step.ts';

/** A new, valid bundle: only daemons that it changes, adds or removes are touched. */
export function onReload(step: Step, bundle: Bundle, caller: Caller): void {
  const by = { command: 'reload', ...callerOf(caller) };
  if (step.shutdown !== undefined) {
    const text = `the bundle is ending (${step.shutdown.why})`;
    step.effects.push({ type: 'answer', ...by, accepted: false, text });
    return;
  }
  const removed = [...step.daemons.keys()].filter((name) => !Object.hasOwn(bundle.daemons, name));
  const added: string[] = [];
  const changed: string[] = [];
  for (const [name, spec] of Object.entries(bundle.daemons)) {
    const daemon = step.daemons.get(name);
    if (daemon === undefined) added.push(name);
    else if (
      daemon.goal === 'remove' ||
      !isDeepStrictEqual(daemon.next ?? daemon.spec, spec) ||
      !hasSameSecrets(spec, step.bundle, bundle)
    ) {
      changed.push(name);
    }
  }

  step.bundle = bundle;
  for (const name of removed) remove(step, name);
  for (const name of changed) change(step, name, bundle.daemons[name]);
  for (const name of added) add(step, name, bundle.daemons[name]);
  for (const name of changed) if (startsAnew(step, name)) restartDependents(step, name);
  const parts = [list('changed', changed), list('added', added), list('removed', removed)].filter(
    (part) => part !== '',
  );
  const text = parts.length === 0 ? 'reloaded: nothing has changed' : `reloaded: ${parts.join('; ')}`;
  step.effects.push({ type: 'answer', ...by, accepted: true, text });
}

/** What a daemon names under `secrets` may come from elsewhere now, though its own part is as it was. */
function hasSameSecrets({ secrets }: DaemonSpec, before: Bundle, now: Bundle): boolean {
  return secrets.every(({ source }) => isDeepStrictEqual(before.secrets[source], now.secrets[source]));
}

function startsAnew(step: Step, name: string): boolean {
  const daemon = step.daemons.get(name);
  return daemon !== undefined && daemon.goal !== 'down' && daemon.state.status !== 'stopped';
}

function list(label: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${label} ${names.join(', ')}`;
}

function add(step: Step, name: string, spec: DaemonSpec | undefined): void {
  if (spec !== undefined) step.daemons.set(name, newDaemon(spec, step.at, step.removed.get(name)));
}

function remove(step: Step, name: string): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined) return;
  if (isAlive(daemon.state)) update(step, name, { goal: 'remove', next: undefined });
  else drop(step, name);
}

function change(step: Step, name: string, spec: DaemonSpec | undefined): void {
  const daemon = step.daemons.get(name);
  if (daemon === undefined || spec === undefined) return;
  if (isAlive(daemon.state)) changeLiving(step, name, daemon, spec);
  else changeAtRest(step, name, daemon, spec);
}

function changeLiving(step: Step, name: string, { goal }: Daemon, spec: DaemonSpec): void {
  update(step, name, { next: spec });
  if (goal !== 'down') askRestart(step, name);
}

/** What the operator stopped stays stopped; anything else is tried with its new specification. */
function changeAtRest(step: Step, name: string, { state }: Daemon, spec: DaemonSpec): void {
  update(step, name, { spec, next: undefined, attempts: 0, fallback: false });
  if (state.status === 'pending' || state.status === 'stopped') return;
  enter(step, name, { status: 'pending' }, 'its part of the bundle file has changed');
}
