import { isDeepStrictEqual } from 'node:util';
import type { Bundle } from '../../init/bundle/schema.ts';
import type { Effect } from '../../init/lifecycle/effect.ts';
import type { Event } from '../../init/lifecycle/event.ts';
import { checkOf, type Facts, freshProbe, isUp, type LastEnd, type Life, NEVER, newLife, type Step } from './facts.ts';

/** Takes in what an event says, before the effects that answer it are judged. */
export function hear(facts: Facts, step: Step): void {
  const { event } = step;
  facts.now = event.at;
  switch (event.type) {
    case 'command':
      if (accepted(step, event.daemon)) obey(facts, event);
      return;
    case 'reload':
      if (accepted(step, undefined)) adopt(facts, event.bundle);
      return;
    case 'signal':
      if (facts.shutdown !== undefined) {
        if (isEnding(event.signal)) facts.shutdown.signals++;
        return;
      }
      for (const name of facts.bundle.signals[event.signal]?.restart ?? []) {
        if (accepted(step, name)) obey(facts, { daemon: name, command: { do: 'restart' } });
      }
      return;
    case 'fault':
      if (facts.shutdown !== undefined) facts.shutdown.fault = true;
      return;
    case 'begin':
    case 'tick':
      return;
    default: {
      const life = facts.lives.get(event.daemon);
      if (life === undefined || life.incarnation !== event.incarnation) return;
      const lived = life.group !== 'none';
      hearOf(life, event, facts);
      if (lived && life.group === 'none') life.goneAt = event.at;
    }
  }
}

/** Takes in what an effect says or does, after it has been judged. */
export function see(facts: Facts, effect: Effect, step: Step): void {
  if (effect.type === 'ending') {
    const bySignal = step.event.type === 'signal' && isEnding(step.event.signal);
    facts.shutdown ??= {
      since: facts.now,
      bySignal,
      signals: bySignal ? 1 : 0,
      killedAt: NEVER,
      fault: step.event.type === 'fault',
      grace: facts.bundle.stop_grace_period,
    };
  } else if (effect.type === 'kill-everything') {
    if (facts.shutdown !== undefined) facts.shutdown.killedAt = Math.min(facts.shutdown.killedAt, facts.now);
    for (const life of facts.lives.values()) life.sigkillAt = Math.min(life.sigkillAt, facts.now);
  } else if (effect.type === 'exit') {
    facts.exitedAt = facts.now;
  } else if ('daemon' in effect && effect.daemon !== undefined) {
    const life = facts.lives.get(effect.daemon);
    if (life !== undefined) seeOf(life, effect, facts, step);
  }
}

/** A signal that ends the bundle (DESIGN 6, a). */
export function isEnding(signal: string): boolean {
  return signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGQUIT';
}

/** The signal is delivered because somebody asked for exactly that, not to stop the daemon. */
export function isPassedOn(effect: Extract<Effect, { type: 'kill' }>, { event }: Step, facts: Facts): boolean {
  if (event.type === 'command') {
    return event.daemon === effect.daemon && event.command.do === 'signal' && event.command.signal === effect.signal;
  }
  if (event.type !== 'signal' || event.signal !== effect.signal) return false;
  return facts.bundle.signals[event.signal]?.signal?.includes(effect.daemon) ?? false;
}

function accepted({ effects }: Step, daemon: string | undefined): boolean {
  return effects.some((effect) => effect.type === 'answer' && effect.daemon === daemon && effect.accepted);
}

function obey(
  facts: Facts,
  { daemon, command }: Pick<Extract<Event, { type: 'command' }>, 'daemon' | 'command'>,
): void {
  const life = facts.lives.get(daemon);
  if (life === undefined) return;
  if (command.do === 'stop') {
    // One that has completed keeps that, for the sake of those that wait for it: there was nothing to stop.
    if (life.status === 'completed') return;
    life.heldDown = true;
    life.pardoned = life.group === 'none';
    life.attempts = 0;
    if (life.group !== 'none') life.order = 'down';
    return;
  }
  if (command.do === 'signal') return;
  life.heldDown = false;
  const rests = !isUp(life) && life.status !== 'stopping' && life.status !== 'pending';
  if (rests) life.program = 'command';
  if (command.do === 'start') {
    if (life.order === 'down') life.order = 'again';
    else if (life.status === 'stopping') life.loose = true;
    else if (!isUp(life) && life.status !== 'pending') life.attempts = 0;
    return;
  }
  if (isUp(life)) demandFollowers(facts, life);
  else allowFollowers(facts, life);
  if (life.group !== 'none') life.order = 'again';
  if (life.status !== 'pending') life.attempts = 0;
}

function demandFollowers(facts: Facts, leader: Life): void {
  for (const life of facts.lives.values()) {
    if (!isUp(life) || life.heldDown || life.order !== 'none') continue;
    if (life.running.depends_on[leader.name]?.restart !== true || life.spec.depends_on[leader.name]?.restart !== true)
      continue;
    facts.mustFollow.set(life.name, { incarnation: life.incarnation, leader: leader.name, after: leader.incarnation });
  }
  allowFollowers(facts, leader);
}

function allowFollowers(facts: Facts, leader: Life): void {
  for (const life of facts.lives.values()) {
    if (life.mayFollow || life === leader || life.spec.depends_on[leader.name]?.restart !== true) continue;
    life.mayFollow = true;
    allowFollowers(facts, life);
  }
}

