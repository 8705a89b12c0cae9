import type { DaemonSpec } from '../../../init/bundle/schema.ts';
import { checkOf, isUp, NEVER } from '../facts.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** How DESIGN 5 lets a daemon become ready. */
type Way = { readonly by: 'probe' | 'word' } | { readonly by: 'time'; readonly after: number };

const DEFAULT_AFTER = 1_000;
const DEFAULT_START_TIMEOUT = 90_000;

/** DESIGN 5, Ready: by the first passing probe, by its own word, or by having run long enough; and by nothing else. */
export const readyByItsOwnWay: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'changed' || !effect.ready) return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || life.ready) return;
    const rule = 'a daemon becomes ready in its own way only';
    if (effect.to !== 'running' || life.group !== 'leader')
      throw new Violation(rule, '5 Ready', `${life.name} is ${effect.to}`);
    const way = wayOf(life.running);
    const grounds = {
      probe: life.probe.passing,
      word: life.announced,
      time: way.by === 'time' && facts.now >= life.spawnAt + way.after,
    };
    const wasReady = life.readyFor >= 0;
    if (wasReady ? !life.probe.passing : !grounds[way.by])
      throw new Violation(rule, '5 Ready', `${life.name}: no ${way.by}`);
  },
  afterStep: ({ facts, step }) => {
    for (const life of facts.lives.values()) {
      if (life.status === 'running' && !life.ready && life.probe.passing) {
        throw new Violation('who passes again is ready again', '5 Watchdog', life.name);
      }
      if (life.status !== 'starting' || life.group !== 'leader' || life.spawnedAt === NEVER) continue;
      const way = wayOf(life.running);
      const isReady =
        (way.by === 'probe' && life.probe.passed) ||
        (way.by === 'word' && life.announced) ||
        (way.by === 'time' && step.event.type === 'tick' && facts.now >= life.spawnedAt + way.after);
      if (isReady)
        throw new Violation('a daemon that is ready is said to be', '5 Ready', `${life.name} is still starting`);
    }
  },
};

/** DESIGN 5, Ready: `start_timeout` turns an endless start into a failure. */
export const startsInTime: Rule = {
  afterStep: ({ facts, step }) => {
    if (step.event.type !== 'tick') return;
    for (const life of facts.lives.values()) {
      if (life.status !== 'starting' || life.group !== 'leader' || life.spawnedAt === NEVER) continue;
      // Who is to go anyway, and only waits for its dependents to go first, is not judged any more.
      if (life.order !== 'none' || life.mayFollow || facts.shutdown !== undefined) continue;
      const due = life.spawnedAt + startTimeoutOf(life.running);
      if (facts.now >= due)
        throw new Violation('an endless start is a failure', '5 Ready', `${life.name} is still starting`);
    }
  },
};

/** DESIGN 5, Watchdog: `retries` failures in a row after the start period; restarted unless `on_unhealthy: ignore`. */
export const unhealthyIsActedUpon: Rule = {
  afterStep: ({ facts }) => {
    if (facts.shutdown !== undefined) return;
    for (const life of facts.lives.values()) {
      const check = checkOf(life.running);
      if (check === undefined || !isUp(life) || life.probe.certain < check.retries) continue;
      const leaves = life.order !== 'none' || life.mayFollow;
      if (life.ready) throw new Violation('an unhealthy daemon is not ready', '5 Watchdog', life.name);
      if (life.running.on_unhealthy === 'restart' && !leaves) {
        throw new Violation(
          'an unhealthy daemon is restarted',
          '5 Watchdog',
          `${life.name}: ${life.probe.certain} failures in a row`,
        );
      }
    }
  },
};

/** DESIGN 5: nobody stops a running daemon but for one of the reasons that the design names. */
export const stoppedForAReason: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type !== 'changed' || (effect.to === 'running' && effect.ready)) return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || !isUp(life)) return;
    const check = checkOf(life.running);
    const isUnhealthy = check !== undefined && life.probe.possible >= check.retries;
    if (effect.to === 'running' && life.ready && !isUnhealthy) {
      throw new Violation('who is ready stays so until it is unhealthy', '5 Watchdog', life.name);
    }
    if (effect.to !== 'stopping') return;
    const isLate = life.status === 'starting' && facts.now >= life.spawnAt + startTimeoutOf(life.running);
    const isAllowed =
      facts.shutdown !== undefined ||
      step.after.shutdown !== undefined ||
      life.order !== 'none' ||
      life.mayFollow ||
      life.group === 'others' ||
      (isUnhealthy && life.running.on_unhealthy === 'restart') ||
      isLate;
    if (!isAllowed)
      throw new Violation('a running daemon is stopped for a reason only', '5', `${life.name}: ${effect.why}`);
  },
};

/** DESIGN 8 (Compose's interval and start_interval): one probe at a time, at its interval, as long as the daemon runs. */
export const probedAtItsInterval: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'probe') return;
    const life = facts.lives.get(effect.daemon);
    const check = life === undefined ? undefined : checkOf(life.running);
    if (life === undefined || check === undefined)
      throw new Violation('only who has a check is probed', '8', effect.daemon);
    if (life.probe.outstanding) throw new Violation('one probe at a time', '8', effect.daemon);
    if (!isUp(life))
      throw new Violation('only a daemon that is up is probed', '8', `${effect.daemon} is ${life.status}`);
    const since = facts.now - life.probe.answeredAt;
    if (
      life.probe.answeredAt < NEVER &&
      since < (life.probe.passing ? check.interval : Math.min(check.interval, check.start_interval))
    ) {
      throw new Violation('probes keep their interval', '8', `${effect.daemon}: ${since} ms after the last`);
    }
  },
  afterStep: ({ facts, step }) => {
    if (step.event.type !== 'tick' || facts.shutdown !== undefined) return;
    for (const life of facts.lives.values()) {
      const check = checkOf(life.running);
      if (check === undefined || !isUp(life) || life.group !== 'leader' || life.probe.outstanding) continue;
      const last = life.probe.answeredAt < NEVER ? life.probe.answeredAt : life.spawnedAt;
      if (facts.now > last + Math.max(check.interval, check.start_interval)) {
        throw new Violation(
          'a daemon that is up is probed again and again',
          '5 Watchdog',
          `${life.name}: last at ${last}`,
        );
      }
    }
  },
};

function wayOf(spec: DaemonSpec): Way {
  if (spec.ready !== undefined)
    return spec.ready.after === undefined ? { by: 'word' } : { by: 'time', after: spec.ready.after };
  return checkOf(spec) === undefined ? { by: 'time', after: DEFAULT_AFTER } : { by: 'probe' };
}

function startTimeoutOf(spec: DaemonSpec): number {
  return (
    spec.start_timeout ?? (spec.ready !== undefined && spec.ready.after === undefined ? DEFAULT_START_TIMEOUT : NEVER)
  );
}
