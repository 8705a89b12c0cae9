import type { IncomingMessage } from 'node:http';
import type { Caller, ControlPlane } from '../lifecycle/event.ts';
import { peerOf } from '../posix/peer.ts';
import { type AllowList, isListedOrigin } from './browser.ts';
import { problem } from './problem.ts';
import type { RateLimit } from './rates.ts';
import type { Access, Whole } from './route.ts';
import type { Tokens } from './tokens/tokens.ts';

/** What a server listens on: the control socket, the socket that is for reading only, or TCP. It decides what is served. */
export type Listener = 'unix' | 'reading' | 'tcp';

/** Why requests are not let in, as metrics count them. */
export const DENIALS = ['unauthenticated', 'not-permitted', 'too-many-requests'] as const;
export type Denial = (typeof DENIALS)[number];

/** A request that is let in: what its sender may do, and who that is. */
export interface Admitted {
  readonly may: readonly Access[];
  readonly caller: Caller;
}

export interface AdmissionOptions {
  readonly over: Listener;
  /** Of the TCP listener; undefined where the bundle names none. */
  readonly tokens: Tokens | undefined;
  readonly allowed: AllowList;
  readonly rates: Rates;
  readonly onDenied: (denial: Denial, from: string) => void;
}

/** One for all listeners: a control plane has its share, whichever way it comes. */
export interface Rates {
  /** Commands, by control plane. */
  readonly commands: RateLimit;
  /** Requests with a token, by token and control plane. */
  readonly requests: RateLimit;
  /** Requests with a wrong token or none. */
  readonly strangers: RateLimit;
}

const SERVED: Readonly<Record<Listener, readonly Access[]>> = {
  unix: ['health', 'read', 'operate'],
  reading: ['health', 'read'],
  tcp: ['health'],
};

/** Decides who may use a route. */
export type Admission = (request: IncomingMessage, needed: readonly Access[]) => Verdict | Promise<Verdict>;

/** Let in, or the answer that says why not. */
export type Verdict = Admitted | Whole;

/**
 * The rules of one listener: on a unix socket its permissions have decided already, over TCP health is open to all and
 * everything else needs a bearer token that is good for it (RFC 6750).
 */
export function createAdmission({ over, tokens, allowed, rates, onDenied }: AdmissionOptions): Admission {
  const offers = over === 'tcp' && tokens !== undefined ? tokens.offers : SERVED[over];

  return function admit(request, needed) {
    const plane = planeOf(request, over, allowed);
    if (needed.some((access) => !offers.includes(access))) return problem('not-here', notServed(over, tokens));
    const isOpen = over !== 'tcp' || needed.every((access) => access === 'health');
    if (isOpen) return withinRate(request, byListener(request, plane), needed);
    return byToken(request, plane, needed).then((verdict) => withinRate(request, verdict, needed));
  };

  function withinRate(request: IncomingMessage, verdict: Verdict, needed: readonly Access[]): Verdict {
    if (!('may' in verdict) || !needed.includes('operate')) return verdict;
    const { plane } = verdict.caller;
    const wait = rates.commands.take(plane);
    return wait === 0 ? verdict : tooMany(request, `too many commands come by ${plane}`, wait);
  }

  function byListener(request: IncomingMessage, plane: ControlPlane): Admitted {
    const peer = over === 'tcp' ? undefined : peerOf(request.socket);
    const who = peer === undefined ? undefined : `uid ${peer.uid}${peer.pid === 0 ? '' : ` (pid ${peer.pid})`}`;
    return { may: SERVED[over], caller: who === undefined ? { plane } : { plane, who } };
  }

  async function byToken(request: IncomingMessage, plane: ControlPlane, needed: readonly Access[]): Promise<Verdict> {
    const given = bearerIn(request);
    const worth = given === undefined || tokens === undefined ? 'none' : await tokens.judge(given);
    if (typeof worth !== 'object') return stranger(request, worth);
    // By token, too: who may only look must not be able to keep out who commands.
    const wait = rates.requests.take(`${worth.who} ${plane}`);
    if (wait > 0) return tooMany(request, `too many requests come by ${plane}`, wait);
    if (needed.every((access) => worth.may.includes(access))) {
      return { may: worth.may, caller: { plane, who: `${worth.who} at ${addressOf(request)}` } };
    }
    onDenied('not-permitted', addressOf(request));
    const challenge = { 'www-authenticate': 'Bearer realm="bottled", error="insufficient_scope"' };
    return problem('not-permitted', 'this token is for reading only; commands need the operate token', {}, challenge);
  }

  function stranger(request: IncomingMessage, worth: 'none' | 'wrong' | 'unknown'): Whole {
    const wait = rates.strangers.take('');
    if (wait > 0) return tooMany(request, 'too many requests come without a good token', wait);
    onDenied('unauthenticated', addressOf(request));
    if (worth === 'unknown') {
      const detail = 'no token is known yet that this could be: its source has not answered; see the log of the init';
      return problem('token-unknown', detail, {}, { 'retry-after': '10' });
    }
    const error = worth === 'wrong' ? ', error="invalid_token"' : '';
    const detail =
      worth === 'wrong'
        ? 'this bearer token is not the one in force; read it anew from its source'
        : 'a bearer token is needed here: send "Authorization: Bearer …"';
    return problem('unauthenticated', detail, {}, { 'www-authenticate': `Bearer realm="bottled"${error}` });
  }

  function tooMany(request: IncomingMessage, why: string, seconds: number): Whole {
    onDenied('too-many-requests', over === 'tcp' ? addressOf(request) : 'a unix socket');
    return problem('too-many-requests', `${why}; try again in ${seconds} s`, {}, { 'retry-after': String(seconds) });
  }
}

/** The bearer token that a request shows (RFC 6750 section 2.1). Of two headers none counts: a proxy may have gone by the other one. */
function bearerIn({ headersDistinct }: IncomingMessage): string | undefined {
  const [shown = '', ...more] = headersDistinct.authorization ?? [];
  return more.length > 0 ? undefined : /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(shown)?.[1];
}

/**
 * By which control plane a request comes. It says so itself (`X-Bottled-Plane`), as far as that can be: over TCP nobody is the
 * command line, and a page from a listed origin is always the web. Anything else is plain HTTP. It is a label: no rights hang on it.
 */
function planeOf({ headers }: IncomingMessage, over: Listener, allowed: AllowList): ControlPlane {
  if (over === 'tcp' && isListedOrigin(headers.origin, allowed)) return 'web';
  const said = headers['x-bottled-plane'];
  if (said === 'mcp' || said === 'web' || (said === 'cli' && over !== 'tcp')) return said;
  return 'http';
}

function notServed(over: Listener, tokens: Tokens | undefined): string {
  if (over === 'reading') return 'this socket is for reading only; commands go to the control socket';
  if (over === 'unix') return 'this is not served here';
  return tokens === undefined
    ? 'over TCP only health and metrics are served; use the control socket, or set control.tokens'
    : 'over TCP no commands are served; use the control socket, or set control.tokens.operate';
}

function addressOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress?.replace(/^::ffff:/, '') ?? 'an unknown address';
}
