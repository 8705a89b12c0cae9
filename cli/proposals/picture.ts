import { isUnderWay, KINDS } from '../../daemons/approval/kinds.ts';
import type { Proposal, ProposalStatus } from '../../daemons/supervise/proposal.ts';
import { printableText } from '../../daemons/supervise/text.ts';
import { unifiedDiff } from '../../daemons/text/unified-diff.ts';
import { paint, table } from '../output.ts';
import { span } from '../quantity.ts';

type Colour = 'green' | 'yellow' | 'red' | 'gray';

const STATUS_STYLES: Readonly<Record<ProposalStatus, Colour>> = {
  pending: 'yellow',
  approved: 'yellow',
  modified: 'yellow',
  applied: 'green',
  failed: 'red',
  rejected: 'gray',
  expired: 'gray',
  stale: 'gray',
  acknowledged: 'gray',
};

const HEAD = ['ID', 'KIND', 'STATUS', 'SOURCE', 'AGE', 'EXPIRES', 'TIMES', 'ABOUT'];
const LONGEST_ABOUT = 80;
/** Last lines of a daemon that stand below its incident in a list. */
const LINES_IN_LIST = 3;

/** A table of proposals, and below it the last lines of those that are incidents. */
export function listText(proposals: readonly Proposal[], now: number): string {
  const rows = table(
    HEAD,
    proposals.map((proposal) => row(proposal, now)),
    (text, column) => (column === 2 ? paint(styleOf(text), text) : text),
  );
  const incidents = proposals.filter(({ kind, status }) => kind === 'incident' && status === 'pending');
  return rows + incidents.map(lastLines).join('');
}

function styleOf(status: string): Colour {
  return Object.entries(STATUS_STYLES).find(([name]) => name === status)?.[1] ?? 'gray';
}

function row(proposal: Proposal, now: number): string[] {
  const { id, kind, status, source, created, times } = proposal;
  return [id, kind, status, source, span(since(created, now)), expiry(proposal, now), String(times), about(proposal)];
}

function expiry({ status, expires }: Proposal, now: number): string {
  return status !== 'pending' || expires === null ? '-' : span(Math.max(0, Date.parse(expires) - now));
}

function since(time: string, now: number): number {
  return Math.max(0, now - Date.parse(time));
}

