import { join, sep } from 'node:path';
import { describeByteSize } from '../../../config/byte-size.ts';
import type { Reporter } from '../../reports/reporter.ts';
import type { Scanner } from '../../scanner/finding.ts';
import type { SecondEngine } from '../../scanner/second-engine.ts';
import type { GateConfig, Repo } from '../config/load.ts';
import type { Limits } from '../config/schema.ts';
import { gitEnvironment } from '../git/environment.ts';
import { runGit } from '../git/process.ts';
import { whyNoneFree, whyNoRoom } from '../mirror/disk.ts';
import { QUARANTINE_PREFIX, scratchPath } from '../mirror/mirror.ts';
import type { Settings } from '../settings.ts';
import { askOperator } from './ask-operator.ts';
import { forward } from './forward.ts';
import { type HookQuestion, isNone, type RefChange } from './hook.ts';
import { faultsOfSizes, inspect, type Where } from './inspect.ts';
import { commitOf, withoutKnown } from './known.ts';
import { type NewObject, newObjects, type Store } from './objects.ts';
import {
  inWords,
  quotedName,
  type Told,
  tellFaults,
  tellFindings,
  tellReasons,
  tellRefusals,
  worthTelling,
} from './report.ts';
import { judgeRef, namesByCase, type Refusal } from './rules.ts';
import type { Found } from './scan.ts';
import { openSecondOpinion } from './second-opinion.ts';

/** What became of a push. `say` is for the agent, line by line; `rules` are the stable names of what refused it. */
export interface Outcome {
  readonly accepted: boolean;
  readonly rules: readonly string[];
  readonly say: readonly string[];
  readonly changes: readonly RefChange[];
  readonly objects: number;
  readonly bytes: number;
}

export interface JudgeOptions {
  readonly settings: Settings;
  readonly repo: Repo;
  readonly config: GateConfig;
  readonly path: string;
  readonly scanner: Scanner;
  readonly secondEngine: SecondEngine | undefined;
  /** Undefined where the operator cannot be asked. */
  readonly reporter: Reporter | undefined;
  readonly signal: AbortSignal;
}

/** Refs of one push that the operator is told of. */
const MOST_REFS_TOLD = 5;
/** A single question to git may take as long. */
const ASK_MS = 60_000;

/**
 * Decides on one push, while it is still in quarantine and the repository is locked: rules for refs, then sizes, then
 * the scan, and last upstream itself. Never rejects: what cannot be decided is refused.
 */
