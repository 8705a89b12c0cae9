import { createHash } from 'node:crypto';

/**
 * A rendered file carries in its first line the SHA-256 of what follows, so that a change by someone else shows: an approved proposal, say,
 * which must not be lost when the bottle is rendered again.
 */
export function seal(text: string): string {
  return `# Rendered by "bottled render" from bottle.yaml: change that, not this. sha256:${hashOf(text)}\n${text}`;
}

/** Whether a text is what a renderer made, and nobody has changed it since. */
export function isAsRendered(text: string): boolean {
  const [, hash, rest] = /^# Rendered by "bottled render"[^\n]*sha256:([0-9a-f]{64})\n(.*)$/s.exec(text) ?? [];
  return hash !== undefined && rest !== undefined && hash === hashOf(rest);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
