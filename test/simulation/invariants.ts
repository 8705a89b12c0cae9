import type { Bundle } from '../../init/bundle/schema.ts';
import { createFacts, type Step } from './facts.ts';
import { hear, see } from './hearing.ts';
import type { Processes } from './processes.ts';
import {
  acceptedIsDone,
  changesAreAnnounced,
  deadlinesAreMet,
  onlyTheLivingAreTouched,
  reloadTouchesOnlyWhatChanged,
  requestsAreAnswered,
  signalsDoAsTheBundleSays,
} from './rules/bookkeeping.ts';
import { backoffIsKept, endsAsTheRestartPolicySays, fallsBackForAReason, incidentsAreTold } from './rules/ends.ts';
import { exitCodeIsTheTables } from './rules/exit-code.ts';
import {
  probedAtItsInterval,
  readyByItsOwnWay,
  startsInTime,
  stoppedForAReason,
  unhealthyIsActedUpon,
} from './rules/readiness.ts';
import type { Rule } from './rules/rule.ts';
import {
  endsForAReason,
  endsInTime,
  nothingAfterTheExit,
  nothingStartsInAShutdown,
  stopsInReverseOrder,
} from './rules/shutdown.ts';
import {
  dependencyFailedIsTrue,
  dependentsFollowARestart,
  newcomersWaitForLeavers,
  nobodyWaitsInVain,
  oneLifeAtATime,
  operatorsStopIsFinal,
  startsAfterDependencies,
  startsWithNewestSpec,
} from './rules/starts.ts';
import { killsAfterTheGrace, stopsInStages } from './rules/stops.ts';
import { sequelOf } from './sequel.ts';

/** Every rule, in the order in which they are asked: those that explain a breach best come first. */
const RULES: readonly Rule[] = [
  nothingAfterTheExit,
  nothingStartsInAShutdown,
  oneLifeAtATime,
  onlyTheLivingAreTouched,
  operatorsStopIsFinal,
  startsAfterDependencies,
  startsWithNewestSpec,
  newcomersWaitForLeavers,
  stopsInReverseOrder,
  stoppedForAReason,
  killsAfterTheGrace,
  stopsInStages,
  readyByItsOwnWay,
  startsInTime,
  unhealthyIsActedUpon,
  probedAtItsInterval,
  changesAreAnnounced,
  backoffIsKept,
  fallsBackForAReason,
  endsAsTheRestartPolicySays,
  dependencyFailedIsTrue,
  nobodyWaitsInVain,
  dependentsFollowARestart,
  incidentsAreTold,
  requestsAreAnswered,
  acceptedIsDone,
  reloadTouchesOnlyWhatChanged,
  signalsDoAsTheBundleSays,
  endsForAReason,
  exitCodeIsTheTables,
  endsInTime,
  deadlinesAreMet,
];

const EFFECT_RULES = RULES.flatMap(({ onEffect }) => (onEffect === undefined ? [] : [onEffect]));
const STEP_RULES = RULES.flatMap(({ afterStep }) => (afterStep === undefined ? [] : [afterStep]));

/** Judges one run, step by step. `judge` throws a `Violation` at the first broken rule. */
export function createJudge(bundle: Bundle, processes: Processes): { judge(step: Step): void } {
  const facts = createFacts(bundle);
  return {
    judge: (step) => {
      const sight = { facts, step, processes };
      hear(facts, step);
      facts.sequel = sequelOf(facts, step);
      for (const effect of step.effects) {
        for (const rule of EFFECT_RULES) rule(effect, sight);
        see(facts, effect, step);
      }
      for (const rule of STEP_RULES) rule(sight);
    },
  };
}
