import { hash } from 'node:crypto';
import type { Proposal } from '../proposal.ts';

/** SHA-256 (hex) over exactly what a person is shown and decides about: JSON of kind, target, current, proposed and the facts by name. */
export function shownHash(what: Pick<Proposal, 'kind' | 'target' | 'current' | 'proposed' | 'facts'>): string {
  const facts = Object.entries(what.facts).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify([what.kind, what.target, what.current, what.proposed, facts]), 'hex');
}

/** SHA-256 (hex) of the text of a file. */
export function textHash(text: string): string {
  return hash('sha256', text, 'hex');
}
