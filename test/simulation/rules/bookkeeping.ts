import type { Status } from '../../../init/lifecycle/state.ts';
import { NEVER } from '../facts.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** DESIGN 5: the life of a daemon. Who is not listed cannot be reached from there. */
const EDGES: Readonly<Record<Status, readonly Status[]>> = {
  pending: ['starting', 'stopped', 'failed'],
  starting: ['starting', 'running', 'stopping', 'stopped', 'completed', 'failed', 'backoff', 'pending'],
  running: ['running', 'starting', 'stopping', 'stopped', 'completed', 'failed', 'backoff', 'pending'],
  stopping: ['stopped', 'completed', 'failed', 'backoff', 'pending', 'starting'],
  stopped: ['pending', 'starting'],
  backoff: ['pending', 'starting', 'stopped', 'failed'],
  completed: ['pending', 'starting', 'stopped'],
  failed: ['pending', 'starting', 'stopped'],
};

/** DESIGN 5: "Every change of state is an event", along the edges of the state machine, and it tells the truth. */
export const changesAreAnnounced: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type !== 'changed') return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined) return;
    if (effect.from !== life.status) {
      throw new Violation(
        'a change tells the true old state',
        '5',
        `${life.name} was ${life.status}, not ${effect.from}`,
      );
    }
    if (!EDGES[effect.from].includes(effect.to)) {
      throw new Violation(
        'states change along legal edges',
        '5',
        `${life.name}: ${effect.from} to ${effect.to} after ${step.event.type}`,
      );
    }
    if (effect.to === effect.from && effect.ready === life.ready && effect.to !== 'starting') {
      throw new Violation('a change changes something', '5', `${life.name}: ${effect.from}`);
    }
    if (effect.to === 'failed' && effect.cause === undefined)
      throw new Violation('a failure has a cause', '5 Diagnosis', life.name);
  },
  afterStep: ({ facts, step }) => {
    for (const [name, { state, incarnation }] of step.after.daemons) {
      const life = facts.lives.get(name);
      if (life === undefined) throw new Violation('only daemons of the bundle', '5', name);
      if (life.status !== state.status) {
        throw new Violation(
          'every change of state is announced',
          '5',
          `${name}: ${life.status} to ${state.status} after ${step.event.type}`,
        );
      }
      if (state.status === 'running' && state.ready !== life.ready) {
        throw new Violation('every change of readiness is announced', '5 Ready', name);
      }
      if (incarnation !== life.incarnation && life.group !== 'none')
        throw new Violation('a new incarnation is a spawn', '5', name);
    }
    for (const life of facts.lives.values()) {
      if (!life.removed && !step.after.daemons.has(life.name)) throw new Violation('no daemon is lost', '5', life.name);
      if (life.removed && life.group !== 'none' && !step.after.daemons.has(life.name)) {
        throw new Violation('no daemon is forgotten while it lives', '5 Reload', life.name);
      }
    }
  },
};

/** A number of a process that is gone may belong to somebody else: nothing is done to an incarnation that has ended. */
export const onlyTheLivingAreTouched: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'kill' && effect.type !== 'probe' && effect.type !== 'run-hooks') return;
    const life = facts.lives.get(effect.daemon);
    const rule = 'only a living incarnation is touched';
    if (life === undefined || life.incarnation !== effect.incarnation) {
      throw new Violation(rule, '5', `${effect.type} for ${effect.daemon} ${effect.incarnation}`);
    }
    if (life.group === 'leader' || (effect.type === 'kill' && effect.to === 'all' && life.group === 'others')) return;
    throw new Violation(rule, '5', `${effect.type} for ${effect.daemon}, which has ended`);
  },
};

/** Deadlines are met by the tick that they asked for, and nobody who rests keeps one. */
export const deadlinesAreMet: Rule = {
  afterStep: ({ step }) => {
    const { event, after, deadline } = step;
    if (event.type === 'tick' && deadline <= event.at) {
      throw new Violation('a tick leaves no deadline in the past', '11', `${deadline} at ${event.at}`);
    }
    if (Number.isNaN(deadline)) throw new Violation('a deadline is a number', '11', event.type);
    if (deadline === NEVER || after.shutdown !== undefined) return;
    const resting = ['pending', 'stopped', 'completed', 'failed'];
    for (const { state } of after.daemons.values()) if (!resting.includes(state.status)) return;
    throw new Violation('no timer is leaked', '11', `a tick is wanted at ${deadline} although everybody rests`);
  },
};

