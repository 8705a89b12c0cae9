import { type Facts, isUp, type Life, NEVER } from '../facts.ts';
import { isPassedOn } from '../hearing.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** DESIGN 5, Stop: `pre_stop`, then the stop signal, and SIGKILL after the grace and not before it. */
export const killsAfterTheGrace: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type !== 'kill' || effect.signal !== 'SIGKILL' || isPassedOn(effect, step, facts)) return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || life.group === 'others') return;
    if (isHurried(facts.shutdown, facts.now)) return;
    const grace = life.running.stop_grace_period;
    const since = facts.now - life.stoppingSince;
    if (life.stoppingSince < NEVER && since >= grace) return;
    throw new Violation(
      'no SIGKILL before the grace is over',
      '5 Stop',
      `${life.name}: ${since} ms after its stop began, grace ${grace} ms`,
    );
  },
  afterStep: ({ facts, step }) => {
    if (step.event.type !== 'tick') return;
    for (const life of facts.lives.values()) {
      if (life.group === 'none' || life.status !== 'stopping' || life.sigkillAt < NEVER) continue;
      const grace = life.running.stop_grace_period;
      // A hook that never ends may use up a grace of its own before the signal has one.
      const due = Math.min(life.stopSignalAt + grace, life.stoppingSince + 2 * grace);
      // A stop that began in this very tick with no grace at all has its SIGKILL in the next one.
      if (facts.now < due || life.stoppingSince === facts.now) continue;
      throw new Violation(
        'SIGKILL at the end of the grace',
        '5 Stop',
        `${life.name} is alive ${facts.now - due} ms after its grace`,
      );
    }
  },
};

/** DESIGN 5, Stop: the order of its stages, for every daemon whose first process lives. */
export const stopsInStages: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type === 'run-hooks' && effect.stage === 'pre_stop') {
      const life = facts.lives.get(effect.daemon);
      if (life !== undefined && (life.preStop !== 'none' || life.stopSignalAt < NEVER)) {
        throw new Violation('pre_stop runs once, before the stop signal', '5 Stop', life.name);
      }
    }
    if (effect.type !== 'kill' || effect.to !== 'all' || effect.signal === 'SIGKILL' || isPassedOn(effect, step, facts))
      return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined) return;
    if (effect.signal !== life.running.stop_signal) {
      throw new Violation('a stop sends the stop signal', '5 Stop', `${life.name}: ${effect.signal}`);
    }
    // A stop that overtook the start found nobody, and is repeated once the program runs.
    if (step.event.type === 'spawned') return;
    if (life.stopSignalAt < NEVER) throw new Violation('the stop signal is sent once', '5 Stop', life.name);
    const { pre_stop, stop_grace_period } = life.running;
    if (pre_stop.length === 0 || life.group !== 'leader' || life.spawnedAt === NEVER || life.preStop === 'ended')
      return;
    if (facts.now - life.stoppingSince >= stop_grace_period) return;
    throw new Violation('the stop signal comes after pre_stop', '5 Stop', life.name);
  },
  afterStep: ({ facts }) => {
    for (const life of facts.lives.values()) {
      if (life.group === 'none') {
        if (isUp(life) || life.status === 'stopping')
          throw new Violation('who is gone is not up', '5', `${life.name} is ${life.status}`);
        continue;
      }
      if (life.status !== 'stopping') {
        if (!isUp(life))
          throw new Violation(
            'who lives is not called gone',
            '5',
            `${life.name} is ${life.status}, its ${life.group} live`,
          );
        if (life.group === 'others') throw new Violation('leftovers of a group are stopped', '5 Stop', life.name);
        if (life.order !== 'none' && !isHeld(life, facts))
          throw new Violation('a stop begins at once', '5 Operator', `${life.name} is ${life.status}`);
        continue;
      }
      if (
        life.stopSignalAt === NEVER &&
        life.sigkillAt === NEVER &&
        life.preStop !== 'running' &&
        !isKilled(life, facts.shutdown)
      ) {
        throw new Violation('who is stopped gets its signal', '5 Stop', life.name);
      }
    }
  },
};

/** A dependent that is to go as well goes first. */
export function isHeld(life: Life, { lives, shutdown }: Facts): boolean {
  return [...lives.values()].some(
    (other) =>
      other.group !== 'none' &&
      (shutdown !== undefined || other.order !== 'none' || other.mayFollow || other.status === 'stopping') &&
      (other.running.depends_on[life.name] ?? other.spec.depends_on[life.name]) !== undefined,
  );
}

/** DESIGN 6: the bundle's deadline or a second signal overrides each daemon's own grace. */
function isHurried(shutdown: Shutdown, now: number): boolean {
  if (shutdown === undefined) return false;
  return now >= shutdown.since + shutdown.grace || shutdown.signals >= (shutdown.bySignal ? 2 : 1);
}

type Shutdown = Parameters<NonNullable<Rule['afterStep']>>[0]['facts']['shutdown'];

function isKilled(life: Life, shutdown: Shutdown): boolean {
  return shutdown !== undefined && shutdown.killedAt < NEVER && life.incarnation > 0;
}
