import type { History } from './history.ts';
import { describeCause } from './lifecycle/cause.ts';
import type { Effect } from './lifecycle/effect.ts';
import type { OwnLog } from './logs/own.ts';

/** Tells the world what the policy tells: each thing once in the history and once in the init's own log. */
export function createAnnouncer(log: OwnLog, history: History, pid: (daemon: string) => number | undefined) {
  return (effect: Effect): void => {
    switch (effect.type) {
      case 'changed': {
        const { daemon, incarnation, from, to, ready, cause, why } = effect;
        const running = pid(daemon);
        const fields = {
          incarnation,
          from,
          to,
          ready,
          ...(cause && { cause: cause.kind }),
          ...(running && { pid: running }),
        };
        const text = from === to ? why : `${from} → ${to}: ${why}`;
        log(to === 'failed' ? 'error' : cause === undefined ? 'info' : 'warn', daemon, text, fields);
        history.add({ type: 'changed', daemon, text, ...fields });
        return;
      }
      case 'incident': {
        const { daemon, incarnation, cause } = effect;
        const text = `incident: ${describeCause(cause)}`;
        log('warn', daemon, text, { incarnation, cause: cause.kind });
        history.add({ type: 'incident', daemon, incarnation, cause: cause.kind, text });
        return;
      }
      case 'answer': {
        const { type, ...answer } = effect;
        const { daemon, plane, who, command, accepted, text } = answer;
        log(accepted ? 'info' : 'warn', undefined, `${plane}: ${accepted ? '' : 'refused: '}${text}`, {
          daemon,
          plane,
          who,
          command,
          accepted,
        });
        history.add({ type, ...answer });
        return;
      }
      case 'ending':
        log('info', undefined, `the bundle ends: ${effect.why}`);
        history.add({
          type: 'ending',
          text: effect.why,
          ...(effect.signal !== undefined && { plane: 'signal', command: effect.signal, accepted: true }),
        });
        return;
      case 'exit': {
        const { code, decidedBy, why } = effect;
        const text = `exit code ${code}${decidedBy === undefined ? '' : `, decided by ${decidedBy}`}: ${why}`;
        log(code === 0 ? 'info' : 'error', undefined, text, { exit_code: code, decided_by: decidedBy });
        return;
      }
      default:
        return;
    }
  };
}
