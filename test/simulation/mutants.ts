/** A rule of the policy, broken on purpose. */
export interface Mutant {
  /** What the policy then does wrong. */
  readonly name: string;
  /** In init/lifecycle. */
  readonly file: string;
  /** Text that occurs once in it. */
  readonly find: string;
  readonly replace: string;
}

/** The simulation is worth something as far as it finds these. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'forgets that an operator stopped it',
    file: 'end.ts',
    find: "case 'down':\n",
    replace:
      "case 'down':\n      if (step.shutdown === undefined) { decideRestart(step, name, daemon, ending, ended); return; }\n",
  },
  {
    name: 'does not wait for the old group',
    file: 'end.ts',
    find: 'if (remains) stopRemains(',
    replace: 'if (remains && false) stopRemains(',
  },
  {
    name: 'grants one restart too many',
    file: 'end.ts',
    find: 'attempts >= maxAttempts(spec)',
    replace: 'attempts > maxAttempts(spec)',
  },
  {
    name: 'does not count restarts in a row',
    file: 'end.ts',
    find: 'attempts: attempts + 1,',
    replace: 'attempts,',
  },
  {
    name: 'adds the jitter after the cap',
    file: 'backoff.ts',
    find: 'Math.min(max, base * (1 - jitter + 2 * jitter * random))',
    replace: 'Math.min(max, base) * (1 - jitter + 2 * jitter * random)',
  },
  {
    name: 'makes the first restart wait',
    file: 'backoff.ts',
    find: 'if (waited < 0 ||',
    replace: 'if (',
  },
  {
    name: 'raises the back-off one step too early',
    file: 'backoff.ts',
    find: '** waited',
    replace: '** (waited + 1)',
  },
  {
    name: 'never starts the count anew after reset_after',
    file: 'backoff.ts',
    find: '>= spec.backoff.reset_after ? 0 : attempts',
    replace: '>= spec.backoff.reset_after ? attempts : attempts',
  },
  {
    name: 'makes no restart wait that at_once: false speaks of',
    file: 'backoff.ts',
    find: 'at_once ? attempts - 1 : attempts',
    replace: 'attempts - 1',
  },
  {
    name: 'waits parts of a unit',
    file: 'backoff.ts',
    find: 'delay - (delay % unit)',
    replace: 'delay',
  },
  {
    name: 'never falls back',
    file: 'end.ts',
    find: 'return !fallback && spec.fallback_command.length > 0',
    replace: 'return fallback && !fallback && spec.fallback_command.length > 0',
  },
  {
    name: 'falls back again and again',
    file: 'end.ts',
    find: 'return !fallback && spec',
    replace: 'return spec',
  },
  {
    name: 'falls back after any bad end',
    file: 'end.ts',
    find: '> 0 && cannotRunHere(cause);',
    replace: '> 0;',
  },
  {
    name: 'falls back to a command that there is not',
    file: 'end.ts',
    find: '!fallback && spec.fallback_command.length > 0 &&',
    replace: '!fallback && spec.fallback_command.length >= 0 &&',
  },
  {
    name: 'keeps to the fallback when the operator asks for a restart',
    file: 'end.ts',
    find: '        next: undefined,\n        fallback: false,',
    replace: '        next: undefined,',
  },
  {
    name: 'keeps to the fallback when the operator brings it back',
    file: 'command.ts',
    find: 'attempts: 0, fallback: false }',
    replace: 'attempts: 0 }',
  },
  {
    name: 'tries again what a retry cannot mend',
    file: 'end.ts',
    find: 'cause !== undefined && isPermanent(',
    replace: 'cause !== undefined && step.at < 0 && isPermanent(',
  },
  {
    name: 'starts dependents before their dependency is ready',
    file: 'dependencies.ts',
    find: "return isReady(state) ? 'holds' : 'waits';",
    replace: "return isReady(state) || state.status === 'starting' ? 'holds' : 'waits';",
  },
  {
    name: 'lets dependents wait for a dependency that has failed',
    file: 'dependencies.ts',
    find: "if (state.status === 'failed') return {",
    replace: "if (state.status === 'failed') return condition !== 'service_started' ? 'waits' : {",
  },
  {
    name: 'lets an optional dependency fail its dependents',
    file: 'dependencies.ts',
    find: "&& !required ? 'holds' : standing",
    replace: "&& required === undefined ? 'holds' : standing",
  },
  {
    name: 'ignores the second SIGTERM',
    file: 'shutdown.ts',
    find: 'if (earlier > 0 &&',
    replace: 'if (earlier > 1 &&',
  },
  {
    name: 'kills before the grace',
    file: 'stop.ts',
    find: 'at + spec.stop_grace_period',
    replace: 'at + spec.stop_grace_period / 2',
  },
  {
    name: 'kills long after the grace',
    file: 'stop.ts',
    find: 'at + spec.stop_grace_period',
    replace: 'at + spec.stop_grace_period * 3',
  },
  {
    name: 'stops dependencies with their dependents',
    file: 'leaving.ts',
    find: 'held.add(name)',
    replace: 'held.delete(name)',
  },
  {
    name: 'stops in start order',
    file: 'leaving.ts',
    find: 'for (const name of Object.keys(spec.depends_on)) held.add(name);',
    replace:
      'for (const [name, other] of step.daemons) if (Object.keys(other.spec.depends_on).some((on) => step.daemons.get(on)?.spec === spec)) held.add(name);',
  },
  {
    name: 'sends the stop signal without pre_stop',
    file: 'stop.ts',
    find: 'spec.pre_stop.length > 0',
    replace: 'spec.pre_stop.length > 1',
  },
  {
    name: 'has no deadline for the whole bundle',
    file: 'shutdown.ts',
    find: 'const killAt = step.at + step.bundle.stop_grace_period;',
    replace: 'const killAt = step.at + step.bundle.stop_grace_period + 3_600_000;',
  },
  {
    name: 'outlives an essential daemon',
    file: 'shutdown.ts',
    find: 'if (ended && spec.essential)',
    replace: "if (state.status === 'failed' && spec.essential)",
  },
  {
    name: 'stays when all have ended',
    file: 'shutdown.ts',
    find: "if (over) beginShutdown(step, 'every daemon has ended');",
    replace: "if (over && step.at < 0) beginShutdown(step, 'every daemon has ended');",
  },
  {
    name: 'obeys operators in a shutdown',
    file: 'command.ts',
    find: 'if (step.shutdown !== undefined) return refuse(',
    replace: 'if (step.shutdown?.killed === true) return refuse(',
  },
  {
    name: 'takes events of an earlier incarnation for those of the living one',
    file: 'transition.ts',
    find: 'daemon === undefined || daemon.incarnation !== event.incarnation',
    replace: 'daemon === undefined',
  },
  {
    name: 'counts failed probes of the start period',
    file: 'start.ts',
    find: 'passed || patient ? 0 :',
    replace: 'passed ? 0 :',
  },
  {
    name: 'does not restart an unhealthy daemon',
    file: 'start.ts',
    find: "spec.on_unhealthy === 'restart'",
    replace: "spec.on_unhealthy !== 'restart'",
  },
  {
    name: 'restarts everything at a reload',
    file: 'reload.ts',
    find: '!isDeepStrictEqual(',
    replace: '!Object.is(',
  },
  {
    name: 'draws jitter from a source that cannot be repeated',
    file: 'step.ts',
    find: 'step.random = (step.random + 0x6d2b79f5) | 0;',
    replace: 'step.random = (step.random + Math.floor(Math.random() * 1e9)) | 0;',
  },
  {
    name: 'changes the state that it was given',
    file: 'step.ts',
    find: 'daemons: new Map(state.daemons)',
    replace: 'daemons: state.daemons as Map<string, Daemon>',
  },
  {
    name: 'takes the last bad end for the first',
    file: 'exit-code.ts',
    find: 'a.at - b.at',
    replace: 'b.at - a.at',
  },
  {
    name: 'takes the best bad end for the worst',
    file: 'exit-code.ts',
    find: 'b.code - a.code',
    replace: 'a.code - b.code',
  },
  {
    name: 'leaves the dependents of a restarted daemon alone',
    file: 'command.ts',
    find: 'if (spec.depends_on[name]?.restart !== true',
    replace: 'if (step.at >= 0 || spec.depends_on[name]?.restart !== true',
  },
  {
    name: 'loses what a reload brought while an operator stopped the daemon',
    file: 'end.ts',
    find: "case 'down':\n      update(step, name, { spec: daemon.next ?? daemon.spec, next: undefined, fallback: false });",
    replace: "case 'down':",
  },
  {
    name: 'forgets that an internal fault ends with 70',
    file: 'exit-code.ts',
    find: 'shutdown?.fault === true',
    replace: 'shutdown?.fault === undefined',
  },
  {
    name: 'takes the end by its own stop signal for a bad one',
    file: 'end.ts',
    find: 'asked && (isSignal(',
    replace: '!asked && (isSignal(',
  },
  {
    name: 'draws only the first consequence of an event',
    file: 'transition.ts',
    find: 'while (advance(step));',
    replace: 'advance(step);',
  },
  {
    name: 'never gives up a start that takes for ever',
    file: 'start.ts',
    find: 'timeoutAt: step.at + startTimeout(spec)',
    replace: 'timeoutAt: step.at + startTimeout(spec) * 1_000',
  },
  {
    name: 'probes a ready daemon as often as a starting one',
    file: 'readiness.ts',
    find: 'return patient ?',
    replace: 'return patient || check.interval > 0 ?',
  },
  {
    name: 'keeps quiet about crashes',
    file: 'end.ts',
    find: '(!isKilled(before)) reportIncident(',
    replace: '(!isKilled(before) && step.at < 0) reportIncident(',
  },
  {
    name: 'leaves before those that it killed are gone',
    file: 'shutdown.ts',
    find: 'const LEAVE_AFTER_KILL_MS = 2_000;',
    replace: 'const LEAVE_AFTER_KILL_MS = 1;',
  },
  {
    name: 'waits for ever for a process that cannot die',
    file: 'shutdown.ts',
    find: 'const LEAVE_AFTER_KILL_MS = 2_000;',
    replace: 'const LEAVE_AFTER_KILL_MS = 3_600_000;',
  },
  {
    name: 'leaves a daemon that it is to remove',
    file: 'reload.ts',
    find: "if (isAlive(daemon.state)) update(step, name, { goal: 'remove', next: undefined });\n  else",
    replace: '',
  },
  {
    name: 'starts a daemon while the one that it replaces still has its port',
    file: 'dependencies.ts',
    find: "filter(([, { goal }]) => goal === 'remove')",
    replace: "filter(([name, { goal }]) => goal === 'remove' && name === '')",
  },
  {
    name: 'delivers a signal that asks for a restart',
    file: 'signal.ts',
    find: "{ do: 'restart' }",
    replace: "{ do: 'signal', signal }",
  },
  {
    name: 'does not take back readiness',
    file: 'start.ts',
    find: 'enter(step, name, { ...state, ready: false }',
    replace: 'enter(step, name, { ...state, ready: true }',
  },
  {
    name: 'never makes an ill daemon ready again',
    file: 'start.ts',
    find: 'else enter(step, name, { ...state, ready: true }',
    replace: 'else if (step.at < 0) enter(step, name, { ...state, ready: true }',
  },
  {
    name: 'runs pre_stop for one that has died',
    file: 'stop.ts',
    find: 'ending, cause: ending?.cause }, why, ending?.cause);',
    replace:
      "ending, cause: ending?.cause }, why, ending?.cause);\n  step.effects.push({ type: 'run-hooks', daemon: name, incarnation, stage: 'pre_stop', spec });",
  },
];
