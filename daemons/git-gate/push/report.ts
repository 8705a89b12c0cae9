import { type Answer, tellAnswer } from '../../reports/reporter.ts';
import { printable } from '../../text/printable.ts';
import type { FindingTold } from './ask-operator.ts';
import type { ObjectFault, Where } from './inspect.ts';
import type { Refusal } from './rules.ts';
import type { Found } from './scan.ts';

/** Findings that are told one by one. */
const MOST_TOLD = 20;

/** A finding with the commit that brings it, where that is known. */
export interface Told extends Found<Where> {
  readonly commit: string | undefined;
}

/** Findings of one secret in one place count once; as many as are told. */
export function worthTelling(found: readonly Found<Where>[]): readonly Found<Where>[] {
  const seen = new Set<string>();
  return found.filter(({ finding, where }) => {
    const key = `${finding.fingerprint} ${where.kind} ${where.kind === 'file' ? where.path : ''}`;
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Findings in words that anybody may read: a name is cut where a secret begins in it. */
export function inWords(told: readonly Told[], flagged: ReadonlyMap<string, number>): readonly FindingTold[] {
  return told.slice(0, MOST_TOLD).map(({ finding, where, commit }) => ({
    fingerprint: finding.fingerprint,
    rule: printable(finding.rule, 100),
    what: printable(finding.what, 200),
    place: placeOf(where, finding.line, flagged),
    commit,
  }));
}

/** What the agent reads when secrets were found. `answers`: what the operator has said so far, by fingerprint; none where nobody can be asked. */
export function tellFindings(
  told: readonly FindingTold[],
  total: number,
  answers: ReadonlyMap<string, Answer> | undefined,
): readonly string[] {
  const lines = [REFUSED, ''];
  for (const { fingerprint, rule, what, place, commit } of told) {
    lines.push(`  ${rule}: ${what}`);
    lines.push(`    in ${place}${commit === undefined ? '' : `, commit ${commit}`}`);
    lines.push(`    fingerprint ${fingerprint}`);
    const answer = answers?.get(fingerprint);
    if (answer !== undefined) lines.push(`    ${tellStanding(answer)}`);
  }
  const more = total - Math.min(told.length, MOST_TOLD);
  if (more > 0) lines.push(`  and ${more} more`);
  return [
    ...lines,
    '',
    'Take it out of every new commit, not only out of the last one (git rebase -i), and revoke it if it is real.',
    nextStep(answers),
  ];
}

function tellStanding(answer: Answer): string {
  return answer.kind === 'approved' ? `the operator has allowed it (${answer.id}): push again` : tellAnswer(answer);
}

/** How it goes on where it is no secret. */
function nextStep(answers: ReadonlyMap<string, Answer> | undefined): string {
  const kinds = new Set([...(answers?.values() ?? [])].map(({ kind }) => kind));
  if (kinds.has('unanswered') || kinds.has('approved'))
    return 'If it is no secret: the operator was asked to let it pass. Push again once it is allowed; until then, go on with other work.';
  if (kinds.has('rejected'))
    return 'If it is no secret all the same, talk to the operator: asking again changes nothing.';
  return 'If it is no secret, the operator can let it pass by its fingerprint, under "allow" in git-gate.yaml.';
}

/** What the agent reads when a ref may not change so. */
export function tellRefusals(refusals: readonly Refusal[]): readonly string[] {
  const lines = refusals
    .slice(0, MOST_TOLD)
    .map(({ rule, ref, reason }) => `  ${printable(ref, 200)}: ${reason} [${rule}]`);
  return [REFUSED, ...lines, ...more(refusals)];
}

/** What the agent reads when an object may not pass for what it is. */
export function tellFaults(faults: readonly ObjectFault[]): readonly string[] {
  const lines = faults
    .slice(0, MOST_TOLD)
    .map(({ rule, path, reason }) => `  ${printable(path, 200)}: ${reason} [${rule}]`);
  return [REFUSED, ...lines, ...more(faults)];
}

/** What the agent reads when the gate, and not the push, is at fault. */
export function tellReasons(reasons: readonly string[]): readonly string[] {
  return [REFUSED, ...reasons.slice(0, MOST_TOLD).map((reason) => `  ${printable(reason, 400)}`)];
}

const REFUSED = 'git-gate: refused; nothing was pushed';

function more(all: readonly unknown[]): readonly string[] {
  return all.length > MOST_TOLD ? [`  and ${all.length - MOST_TOLD} more`] : [];
}

function placeOf(where: Where, line: number, flagged: ReadonlyMap<string, number>): string {
  switch (where.kind) {
    case 'file':
      return `${where.path === '' ? `the object ${where.id.slice(0, 10)}` : quotedName(where.path, flagged)}, line ${line}`;
    case 'path':
      return `the name of a file or directory: ${quotedName(where.path, flagged)}`;
    case 'ref':
      return `the name of a ref: ${quotedName(where.ref, flagged)}`;
    default:
      return partOf(where.head, line, where.kind);
  }
}

/** The name of a ref or a path up to where a secret begins in it, or in one of the directories around. */
export function quotedName(path: string, flagged: ReadonlyMap<string, number>): string {
  const cuts = [...flagged].filter(([prefix]) => path.startsWith(prefix)).map(([, bytes]) => bytes);
  if (cuts.length === 0) return printable(path, 200);
  return `${printable(
    Buffer.from(path)
      .subarray(0, Math.min(...cuts))
      .toString('utf8'),
    200,
  )}…`;
}

/** The field of a commit or a tag in which a line stands; of the message, which of its lines. */
function partOf(head: string, line: number, kind: 'commit' | 'tag'): string {
  const lines = head.split('\n');
  const headers = lines.indexOf('');
  if (headers < 0 || line > headers + 1) return `the message of a ${kind}, line ${Math.max(line - headers - 1, 1)}`;
  const field = lines
    .slice(0, line)
    .findLast((header) => /^[a-z-]+ /.test(header))
    ?.split(' ', 1)[0];
  return `the field "${field === undefined ? 'header' : printable(field, 20)}" of a ${kind}`;
}