/** In one line: for an incident what happened to whom, else why somebody wants it. */
function about({ kind, justification, facts }: Proposal): string {
  const text = kind === 'incident' ? `${facts.daemon ?? ''}: ${justification}` : justification;
  const line = printableText(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > LONGEST_ABOUT ? `${line.slice(0, LONGEST_ABOUT - 1)}…` : line;
}

/** A proposal as it comes, in a line; below it the last lines of the daemon where it is an incident. */
export function newsText(proposal: Proposal, now: number): string {
  const { id, kind, source } = proposal;
  const time = proposal.expires === null ? '' : `, ${expiry(proposal, now)} to decide`;
  const line = `${paint('bold', id)}  ${kind} from ${source}${time}: ${about(proposal)}\n`;
  return kind === 'incident' ? line + lastLines(proposal) : line;
}

/** What an operator can do about a proposal now; empty where there is nothing to do. */
export function nextText(proposal: Proposal): string {
  const { id, kind, status } = proposal;
  const { needsReason, canBeEdited } = KINDS[kind];
  const command = (action: string, more = '') => `bottled proposals ${action} ${id}${more}`;
  if (status === 'pending' && kind === 'incident') return `next: ${command('acknowledge')}\n`;
  if (status === 'pending') {
    const ways = [
      command('approve', needsReason ? ' --reason TEXT' : ''),
      ...(canBeEdited ? [command('edit')] : []),
      command('reject', ' --reason TEXT'),
    ];
    return `next: ${ways.join('\n   or ')}\n`;
  }
  return isUnderWay(proposal) ? `next: ${command('approve')}, which puts it into force\n` : '';
}

function lastLines({ id, facts }: Proposal): string {
  const lines = linesOf(facts.lines ?? '').slice(-LINES_IN_LIST);
  return lines.map((line) => paint('gray', `${id} | ${line}`)).join('\n') + (lines.length === 0 ? '' : '\n');
}

function linesOf(text: string): readonly string[] {
  return printableText(text)
    .split('\n')
    .filter((line) => line !== '');
}

/** Everything about one proposal. `diff` is what approving it changes. */
export function proposalText(proposal: Proposal, diff: string, now: number): string {
  const { id, kind, status, source, justification, target, created, expires, times, facts, shown } = proposal;
  const fields: (readonly [string, string])[] = [
    ['from', source],
    ['proposed', `${created}, ${span(since(created, now))} ago${times > 1 ? `, ${times} times` : ''}`],
    ...(status === 'pending' && expires !== null
      ? [['expires', `${expires}, in ${expiry(proposal, now)}`] as const]
      : []),
    ...(target === '' ? [] : [['changes', target] as const]),
    ['shown', shown],
    ...Object.entries(facts).map(([name, value]) => [name, value] as const),
    ...decisionFields(proposal),
  ];
  const advice = adviceText(proposal);
  const width = Math.max(...fields.map(([name]) => name.length));
  return [
    `${paint('bold', id)}  ${kind}  ${paint(STATUS_STYLES[status], status)}`,
    ...fields.map(([name, value]) => `${name.padEnd(width)}  ${indented(value, width + 2)}`),
    '',
    indented(justification, 0),
    ...(advice === '' ? [] : ['', advice]),
    ...(diff === '' ? [] : ['', paintDiff(diff).trimEnd()]),
    '',
  ].join('\n');
}

const RISK_STYLES = { low: 'green', medium: 'yellow', high: 'red' } as const;

/** What a model says of it, and what that is worth; empty where none has said anything. */
function adviceText({ opinion }: Proposal): string {
  if (opinion === null) return '';
  const { risk, reason, model } = opinion;
  const head = `advice of the model ${indented(model, 0)}: ${paint(RISK_STYLES[risk], `${risk} risk`)}`;
  return `${head}. Untrusted: it can be wrong, and be misled by what is proposed; you decide.\n  ${indented(reason, 2)}`;
}

function decisionFields({ decision, outcome }: Proposal): (readonly [string, string])[] {
  const fields: (readonly [string, string])[] = [];
  if (decision !== null) {
    const { verdict, by, time, reason } = decision;
    fields.push([verdict, `by ${by}, ${time}${reason === '' ? '' : `: ${reason}`}`]);
  }
  if (outcome !== null) fields.push([outcome.result, `${outcome.time}: ${outcome.detail}`]);
  return fields;
}

/** Text of others, each further line as far in as the first. */
function indented(text: string, by: number): string {
  return printableText(text)
    .trimEnd()
    .replaceAll('\n', `\n${' '.repeat(by)}`);
}

/** The change that approving makes: of what the file holds now, where that is what the proposal is about. */
export function diffOf({ target, kind, current, proposed, decision, outcome }: Proposal, held: string): string {
  if (outcome !== null && outcome.diff !== '') return outcome.diff;
  if (kind === 'incident' || target === '') return '';
  return unifiedDiff(target, held === '' && current === '' ? undefined : held, decision?.final ?? proposed);
}

const DIFF_STYLES: readonly (readonly [string, 'bold' | 'cyan' | 'red' | 'green'])[] = [
  ['--- ', 'bold'],
  ['+++ ', 'bold'],
  ['@@', 'cyan'],
  ['-', 'red'],
  ['+', 'green'],
];

/** A unified diff in colour, fit for a terminal. */
export function paintDiff(diff: string): string {
  return printableText(diff)
    .split('\n')
    .map((line) => {
      const style = DIFF_STYLES.find(([begin]) => line.startsWith(begin))?.[1];
      return style === undefined ? line : paint(style, line);
    })
    .join('\n');
}
