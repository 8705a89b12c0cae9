import { basename } from 'node:path';
import type { Bundle } from '../init/bundle/schema.ts';
import { type BackupClass, INIT_NAME, serviceManifest } from './service-manifest.ts';

/** A directory or file that a backup takes as one thing, and a restore puts back as one. */
export interface Place {
  /** Names it across machines, where its path may be another: `supervise/supervise`, `config/routes.yaml`. */
  readonly id: string;
  /** The service that it is of. */
  readonly service: string;
  readonly kind: 'data' | 'config' | 'secret';
  readonly path: string;
  readonly backup: BackupClass;
}

export interface Places {
  /**
   * Data first and configuration after it: the log may then be older than a file that was approved, which the operator's
   * next `approve` mends, but never newer.
   */
  readonly taken: readonly Place[];
  /** Paths within places that are places of their own, or secrets: never taken with what is around them. */
  readonly apart: ReadonlySet<string>;
  /** Secrets that are in no file, by name: no backup can take them. */
  readonly outOfReach: readonly string[];
}

export interface Wish {
  /** Also what a start could make anew, mirrors of repositories say. */
  readonly reproducible: boolean;
  readonly secrets: boolean;
}

/** What of a bundle is to be backed up, and what may be restored. */
export function placesOf(bundle: Bundle, wish: Wish): Places {
  const all = declared(bundle);
  const secrets = Object.entries(bundle.secrets).flatMap(([name, { file, directory }]): Place[] => {
    const path = file ?? directory;
    return path ? [{ id: `secrets/${name}`, service: '', kind: 'secret', path, backup: 'must-back-up' }] : [];
  });
  const classes: ReadonlySet<BackupClass> = new Set(
    wish.reproducible ? ['must-back-up', 'git', 'reproducible'] : ['must-back-up'],
  );
  const chosen = all.filter(({ backup }) => classes.has(backup));
  return {
    taken: [
      ...chosen.filter(({ kind }) => kind === 'data'),
      ...chosen.filter(({ kind }) => kind === 'config'),
      ...(wish.secrets ? secrets : []),
    ],
    apart: new Set([...all, ...secrets].map(({ path }) => path)),
    outOfReach: Object.entries(bundle.secrets).flatMap(([name, { environment }]) =>
      environment === undefined ? [] : [name],
    ),
  };
}

/** Leaves room for the number of a second one. */
const LONGEST_NAME = 240;

/** Every path that the bundle names, once. */
function declared(bundle: Bundle): readonly Place[] {
  const places = new Map<string, Place>();
  const ids = new Set<string>();
  const add = (service: string, kind: Place['kind'], path: string, backup: BackupClass): void => {
    if (places.has(path)) return;
    // An archive's names are plain; a path may hold anything.
    const name = basename(path)
      .replaceAll(/[^\w.~-]/g, '_')
      .slice(0, LONGEST_NAME);
    const wanted = `${kind === 'config' ? 'config' : service}/${name}`;
    let id = wanted;
    for (let count = 2; ids.has(id); count++) id = `${wanted}~${count}`;
    ids.add(id);
    places.set(path, { id, service, kind, path, backup });
  };
  for (const { name, paths } of serviceManifest(bundle).services) {
    for (const { path, kind, backup } of paths) add(name, kind, path, backup);
  }
  const { audit } = bundle.control;
  // Older files of the trail lie beside it under numbers.
  for (let count = 1; audit !== undefined && count <= audit.keep; count++) {
    add(INIT_NAME, 'data', `${audit.path}.${count}`, 'must-back-up');
  }
  return [...places.values()];
}

/** True for a path itself and all below it. */
export function isWithin(path: string | undefined, directory: string | undefined): boolean {
  if (path === undefined || directory === undefined) return false;
  return path === directory || path.startsWith(`${directory}/`);
}
