import type { SignalName } from '../posix/signal-names.ts';
import { onCommand } from './command.ts';
import type { Step } from './step.ts';

const BY_SIGNAL = { plane: 'signal' } as const;

/** What the bundle's `signals` say of a signal to PID 1 that does not end the bundle. */
export function onSignal(step: Step, signal: SignalName): void {
  const action = step.bundle.signals[signal];
  if (action === undefined) {
    const text = `${signal} received; the bundle file says nothing of it, so it is ignored`;
    step.effects.push({ type: 'answer', plane: 'signal', command: signal, accepted: false, text });
    return;
  }
  if (action.reload === true) step.effects.push({ type: 'read-bundle' });
  for (const name of action.signal ?? []) onCommand(step, name, { do: 'signal', signal }, BY_SIGNAL);
  for (const name of action.restart ?? []) onCommand(step, name, { do: 'restart' }, BY_SIGNAL);
}
