import { isDeepStrictEqual } from 'node:util';
import { parseConfig } from '../../config/load.ts';
import { formatProblem } from '../../config/problem.ts';
import { gateSchema } from '../git-gate/config/schema.ts';
import { settingsSchema } from '../pipelock/settings.ts';
import { parseRoutes } from '../routes/load.ts';
import { hostListOf, hostsIn } from '../supervise/pipelock-hosts.ts';
import type { ProposalKind } from '../supervise/proposal.ts';
import { printableText } from '../supervise/text.ts';
import { type Approved, KINDS, type TargetName } from './kinds.ts';
import { withAllowedFinding, withExtraHosts } from './yaml-edit.ts';

/** What an approval makes of its file. Texts of a file that is not there are undefined. */
export type Change =
  | { readonly kind: 'write'; readonly after: string }
  /** The file says so already. */
  | { readonly kind: 'already'; readonly after: string }
  /** Nothing may be written: the file is no longer what was shown, or the new text is not valid. */
  | { readonly kind: 'refused'; readonly cause: 'stale' | 'invalid'; readonly reason: string };

/** Plans the change of a file that holds `held` now. Pure. */
export async function planChange(approved: Approved, file: TargetName, held: string | undefined): Promise<Change> {
  const made = makeAfter(approved, held);
  if (!made.ok) return refused('invalid', made.reason);
  const problems = await faultsOf(file, made.after);
  if (made.after === held && problems.length === 0) return { kind: 'already', after: held };
  // What a report adds does not depend on the rest of the file.
  if (approved.kind !== 'gitleaks-allow' && !(await isAsShown(approved.kind, approved.current, held))) {
    return refused('stale', `${file} is no longer what was shown; let it be proposed anew`);
  }
  if (problems.length > 0) return refused('invalid', problems.join('\n'));
  return { kind: 'write', after: made.after };
}

/** What is wrong with what an approval of this kind would write, one line each. `held`: what the file holds now. */
export async function faultsOfWanted(approved: Approved, held: string | undefined): Promise<readonly string[]> {
  const { writes } = KINDS[approved.kind];
  if (writes === 'Dockerfile') return dockerfileFaults(approved.wanted);
  if (writes === undefined) return [];
  const made = makeAfter(approved, held);
  return made.ok ? faultsOf(writes, made.after) : [made.reason];
}

/** What the file is to hold, or why that cannot be made. */
function makeAfter(
  { kind, wanted, facts, reason }: Approved,
  held: string | undefined,
): { readonly ok: true; readonly after: string } | { readonly ok: false; readonly reason: string } {
  try {
    switch (kind) {
      case 'gitleaks-allow':
        return { ok: true, after: withAllowedFinding(held, facts.fingerprint ?? '', reason) };
      case 'pipelock-block': {
        const listed = hostsIn(wanted);
        if (!listed.ok) return { ok: false, reason: listed.faults.join('\n') };
        return { ok: true, after: withExtraHosts(held, listed.hosts) };
      }
      default:
        return { ok: true, after: wanted };
    }
  } catch (error) {
    return { ok: false, reason: `it cannot be added to: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What is wrong with a text of this file, by the rules of the daemons that read it. */
export async function faultsOf(file: TargetName, text: string): Promise<readonly string[]> {
  const checked = await check(file, text);
  return checked.ok ? [] : checked.problems.map(formatProblem);
}

function check(file: TargetName, text: string) {
  switch (file) {
    case 'routes.yaml':
      return parseRoutes(file, text);
    case 'pipelock.yaml':
      return parseConfig(file, text, settingsSchema);
    case 'git-gate.yaml':
      return parseConfig(file, text, gateSchema);
  }
}

/** A Dockerfile is read by whoever builds it; here only that it begins something can be known. */
function dockerfileFaults(text: string): readonly string[] {
  return /^\s*FROM\s+\S/im.test(text) ? [] : ['Dockerfile: has no FROM'];
}

/**
 * Whether a file holds what was shown of it: the same text, or for routes the same meaning, since comments and the way of writing decide
 * nothing. What is shown is made fit for a terminal first.
 */
export async function isAsShown(kind: ProposalKind, shown: string, held: string | undefined): Promise<boolean> {
  const text = shownOf(kind, held ?? '');
  if (shown === text || shown === printableText(text)) return true;
  if (kind !== 'egress-block') return false;
  const [then, now] = await Promise.all([parseRoutes('routes.yaml', shown), parseRoutes('routes.yaml', text)]);
  return then.ok && now.ok && isDeepStrictEqual(then.routes, now.routes);
}

/** What a proposal of this kind shows of a file that holds `text`: all of it, or the hosts that it adds to. */
export function shownOf(kind: ProposalKind, text: string): string {
  return kind === 'pipelock-block' ? (hostListOf(text) ?? text) : text;
}

function refused(cause: 'stale' | 'invalid', reason: string): Change {
  return { kind: 'refused', cause, reason };
}
