import type { Effect } from '../../../init/lifecycle/effect.ts';
import { type Facts, isUp, type Life, NEVER } from '../facts.ts';
import { isEnding, isPassedOn } from '../hearing.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** How long after its SIGKILL for all the init may wait for what does not even die of that, ms. */
const PATIENCE = 5_000;

/** DESIGN 6: (a) a signal, (b) an essential daemon's final end, (c) all ended by themselves; and for no other reason. */
export const endsForAReason: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type !== 'ending') return;
    if (facts.shutdown !== undefined) throw new Violation('the end begins once', '6', effect.why);
    const { event } = step;
    if (event.type === 'fault' || (event.type === 'signal' && isEnding(event.signal))) return;
    if (isEssentialOver(facts) || isAllOver(facts)) return;
    throw new Violation('the bundle ends for a reason only', '6', effect.why);
  },
  afterStep: ({ facts, step }) => {
    if ((facts.shutdown !== undefined) !== (step.after.shutdown !== undefined)) {
      throw new Violation('the end is announced', '6', step.event.type);
    }
    if (facts.shutdown !== undefined) return;
    const { event } = step;
    if (event.type === 'signal' && isEnding(event.signal))
      throw new Violation('SIGTERM, SIGINT and SIGQUIT end the bundle', '6 a', event.signal);
    if (event.type === 'fault') throw new Violation('an internal fault ends the bundle', '7', event.detail);
    if (isEssentialOver(facts))
      throw new Violation("an essential daemon's final end ends the bundle", '6 b', event.type);
    if (
      isAllOver(facts) &&
      [...facts.lives.values()].every((life) => (life.removed && life.group === 'none') || life.status !== 'stopped')
    ) {
      throw new Violation('the bundle ends when all have ended by themselves', '6 c', event.type);
    }
  },
};

/** DESIGN 6: nothing is begun in a shutdown. */
export const nothingStartsInAShutdown: Rule = {
  onEffect: (effect, { facts }) => {
    if (facts.shutdown === undefined || effect.type !== 'spawn') return;
    throw new Violation('nothing starts in a shutdown', '6', effect.daemon);
  },
};

/** DESIGN 6: "Stop order is the reverse of the dependency graph, branches in parallel". */
export const stopsInReverseOrder: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (facts.shutdown === undefined || !beginsStop(effect) || !('daemon' in effect) || effect.daemon === undefined)
      return;
    if (effect.type === 'kill' && isPassedOn(effect, step, facts)) return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || !isUp(life) || life.group !== 'leader' || isOverdue(facts)) return;
    const dependent = [...facts.lives.values()].find(
      (other) => other.group !== 'none' && dependsOn(other.running, life) && dependsOn(other.spec, life),
    );
    if (dependent === undefined) return;
    throw new Violation(
      'who is depended upon stops last',
      '6',
      `${life.name} is stopped while ${dependent.name} lives`,
    );
  },
  afterStep: ({ facts }) => {
    if (facts.shutdown === undefined || facts.exitedAt < NEVER) return;
    for (const life of facts.lives.values()) {
      if (!isUp(life) || life.group === 'none') continue;
      const dependents = [...facts.lives.values()].filter(
        (other) => other.group !== 'none' && (dependsOn(other.running, life) || dependsOn(other.spec, life)),
      );
      if (dependents.length > 0) continue;
      throw new Violation(
        'branches stop in parallel',
        '6',
        `${life.name} is not stopped although nothing depends on it`,
      );
    }
  },
};

/** DESIGN 6: the whole within `stop_grace_period`, a second SIGTERM or SIGINT kills at once, and it always ends. */
export const endsInTime: Rule = {
  onEffect: (effect, { facts, processes }) => {
    if (effect.type !== 'exit') return;
    if (facts.shutdown === undefined) throw new Violation('an exit is announced first', '6', String(effect.code));
    if (facts.exitedAt < NEVER) throw new Violation('one exit', '6', String(effect.code));
    if (facts.shutdown.killedAt === NEVER)
      throw new Violation('at the end SIGKILL for every process left', '6', String(effect.code));
    const left = [...facts.lives.values()].filter((life) => life.group !== 'none');
    const names = left.map((life) => life.name).join(', ');
    if (!left.every(isSigkilled)) throw new Violation('the init leaves when nobody is left', '6', `${names} live`);
    const killedAt = Math.max(...left.map((life) => life.sigkillAt));
    if (processes.mortals() > 0 && left.length > 0 && facts.now < killedAt + 100) {
      throw new Violation('the init waits for those that it killed', '6', `${names} still die`);
    }
  },
  afterStep: ({ facts, step }) => {
    const { shutdown } = facts;
    if (shutdown === undefined || facts.exitedAt < NEVER) return;
    const left = [...facts.lives.values()].filter((life) => life.group !== 'none');
    if (left.length === 0)
      throw new Violation('the init leaves as soon as nobody is left', '6', `after ${step.event.type}`);
    const { event } = step;
    const isSecond =
      event.type === 'signal' && (event.signal === 'SIGTERM' || event.signal === 'SIGINT') && shutdown.signals >= 2;
    if (isSecond && shutdown.bySignal && !left.every(isSigkilled)) {
      throw new Violation(
        'a second SIGTERM or SIGINT kills at once',
        '6',
        `${left.map((life) => life.name).join(', ')} not killed`,
      );
    }
    if (event.type !== 'tick') return;
    if (facts.now > shutdown.since && facts.now >= shutdown.since + shutdown.grace && !left.every(isSigkilled)) {
      throw new Violation(
        "at the bundle's deadline SIGKILL for the rest",
        '6',
        `${left.map((life) => life.name).join(', ')} not killed`,
      );
    }
    if (facts.now >= shutdown.since + shutdown.grace + PATIENCE) {
      throw new Violation('it always ends', '6', `${facts.now - shutdown.since} ms after it began`);
    }
  },
};

/** DESIGN 6: after the exit there is nothing. */
export const nothingAfterTheExit: Rule = {
  onEffect: (effect, { facts }) => {
    if (facts.exitedAt < NEVER) throw new Violation('nothing after the exit', '6', effect.type);
  },
  afterStep: ({ facts, step }) => {
    if (facts.exitedAt < NEVER && step.deadline !== NEVER)
      throw new Violation('no deadline after the exit', '6', String(step.deadline));
  },
};

function isEssentialOver({ lives }: Facts): boolean {
  return [...lives.values()].some(
    ({ removed, spec, status }) => !removed && spec.essential && (status === 'completed' || status === 'failed'),
  );
}

/** Who was stopped by an operator can be started again, so an end of all needs one that ended by itself. */
function isAllOver({ lives }: Facts): boolean {
  const present = [...lives.values()].filter((life) => !life.removed || life.group !== 'none');
  return present.every(({ status }) => status === 'completed' || status === 'failed' || status === 'stopped');
}

function beginsStop(effect: Effect): boolean {
  if (effect.type === 'run-hooks') return effect.stage === 'pre_stop';
  return effect.type === 'kill' || (effect.type === 'changed' && effect.to === 'stopping');
}

function isOverdue({ shutdown, now }: Facts): boolean {
  if (shutdown === undefined) return false;
  return (
    now >= shutdown.since + shutdown.grace ||
    shutdown.signals >= (shutdown.bySignal ? 2 : 1) ||
    shutdown.killedAt < NEVER
  );
}

function isSigkilled(life: Life): boolean {
  return life.sigkillAt < NEVER;
}

function dependsOn(spec: Life['spec'], target: Life): boolean {
  return spec.depends_on[target.name] !== undefined;
}
