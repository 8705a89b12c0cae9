import type { Log } from '../log/log.ts';
import type { Unread } from './engine.ts';
import type { Exchange, Question, RawHeaders, Verdict } from './verdict.ts';

/** How much of the traffic is logged: nothing, what is refused, or everything (`log` in routes.yaml). */
export type TrafficLevel = 0 | 1 | 2;

export interface TrafficLogOptions {
  readonly log: Log;
  /** Asked at each exchange, since a reload may change it. */
  readonly level: () => TrafficLevel;
  /** Puts stars in the place of every known secret. */
  readonly mask: (text: string) => string;
  /** Lower-case names of headers that carry credentials: their values are never shown. */
  readonly secretHeaders: () => ReadonlySet<string>;
}

/** Longer values are cut in the log, and more headers than this are left out of it. */
const LONGEST_VALUE = 512;
const MOST_HEADERS = 64;

const HIDDEN = '********';

/** Headers that hold credentials of the client or of the server, whatever the routes say. */
const ALWAYS_HIDDEN = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);

/** Logs what was refused for its form as `egress_blocked` (level 1 and 2). Nothing that was sent is in the line but the host of a tunnel. */
export function createUnreadLog({
  log,
  level,
  mask,
}: Omit<TrafficLogOptions, 'secretHeaders'>): (unread: Unread) => void {
  return ({ refusal, authority }) => {
    if (level() === 0) return;
    const { code, reason, status } = refusal;
    const host = authority === undefined ? undefined : cut(mask(authority.host));
    log('warn', shown(`egress: refused ${host ?? 'what was no request'}: ${mask(reason)}`), {
      event: 'egress_blocked',
      code,
      reason: mask(reason),
      host,
      port: authority?.port,
      status,
    });
  };
}

/** Logs exchanges as `egress_blocked` (level 1 and 2), `egress_request` and `egress_response` (level 2). Bodies are not logged. */
export function createTrafficLog({ log, level, mask, secretHeaders }: TrafficLogOptions): (exchange: Exchange) => void {
  function report(exchange: Exchange): void {
    const wanted = level();
    if (wanted === 0) return;
    if (exchange.verdict.kind === 'refused') logRefusal(exchange, exchange.verdict);
    else if (wanted === 2) logPassage(exchange, exchange.verdict);
  }

  function logRefusal({ question, status }: Exchange, refusal: Extract<Verdict, { kind: 'refused' }>): void {
    const place = placeOf(question, pathOf(question.target));
    log('warn', shown(`egress: refused ${place.method} ${place.host}${place.path}: ${mask(refusal.reason)}`), {
      event: 'egress_blocked',
      code: refusal.code,
      reason: mask(refusal.reason),
      ...place,
      route: refusal.route,
      status: status ?? refusal.status,
    });
  }

  function logPassage(exchange: Exchange, verdict: Exclude<Verdict, { kind: 'refused' }>): void {
    const { question, status, fault } = exchange;
    const allowed = verdict.kind === 'allowed' ? verdict : undefined;
    const place = placeOf(question, allowed?.target ?? question.target);
    const what = shown(`${place.method} ${place.host}${place.path}`);
    log('info', `egress: ${what}`, {
      event: 'egress_request',
      ...place,
      kind: question.kind,
      route: allowed?.route ?? 'egress.internal',
      headers: headersOf(allowed?.headers ?? question.headers),
    });
    log('info', `egress: ${status ?? fault ?? 'no answer'} to ${what}`, {
      event: 'egress_response',
      ...place,
      route: allowed?.route ?? 'egress.internal',
      status,
      fault,
      headers: headersOf(exchange.responseHeaders ?? []),
      sent_bytes: exchange.sentBytes,
      received_bytes: exchange.receivedBytes,
      duration_ms: Math.round(exchange.duration_ms),
    });
  }

  function placeOf({ scheme, authority, method }: Question, path: string): Place {
    const { host, port } = authority;
    return { scheme, host: cut(mask(host)), port, method: cut(mask(method)), path: cut(mask(path)) };
  }

  function headersOf(headers: RawHeaders): Readonly<Record<string, string | readonly string[]>> {
    const hidden = secretHeaders();
    const kept = new Map<string, string[]>();
    for (let at = 0; at + 1 < headers.length && at < 2 * MOST_HEADERS; at += 2) {
      const name = headers[at]?.toLowerCase() ?? '';
      const value = ALWAYS_HIDDEN.has(name) || hidden.has(name) ? HIDDEN : cut(mask(headers[at + 1] ?? ''));
      const shownName = cut(mask(name));
      kept.set(shownName, [...(kept.get(shownName) ?? []), value]);
    }
    return Object.fromEntries(
      [...kept].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
    );
  }

  return report;
}

interface Place {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

/** What of a target is logged where it was refused: a query often holds what was not meant to go out. */
function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

function cut(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 1)}…` : text;
}

/** In a plain line, a control character of the agent's could forge another line or move the cursor. */
function shown(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