function adopt(facts: Facts, bundle: Bundle): void {
  for (const life of facts.lives.values()) {
    const spec = bundle.daemons[life.name];
    if (spec === undefined) {
      if (life.removed) continue;
      life.removed = true;
      facts.mustFollow.delete(life.name);
      if (life.group !== 'none') life.order = 'down';
    } else if (life.removed) {
      if (life.group === 'none') facts.lives.set(life.name, newLife(life.name, spec));
      else Object.assign(life, { removed: false, spec, order: 'again', heldDown: false, loose: true });
    } else if (!isDeepStrictEqual(spec, life.spec)) {
      life.spec = spec;
      if (life.group === 'none') life.program = 'command';
      life.attempts = 0;
      life.loose = !isUp(life);
      if (life.group !== 'none' && !life.heldDown) life.order = 'again';
      if (!life.heldDown) allowFollowers(facts, life);
    }
  }
  for (const [name, spec] of Object.entries(bundle.daemons)) {
    if (!facts.lives.has(name)) facts.lives.set(name, newLife(name, spec));
  }
  facts.bundle = bundle;
}

type OfDaemon = Exclude<Event, { type: 'begin' | 'tick' | 'command' | 'reload' | 'signal' | 'fault' }>;

function hearOf(life: Life, event: OfDaemon, facts: Facts): void {
  switch (event.type) {
    case 'spawned':
      life.spawnedAt = event.at;
      return;
    case 'spawn-failed':
      life.end = endOf(life, facts, { exit: undefined, spawnError: event.error, lastLines: [] });
      life.group = 'none';
      return;
    case 'exited':
      loseReadiness(life, event.at);
      life.end = endOf(life, facts, { exit: event.exit, spawnError: undefined, lastLines: event.lastLines });
      life.group = event.remains ? 'others' : 'none';
      return;
    case 'gone':
      life.group = 'none';
      return;
    case 'ready':
      if (life.group === 'leader') life.announced = true;
      return;
    case 'hooks-ended':
      if (event.stage === 'pre_stop' && life.preStop === 'running') life.preStop = 'ended';
      return;
    case 'probed':
      hearProbe(life, event.passed, event.at);
  }
}

function endOf(life: Life, facts: Facts, how: Pick<LastEnd, 'exit' | 'spawnError' | 'lastLines'>): LastEnd {
  return {
    ...how,
    at: facts.now,
    wasReady: life.status !== 'starting',
    stopAsked: life.stopSignalAt < NEVER,
    sigkilled: life.sigkillAt < NEVER,
    blamed: life.blamed !== undefined,
    ordered: life.order !== 'none' || life.mayFollow,
    duringShutdown: facts.shutdown !== undefined,
  };
}

function hearProbe(life: Life, passed: boolean, at: number): void {
  const { probe } = life;
  const check = checkOf(life.running);
  if (!probe.outstanding || check === undefined) return;
  probe.outstanding = false;
  probe.answeredAt = at;
  probe.passing = passed;
  if (passed) {
    probe.passed = true;
    probe.certain = 0;
    probe.possible = 0;
    return;
  }
  // Without a start period the first interval is one: Docker's first probe comes only after it.
  const patience = check.start_period > 0 ? check.start_period : check.interval;
  if (life.status === 'running' || probe.askedAt >= Math.min(life.spawnedAt, at) + patience) probe.certain++;
  if (probe.passed || life.status === 'running' || at >= life.spawnAt + Math.min(patience, check.start_period))
    probe.possible++;
}

function loseReadiness(life: Life, at: number): void {
  if (life.readySince === NEVER) return;
  life.readyFor = Math.max(life.readyFor, at - life.readySince);
  life.readySince = NEVER;
}

function seeOf(life: Life, effect: Effect, facts: Facts, step: Step): void {
  switch (effect.type) {
    case 'spawn':
      Object.assign(life, {
        ...newLife(life.name, life.spec),
        status: life.status,
        attempts: life.attempts,
        end: life.end,
        incarnation: effect.incarnation,
        program: effect.fallback ? 'fallback' : 'command',
        running: effect.spec,
        group: 'leader',
        spawnAt: facts.now,
        probe: freshProbe(),
      } satisfies Partial<Life>);
      facts.spawned.add(`${effect.daemon}#${effect.incarnation}`);
      facts.mustFollow.delete(life.name);
      return;
    case 'kill':
      if (effect.to !== 'all' || isPassedOn(effect, step, facts)) return;
      if (effect.signal === 'SIGKILL') life.sigkillAt = Math.min(life.sigkillAt, facts.now);
      else if (effect.signal === life.running.stop_signal) life.stopSignalAt = Math.min(life.stopSignalAt, facts.now);
      return;
    case 'probe':
      life.probe.outstanding = true;
      life.probe.askedAt = facts.now;
      return;
    case 'run-hooks':
      if (effect.stage === 'pre_stop') life.preStop = 'running';
      return;
    case 'changed':
      if (effect.to === 'stopping' && life.status !== 'stopping') {
        life.stoppingSince = facts.now;
        if (life.group === 'leader' && life.order === 'none' && facts.shutdown === undefined)
          life.blamed = blameOf(effect.cause?.kind);
      }
      if (effect.ready && !life.ready) life.readySince = facts.now;
      if (!effect.ready) loseReadiness(life, facts.now);
      if (effect.cause?.kind === 'dependency-failed') life.pardoned = true;
      life.status = effect.to;
      life.ready = effect.ready;
      return;
    default:
  }
}

function blameOf(kind: string | undefined): Life['blamed'] {
  if (kind === 'probe-failed') return 'unhealthy';
  return kind === 'start-timeout' ? 'start-timeout' : undefined;
}
