import { drift, LOOK_AS_ROOT, missing, ok, type Row, unknown } from './row.ts';

/** A directory that a daemon declares in `data`. */
export interface DataFacts {
  readonly daemon: string;
  readonly path: string;
  readonly backup: string;
  readonly declared: { readonly mode: number; readonly uid: number; readonly gid: number };
  readonly found:
    | { readonly kind: 'directory'; readonly mode: number; readonly uid: number; readonly gid: number }
    | { readonly kind: 'absent' }
    | { readonly kind: 'other'; readonly is: string }
    | { readonly kind: 'unknown'; readonly reason: string };
}

/** Compares a data directory with what is declared of it. */
export function dataRow({ daemon, path, backup, declared, found }: DataFacts): Row {
  const what = `${daemon}: ${path}`;
  if (found.kind === 'unknown') return unknown('data', what, found.reason, LOOK_AS_ROOT);
  if (found.kind === 'absent') {
    const again = `bottled restart ${daemon} makes it anew`;
    const remedy = backup === 'must-back-up' ? `bottled restore, or ${again}, empty` : again;
    return missing('data', what, `not there; it is ${backup}`, remedy);
  }
  if (found.kind === 'other') {
    return drift('data', what, `is ${found.is} and no directory`, `move it away, then bottled restart ${daemon}`);
  }
  const faults: string[] = [];
  const remedies: string[] = [];
  if (found.mode !== declared.mode) {
    faults.push(`mode ${octal(found.mode)}, declared ${octal(declared.mode)}`);
    // Root without the capability FOWNER, as in the bundle's container, may not.
    remedies.push(`as user ${found.uid}: chmod ${octal(declared.mode)} ${path}`);
  }
  if (found.uid !== declared.uid || found.gid !== declared.gid) {
    faults.push(`owner ${found.uid}:${found.gid}, declared ${declared.uid}:${declared.gid}`);
    remedies.push(`as root: chown ${declared.uid}:${declared.gid} ${path}`);
  }
  if (faults.length > 0) return drift('data', what, faults.join('; '), remedies.join('; '));
  return ok('data', what, `${octal(found.mode)}, owner ${found.uid}:${found.gid}, ${backup}`);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