export async function judge(question: HookQuestion, options: JudgeOptions): Promise<Outcome> {
  const changes = question.ok ? question.changes : [];
  const refused = (rules: readonly string[], say: readonly string[], objects: readonly NewObject[] = []): Outcome => ({
    accepted: false,
    rules,
    say,
    changes,
    objects: objects.length,
    bytes: sizeOf(objects),
  });
  if (!question.ok) return refused(['malformed'], tellReasons([question.reason]));
  const quarantine = quarantineOf(question.quarantine, options.path);
  if (quarantine === undefined)
    return refused(['malformed'], tellReasons(['git says no quarantine of this repository']));
  const env = gitEnvironment(options.settings, quarantine);
  const store: Store = { cwd: options.path, env, signal: options.signal };
  try {
    const full = await whyNoRoom(options.settings, options.config.limits, {
      repo: options.repo.name,
      quarantine: quarantine.GIT_OBJECT_DIRECTORY,
    });
    if (full !== undefined) return refused(['disk'], tellReasons([full]));
    const refusals = await refusalsOf(changes, options.repo, options.config.limits, store);
    if (refusals.length > 0) return refused(namesOf(refusals), tellRefusals(refusals));
    const tips = changes.filter((change) => !isNone(change.new)).map((change) => change.new);
    const objects = tips.length === 0 ? [] : await newObjects(tips, store);
    const scanned = await scan(changes, tips, objects, store, options);
    if (scanned !== undefined) return refused(scanned.rules, scanned.say, objects);
    const { limits } = options.config;
    const sent = await forward(changes, { settings: options.settings, repo: options.repo, limits, quarantine, store });
    if (!sent.ok) return refused(['upstream'], [...sent.words, ...tellReasons(sent.reasons)], objects);
    const summary = `git-gate: ${objects.length} new objects (${describeByteSize(sizeOf(objects))}) scanned; upstream has them`;
    return {
      accepted: true,
      rules: [],
      say: [...sent.words, summary],
      changes,
      objects: objects.length,
      bytes: sizeOf(objects),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return refused(['not-scanned'], tellReasons([reason]));
  }
}

interface Verdict {
  readonly rules: readonly string[];
  readonly say: readonly string[];
}

/** Undefined where there is nothing against the push. */
async function scan(
  changes: readonly RefChange[],
  tips: readonly string[],
  objects: readonly NewObject[],
  store: Store,
  options: JudgeOptions,
): Promise<Verdict | undefined> {
  const { rules } = options.repo;
  const tooLarge = faultsOfSizes(objects, { maxContent: options.config.limits.max_content, rules });
  if (tooLarge.length > 0) return { rules: namesOf(tooLarge), say: tellFaults(tooLarge) };
  const refs = changes.filter((change) => !isNone(change.new)).map((change) => change.ref);
  const engine = options.config.withSecondEngine ? options.secondEngine : undefined;
  const room = () => whyNoneFree(options.settings, options.config.limits);
  const second = openSecondOpinion(engine, scratchPath(options.settings), room);
  const inspection = await inspect(objects, refs, rules, { scanner: options.scanner, second }, store).finally(
    second.close,
  );
  const open = inspection.found.filter(({ finding }) => !options.config.allowed.has(finding.fingerprint));
  const found = await withoutKnown(open, store);
  if (found.length > 0)
    return { rules: namesOf(found.map(({ finding }) => finding)), say: await tell(found, refs, tips, store, options) };
  if (inspection.faults.length > 0) return { rules: namesOf(inspection.faults), say: tellFaults(inspection.faults) };
  return undefined;
}

async function tell(
  found: readonly Found<Where>[],
  refs: readonly string[],
  tips: readonly string[],
  store: Store,
  { repo, reporter }: JudgeOptions,
): Promise<readonly string[]> {
  const worth = worthTelling(found);
  const told: Told[] = [];
  for (const item of worth.slice(0, 20)) told.push({ ...item, commit: await commitOf(item.where, tips, store) });
  const flagged = flaggedNames(found);
  const words = inWords(told, flagged);
  const push = { repo: repo.name, refs: refs.slice(0, MOST_REFS_TOLD).map((ref) => quotedName(ref, flagged)) };
  return tellFindings(words, worth.length, reporter === undefined ? undefined : askOperator(words, push, reporter));
}

/** Names in which something was found, and how many bytes of each may be shown. */
function flaggedNames(found: readonly Found<Where>[]): ReadonlyMap<string, number> {
  const flagged = new Map<string, number>();
  for (const { finding, where } of found) {
    const name = where.kind === 'path' ? where.path : where.kind === 'ref' ? where.ref : undefined;
    if (name !== undefined)
      flagged.set(
        name,
        finding.line > 1 ? 0 : Math.min(flagged.get(name) ?? Number.POSITIVE_INFINITY, finding.column - 1),
      );
  }
  return flagged;
}

/** The rules of the refs, and which of them would lose commits. */
async function refusalsOf(
  changes: readonly RefChange[],
  repo: Repo,
  { max_refs }: Limits,
  store: Store,
): Promise<readonly Refusal[]> {
  const listed = await runGit(['for-each-ref', '--format=%(objectname) %(refname)'], { ...store, timeout: ASK_MS });
  if (!listed.ok) throw new Error('git cannot list the refs of the mirror');
  const refs = new Map(
    listed.stdout.split('\n').flatMap((line) => {
      const space = line.indexOf(' ');
      return space < 0 ? [] : [[line.slice(space + 1), line.slice(0, space)] satisfies [string, string]];
    }),
  );
  const head = await runGit(['symbolic-ref', '--quiet', 'HEAD'], { ...store, timeout: ASK_MS });
  const pushed = changes.map(({ ref }) => ref);
  const all = new Set([...refs.keys(), ...pushed]);
  const around = {
    rules: repo.rules,
    refs,
    names: namesByCase(all),
    count: all.size,
    mostRefs: max_refs,
    defaultBranch: head.ok ? head.stdout.trim() : undefined,
  };
  const refusals: Refusal[] = [];
  for (const change of changes) {
    const refusal = judgeRef(change, around) ?? (await judgeForce(change, repo, store));
    if (refusal !== undefined) refusals.push(refusal);
  }
  return refusals;
}

async function judgeForce({ old, new: next, ref }: RefChange, repo: Repo, store: Store): Promise<Refusal | undefined> {
  if (repo.rules.allowForce || isNone(old) || isNone(next) || !ref.startsWith('refs/heads/')) return undefined;
  const asked = await runGit(['merge-base', '--is-ancestor', old, next], { ...store, timeout: ASK_MS });
  if (asked.ok) return undefined;
  const reason =
    'it would lose commits that upstream has (a forced push); the operator decides, in git-gate.yaml: allow_force';
  return { rule: 'force', ref, reason };
}

/** The variables under which git sees what has arrived; undefined where the hook names another place. */
function quarantineOf(directory: string | undefined, mirror: string): Readonly<Record<string, string>> | undefined {
  if (directory === undefined) return { GIT_DIR: mirror };
  const objects = join(mirror, 'objects');
  const place = join(directory);
  if (!place.startsWith(`${objects}${sep}${QUARANTINE_PREFIX}`) || place.slice(objects.length + 1).includes(sep))
    return undefined;
  return { GIT_DIR: mirror, GIT_OBJECT_DIRECTORY: place, GIT_ALTERNATE_OBJECT_DIRECTORIES: objects };
}

function namesOf(items: readonly { readonly rule: string }[]): readonly string[] {
  return [...new Set(items.map(({ rule }) => rule))];
}

function sizeOf(objects: readonly NewObject[]): number {
  return objects.reduce((total, { size }) => total + size, 0);
}