/** DESIGN 5, Operator and Reload; 6: each request gets one answer; in a shutdown it is refused. */
export const requestsAreAnswered: Rule = {
  afterStep: ({ facts, step }) => {
    const { event, effects, before } = step;
    if (before.exited || (event.type !== 'command' && event.type !== 'reload')) return;
    const answers = effects.flatMap((effect) => (effect.type === 'answer' ? [effect] : []));
    const own = answers.filter((answer) => answer.daemon === (event.type === 'command' ? event.daemon : undefined));
    const [answer] = own;
    if (answer === undefined || own.length > 1)
      throw new Violation('one request, one answer', '5 Operator', `${own.length} answers`);
    if (answer.plane !== event.plane)
      throw new Violation('an answer goes back where the request came from', '9', answer.plane);
    if (answer.text === '') throw new Violation('an answer says something', '5 Operator', event.type);
    if (!answer.accepted) return;
    if (before.shutdown !== undefined)
      throw new Violation('requests are refused in a shutdown', '5 Operator', answer.text);
    if (event.type === 'command' && !facts.lives.has(event.daemon)) {
      throw new Violation('a request to nobody is refused', '5 Operator', answer.text);
    }
  },
};

/** DESIGN 5, Operator: what was accepted is done. */
export const acceptedIsDone: Rule = {
  afterStep: ({ facts, step }) => {
    const { event, effects } = step;
    if (event.type !== 'command' || facts.shutdown !== undefined) return;
    if (!effects.some((effect) => effect.type === 'answer' && effect.accepted && effect.daemon === event.daemon))
      return;
    const life = facts.lives.get(event.daemon);
    if (life === undefined || event.command.do === 'stop') return;
    if (event.command.do === 'signal') {
      const { signal } = event.command;
      if (
        effects.some((effect) => effect.type === 'kill' && effect.daemon === event.daemon && effect.signal === signal)
      )
        return;
      throw new Violation('an accepted signal is delivered', '5 Operator', `${signal} to ${event.daemon}`);
    }
    if (life.status !== 'stopped' && life.status !== 'completed') return;
    throw new Violation('an accepted start starts', '5 Operator', `${event.daemon} is still ${life.status}`);
  },
};

/** DESIGN 5, Reload: "only changed, added and removed daemons are touched". Dependents may follow (depends_on.restart). */
export const reloadTouchesOnlyWhatChanged: Rule = {
  afterStep: ({ facts, step }) => {
    const { event, effects, before, after } = step;
    if (event.type !== 'reload' || after.shutdown !== undefined) return;
    for (const effect of effects) {
      if (!('daemon' in effect) || effect.daemon === undefined || effect.type === 'answer') continue;
      const [old, now] = [before.bundle.daemons[effect.daemon], event.bundle.daemons[effect.daemon]];
      if (JSON.stringify(old) !== JSON.stringify(now)) continue;
      const waited = before.daemons.get(effect.daemon)?.state.status === 'pending';
      if (waited || facts.lives.get(effect.daemon)?.mayFollow === true) continue;
      throw new Violation('a reload touches only what changed', '5 Reload', `${effect.type} for ${effect.daemon}`);
    }
  },
};

/** DESIGN 4, signals: delivered to, or restarting, the daemons that are named; never both. */
export const signalsDoAsTheBundleSays: Rule = {
  afterStep: ({ facts, step }) => {
    const { event, effects, before } = step;
    if (event.type !== 'signal' || before.shutdown !== undefined || facts.shutdown !== undefined) return;
    const action = before.bundle.signals[event.signal];
    const passed = effects.flatMap((effect) =>
      effect.type === 'kill' && effect.signal === event.signal && effect.to === 'leader' ? [effect.daemon] : [],
    );
    const stray = passed.find((daemon) => action?.signal?.includes(daemon) !== true);
    if (stray !== undefined)
      throw new Violation('a signal goes only to whom the bundle names', '4', `${event.signal} to ${stray}`);
    if (action?.reload === true && !effects.some((effect) => effect.type === 'read-bundle')) {
      throw new Violation('a reload signal reads the bundle', '4', event.signal);
    }
    if (action === undefined && effects.some((effect) => effect.type !== 'answer')) {
      throw new Violation('a signal without an action does nothing', '4', event.signal);
    }
  },
};
