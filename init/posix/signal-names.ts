import { constants } from 'node:os';

/** A signal by the name that signal(7) gives it, `SIGTERM` say. Real-time signals are not among them: Node cannot catch them. */
export type SignalName = NodeJS.Signals;

const NUMBERS: Readonly<Record<string, number>> = constants.signals;

/** Every signal that this machine knows by name. */
export const SIGNAL_NAMES: readonly SignalName[] = Object.keys(NUMBERS).filter(isSignalName);

/** True for a full signal name (`SIGHUP`). */
export function isSignalName(name: string): name is SignalName {
  return Object.hasOwn(NUMBERS, name);
}

/** The signal that `text` names: `SIGHUP`, `HUP`, `hup` or `1`; `undefined` where there is none. */
export function parseSignal(text: string): SignalName | undefined {
  const upper = text.toUpperCase();
  if (isSignalName(upper)) return upper;
  const prefixed = `SIG${upper}`;
  if (isSignalName(prefixed)) return prefixed;
  return SIGNAL_NAMES.find((name) => String(NUMBERS[name]) === text);
}

/** The number of a signal on this machine, as in signal(7). */
export function signalNumber(name: SignalName): number {
  return NUMBERS[name] ?? 0;
}

/** The first name that this machine gives to a signal's number. */
export function signalName(number: number): SignalName | undefined {
  return SIGNAL_NAMES.find((name) => NUMBERS[name] === number);
}
