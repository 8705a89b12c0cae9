import { type Facts, holding, type Life, type Step } from '../facts.ts';
import { Violation } from '../violation.ts';
import type { Rule } from './rule.ts';

/** DESIGN 5, Exit, Restart, Diagnosis: completed, failed, or started again, at once or after its back-off. */
export const endsAsTheRestartPolicySays: Rule = {
  afterStep: ({ facts, step }) => {
    const { sequel } = facts;
    if (sequel === undefined) return;
    const life = facts.lives.get(sequel.daemon);
    if (life === undefined) return;
    const spawned = step.effects.some((effect) => effect.type === 'spawn' && effect.daemon === life.name);
    switch (sequel.kind) {
      case 'any':
        // DESIGN leaves it open what follows: the count goes on from what the policy makes of it.
        life.attempts = step.after.daemons.get(life.name)?.attempts ?? life.attempts;
        return;
      case 'leave':
        if (!step.after.daemons.has(life.name)) return;
        throw new Violation(sequel.because, '5 Reload', `${life.name} is still there`);
      case 'state':
        if (sequel.allowed.includes(life.status) && !spawned) return;
        throw new Violation(sequel.because, '5 Exit, Restart, Diagnosis', `${life.name} is ${life.status}`);
      case 'fallback':
        mustStart(life, facts, spawned, 'a fallback_command starts as soon as the old group is gone');
        return;
      case 'start':
        mustStart(life, facts, spawned, 'an ordered restart starts as soon as the old group is gone');
        return;
      case 'restart':
        life.attempts = sequel.attempt;
        if (sequel.attempt === 1 && life.running.backoff.at_once)
          mustStart(life, facts, spawned, 'the first restart is at once');
        else judgeDelay(life, step, sequel.attempt);
    }
  },
};

/** DESIGN 5, Restart: the fallback_command runs in place of a command that cannot run here, and never else. */
export const fallsBackForAReason: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'spawn') return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined) return;
    const program = programAfter(life, facts);
    if (effect.fallback && effect.spec.fallback_command.length === 0) {
      throw new Violation('a fallback_command is started only where there is one', '5 Restart', effect.daemon);
    }
    if (program === 'either' || effect.fallback === (program === 'fallback')) return;
    throw new Violation(
      'the fallback_command stands in for a command that cannot run here, until somebody asks for the command',
      '5 Restart',
      `${effect.daemon} is started by its ${effect.fallback ? 'fallback_command' : 'command'}`,
    );
  },
  afterStep: ({ facts }) => {
    const life = facts.sequel === undefined ? undefined : facts.lives.get(facts.sequel.daemon);
    // What has been spawned already knows what it runs.
    if (life !== undefined && life.group === 'none') life.program = programAfter(life, facts);
  },
};

/** What a daemon is to run next, once what its last end is followed by is taken in. */
function programAfter(life: Life, { sequel }: Facts): Life['program'] {
  if (sequel?.daemon !== life.name) return life.program;
  if (sequel.kind === 'fallback') return 'fallback';
  if (sequel.kind === 'start') return 'command';
  return sequel.kind === 'any' ? 'either' : life.program;
}

/** DESIGN 5, Restart: a daemon leaves `backoff` when its delay is over, neither earlier nor later. */
export const backoffIsKept: Rule = {
  onEffect: (effect, { facts, step }) => {
    if (effect.type !== 'changed' || effect.from !== 'backoff') return;
    if (effect.to !== 'starting' && effect.to !== 'pending') return;
    const life = facts.lives.get(effect.daemon);
    const state = step.before.daemons.get(effect.daemon)?.state;
    if (state?.status !== 'backoff' || life === undefined) return;
    const asked = step.event.type === 'command' || step.event.type === 'signal' || step.event.type === 'reload';
    if (!asked && step.event.at < state.retryAt) {
      throw new Violation(
        'a retry waits for its back-off',
        '5 Restart',
        `${effect.daemon}: ${state.retryAt - step.event.at} ms too early`,
      );
    }
  },
  afterStep: ({ step }) => {
    if (step.event.type !== 'tick') return;
    for (const [name, { state }] of step.after.daemons) {
      if (state.status === 'backoff' && state.retryAt <= step.event.at) {
        throw new Violation('a retry comes when its back-off is over', '5 Restart', name);
      }
    }
  },
};

/** DESIGN 2: a crash, a give-up, a failed probe and a SIGKILL after grace are incidents. */
export const incidentsAreTold: Rule = {
  afterStep: ({ facts, step }) => {
    const { event } = step;
    const told = (daemon: string): boolean =>
      step.effects.some((effect) => effect.type === 'incident' && effect.daemon === daemon);
    if (event.type === 'exited' || event.type === 'spawn-failed') {
      const life = facts.lives.get(event.daemon);
      const before = step.before.daemons.get(event.daemon);
      if (
        life === undefined ||
        life.incarnation !== event.incarnation ||
        before === undefined ||
        facts.shutdown !== undefined ||
        life.end?.ordered === true
      )
        return;
      const wasUp = before.state.status === 'starting' || before.state.status === 'running';
      const bad =
        event.type === 'spawn-failed' ||
        !life.running.success_exit_codes.includes('code' in event.exit ? event.exit.code : -1);
      if (wasUp && bad && !told(event.daemon)) throw new Violation('a crash is an incident', '2', event.daemon);
    }
    for (const effect of step.effects) {
      if (effect.type !== 'changed' || effect.to === effect.from || told(effect.daemon)) continue;
      if (effect.to === 'stopping' && facts.lives.get(effect.daemon)?.blamed !== undefined) {
        throw new Violation('a failed probe or start is an incident', '2', effect.daemon);
      }
    }
  },
};

/** It has started in this step, or waits for a dependency that does not hold or has failed. */
function mustStart(life: Life, facts: Facts, spawned: boolean, rule: string): void {
  if (spawned || facts.shutdown !== undefined) return;
  const open = Object.entries(life.spec.depends_on).some(
    ([name, link]) => holding(link, facts.lives.get(name)) !== 'yes',
  );
  if (open && (life.status === 'pending' || life.status === 'failed')) return;
  throw new Violation(rule, '5 Restart', `${life.name} is ${life.status}`);
}

/**
 * `initial × factor^n` with its jitter, never above `max`, cut to whole units; n = 0 for the first restart that waits. Half a millisecond for
 * rounding.
 */
function judgeDelay(life: Life, { after, event }: Step, attempt: number): void {
  const { at_once, initial, factor, max, jitter, unit } = life.running.backoff;
  const wait = initial * factor ** (attempt - (at_once ? 2 : 1));
  const cut = (ms: number): number => (unit === 0 ? ms : Math.floor(ms / unit) * unit);
  const [least, most] = [cut(Math.min(wait * (1 - jitter), max) - 0.5), cut(Math.min(wait * (1 + jitter), max) + 0.5)];
  const state = after.daemons.get(life.name)?.state;
  if (state?.status !== 'backoff') {
    if (least <= 0 || after.shutdown !== undefined) return;
    throw new Violation(
      'a restart after the first waits',
      '5 Restart',
      `${life.name} is ${state?.status} at restart ${attempt}`,
    );
  }
  const delay = state.retryAt - event.at;
  if (delay >= least && delay <= most) return;
  const bounds = `${delay} ms at restart ${attempt}, not within ${least} and ${most}`;
  throw new Violation(
    'back-off is initial × factor^n ± its jitter, at most max',
    '5 Restart',
    `${life.name}: ${bounds}`,
  );
}
