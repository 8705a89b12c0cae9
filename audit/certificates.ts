import { drift, LOOK_AS_ROOT, missing, ok, type Row, unknown } from './row.ts';

/** A certificate that agents are to trust. */
export interface CertificateFacts {
  readonly daemon: string;
  readonly file: string;
  readonly found:
    | {
        readonly kind: 'certificate';
        /** In ms since 1970. */
        readonly validTo: number;
        /** SHA-256 of it, in hex without colons. */
        readonly sha256: string;
      }
    | { readonly kind: 'absent' }
    | { readonly kind: 'invalid' }
    | { readonly kind: 'unknown'; readonly reason: string };
  /** That which the daemon goes by, as it says; undefined where it does not say. */
  readonly inForce: string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Agents take the new one when they start the next time: time enough to start them. */
const SOON_MS = 30 * DAY_MS;

const RENEW = 'remove it, and bottled restart';

/** Compares a certificate with the time, `now` in ms since 1970, and with the one that is in use. */
export function certificateRow({ daemon, file, found, inForce }: CertificateFacts, now: number): Row {
  const what = `${daemon}: ${file}`;
  const renew = `${RENEW} ${daemon} makes it anew from the same key; agents that copied it take the new one`;
  if (found.kind === 'unknown') return unknown('certificates', what, found.reason, LOOK_AS_ROOT);
  if (found.kind === 'absent') {
    return missing(
      'certificates',
      what,
      'the file is not there',
      `bottled restore, or bottled restart ${daemon} makes it anew`,
    );
  }
  if (found.kind === 'invalid') return drift('certificates', what, 'is no certificate in PEM', renew);
  const until = new Date(found.validTo).toISOString().slice(0, 10);
  if (found.validTo <= now) return drift('certificates', what, `expired on ${until}`, renew);
  if (inForce !== undefined && inForce !== found.sha256) {
    return drift(
      'certificates',
      what,
      `${daemon} goes by another certificate, SHA-256 ${short(inForce)}`,
      `bottled restart ${daemon}`,
    );
  }
  if (found.validTo - now < SOON_MS) return drift('certificates', what, `expires soon, on ${until}`, renew);
  return ok('certificates', what, `valid to ${until}, SHA-256 ${short(found.sha256)}`);
}

function short(hex: string): string {
  return hex.slice(0, 16);
}
