import { createHash } from 'node:crypto';
import type { Bottle } from '../bottle/schema.ts';

/** Names of the objects of a bottle. Each begins with that of the bottle, so that several share a namespace. */
export function namesOf({ name }: Pick<Bottle, 'name'>) {
  return {
    workload: name,
    config: `${name}-config`,
    guard: `${name}-guard`,
    /** One Secret for all: its keys may be called as bottle.yaml calls them, which names of objects may not. */
    secret: `${name}-secrets`,
    data: `${name}-data`,
    /** Of a volume that the bottle names. No bottle has a "." in its name, so no other bottle's claim is called so. */
    claim: (volume: string) => `${name}.${objectName(volume)}`,
    model: `${name}-model`,
  } as const;
}

/** The labels by which everything of a bottle is found. They must never change: a Deployment cannot be given others. */
export function labelsOf({ name }: Pick<Bottle, 'name'>): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': 'bottle',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/managed-by': 'bottled',
  };
}

/** The labels of its model server, which is another pod. */
export function modelLabelsOf(bottle: Pick<Bottle, 'name'>): Readonly<Record<string, string>> {
  return { ...labelsOf(bottle), 'app.kubernetes.io/name': 'bottle-model' };
}

/** As long as leaves room for the name of the bottle and a prefix in a DNS label (63 characters). */
const LONGEST = 20;

/**
 * A name as Kubernetes wants it (RFC 1123), for a volume or a path: as it is where that is one already, else what can be kept of it with a digest, so that
 * two never become one.
 */
export function objectName(text: string): string {
  const kept = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST)
    .replaceAll(/^-|-$/g, '');
  if (kept === text) return kept;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 6);
  return kept === '' ? digest : `${kept}-${digest}`;
}
