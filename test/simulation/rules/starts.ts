import { type Facts, holding, isUp, type Life } from '../facts.ts';
import { Violation } from '../violation.ts';
import type { Rule, Sight } from './rule.ts';
import { isHeld } from './stops.ts';

/** DESIGN 5, Stop: "The next start waits until the old group is gone". */
export const oneLifeAtATime: Rule = {
  onEffect: (effect, { facts, processes }) => {
    if (effect.type !== 'spawn') return;
    const life = facts.lives.get(effect.daemon);
    const name = 'never two live instances of one daemon';
    if (life !== undefined && life.group !== 'none')
      throw new Violation(name, '5 Stop', `${effect.daemon}: its ${life.group} still live`);
    const living = processes.living(effect.daemon);
    if (living.length > 0)
      throw new Violation(name, '5 Stop', `${effect.daemon}: incarnation ${living.join(', ')} still lives`);
    if (facts.spawned.has(`${effect.daemon}#${effect.incarnation}`)) {
      throw new Violation(
        'incarnation numbers are unique',
        '5',
        `${effect.daemon}: ${effect.incarnation} was used before`,
      );
    }
  },
};

/** DESIGN 5, Start: "all whose dependencies hold". */
export const startsAfterDependencies: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'spawn') return;
    for (const [name, link] of Object.entries(effect.spec.depends_on)) {
      const holds = holding(link, facts.lives.get(name));
      if (holds === 'yes' || holds === 'maybe') continue;
      throw new Violation(
        'none starts before its dependencies hold',
        '5 Start',
        `${effect.daemon}: ${link.condition} of ${name} does not`,
      );
    }
  },
};

/** DESIGN 5, Start: "at once"; "A dependency that fails for good fails its dependents with that cause; nothing waits forever". */
export const nobodyWaitsInVain: Rule = {
  afterStep: ({ facts }) => {
    if (facts.shutdown !== undefined) return;
    for (const life of facts.lives.values()) {
      if (life.status !== 'pending' || life.removed || facts.now === 0) continue;
      const links = Object.entries(life.spec.depends_on).map(([name, link]) => ({
        name,
        holds: holding(link, facts.lives.get(name)),
      }));
      const hopeless = links.find(({ holds }) => holds === 'never');
      if (hopeless !== undefined) {
        throw new Violation(
          'a dependency that fails for good fails its dependents',
          '5 Start',
          `${life.name} still waits for ${hopeless.name}`,
        );
      }
      if (links.every(({ holds }) => holds === 'yes') && !(isNew(life) && someoneLeaves(facts))) {
        throw new Violation(
          'a daemon whose dependencies hold starts at once',
          '5 Start',
          `${life.name} is still pending`,
        );
      }
    }
  },
};

/** DESIGN 5, Stop and Reload: a daemon under a new name waits for the one under its old name, "so ports are free". */
export const newcomersWaitForLeavers: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'spawn' || !someoneLeaves(facts)) return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || !isNew(life) || life.incarnation > 0) return;
    throw new Violation('a new daemon waits until those that a reload removed are gone', '5 Reload', effect.daemon);
  },
};

/** Nothing of it has run to its end yet. */
function isNew(life: Life): boolean {
  return life.end?.exit === undefined;
}

function someoneLeaves(facts: Facts): boolean {
  return [...facts.lives.values()].some(({ removed, group }) => removed && group !== 'none');
}

/** DESIGN 5, Start and Diagnosis: `dependency-failed` is said only where a required dependency can no longer hold. */
export const dependencyFailedIsTrue: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'changed' || effect.to !== 'failed' || effect.cause?.kind !== 'dependency-failed') return;
    const life = facts.lives.get(effect.daemon);
    const links = Object.entries(life?.spec.depends_on ?? {});
    if (links.some(([name, link]) => link.required && holding(link, facts.lives.get(name)) === 'never')) return;
    throw new Violation('dependency-failed is said only where it is true', '5 Start', effect.daemon);
  },
};

/** DESIGN 5, Operator: "A daemon that an operator stopped stays stopped". */
export const operatorsStopIsFinal: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'spawn') return;
    if (facts.lives.get(effect.daemon)?.heldDown !== true) return;
    throw new Violation(
      "an operator's stop is final",
      '5 Operator',
      `${effect.daemon} is started although an operator stopped it`,
    );
  },
  afterStep: ({ facts, step }) => {
    for (const life of facts.lives.values()) {
      if (!life.heldDown || life.removed || facts.shutdown !== undefined) continue;
      const calm = life.group === 'none' ? ['stopped', 'completed', 'failed'] : ['stopping'];
      if (calm.includes(life.status) || (life.group !== 'none' && isHeld(life, facts))) continue;
      throw new Violation(
        "an operator's stop is final",
        '5 Operator',
        `${life.name} is ${life.status} after ${step.event.type}`,
      );
    }
  },
};

/** DESIGN 5, Reload: the new file is in force at the next start. */
export const startsWithNewestSpec: Rule = {
  onEffect: (effect, { facts }) => {
    if (effect.type !== 'spawn') return;
    const life = facts.lives.get(effect.daemon);
    if (life === undefined || life.removed)
      throw new Violation('only daemons of the bundle are started', '5 Reload', effect.daemon);
    if (life.spec !== effect.spec && JSON.stringify(life.spec) !== JSON.stringify(effect.spec)) {
      throw new Violation('a daemon starts with its newest specification', '5 Reload', effect.daemon);
    }
  },
};

/** Compose, depends_on.restart: restarted after an operator restarted the dependency. */
export const dependentsFollowARestart: Rule = {
  afterStep: ({ facts }) => {
    if (facts.shutdown !== undefined) return;
    for (const [name, duty] of facts.mustFollow) {
      const [life, leader] = [facts.lives.get(name), facts.lives.get(duty.leader)];
      if (
        life === undefined ||
        leader === undefined ||
        life.incarnation !== duty.incarnation ||
        life.order !== 'none'
      ) {
        facts.mustFollow.delete(name);
      } else if (
        leader.incarnation > duty.after &&
        isUp(life) &&
        !isHeld(life, facts) &&
        linkHolds(life, duty.leader, facts.lives)
      ) {
        throw new Violation(
          'depends_on.restart is followed',
          '5 Operator',
          `${name} did not follow the restart of ${duty.leader}`,
        );
      }
    }
  },
};

function linkHolds(life: Life, leader: string, lives: Sight['facts']['lives']): boolean {
  const link = life.spec.depends_on[leader];
  return link !== undefined && holding(link, lives.get(leader)) === 'yes';
}
