import { allValues, without } from '../http/headers.ts';
import { type Matcher, matcherOf } from '../known-secrets/matcher.ts';
import { matchRoute, type RouteMatch, type RouteVerdict } from '../routes/match.ts';
import type { Route, Routes } from '../routes/schema.ts';
import { createBodyWatch } from './body-watch.ts';
import { gitRefusal, gitUseOf } from './git-over-https.ts';
import { harmlessTrailers, inject, ownHeaders } from './injection.ts';
import { type HeadSighting, redactedHead, shownHeaders, sightingsInFields, sightingsInHead } from './outbound.ts';
import { type Secrets, type Sighting, sightingsOf } from './secrets.ts';
import { CANARY_NAME } from './settings.ts';
import type { Outgoing, Supervision } from './supervision.ts';
import type { Allowed, Answered, BodyWatch, Held, Judge, Question, RawHeaders, Refused, Verdict } from './verdict.ts';

/** What a judge decides by. None of it changes: after a reload there is another judge. */
export interface JudgeOptions {
  readonly routes: Routes;
  /** Credentials by the name of their slot. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly secrets: Secrets;
  readonly introspect: (question: Question) => Answered | undefined;
  /** Undefined where nobody can be asked: then `supervise` is `block`. */
  readonly supervision?: Supervision | undefined;
  /** Told at once of each known secret on its way out, whatever becomes of the request. */
  readonly found: (finding: SecretFound) => void;
}

/** `held`: a person is asked. */
export type SecretAction = 'blocked' | 'redacted' | 'held';

/** A known secret on its way out, and where. */
export interface SecretFound extends Sighting {
  readonly action: SecretAction;
  /** `host`, `path`, `query`, `body`, or `header` or `trailer` and its name. */
  readonly where: string;
  readonly host: string;
  readonly method: string;
  /** The route that allows the request, had it not held a secret; undefined where none does. */
  readonly route: string | undefined;
}

/** The policy of egress. What the agent does to get around it is in docs/egress.md, "What is refused". */
export function createJudge({ routes, tokens, secrets, introspect, supervision, found }: JudgeOptions): Judge {
  const own = ownHeaders(routes);
  const lessened = new Map<string, Matcher>();

  function judge(question: Question): Verdict | Held {
    const answered = introspect(question);
    if (answered !== undefined) return answered;
    const matched = routeOf(question);
    const seen = sightingsInHead(secrets, { ...question, host: question.authority.host });
    if (seen.length === 0) return judgeClean(question, matched);
    const sightings = notApproved(question, matched, seen);
    if (sightings.length === 0) return judgeClean(question, matched);
    const held = holding(question, matched, sightings);
    if (held !== undefined) {
      tell(question, matched, sightings, 'held');
      return held;
    }
    const redacted = redaction(question, matched, sightings);
    tell(question, matched, sightings, redacted === undefined ? 'blocked' : 'redacted');
    const first = sightings.find(({ isCanary }) => isCanary) ?? sightings[0];
    if (redacted !== undefined) return judgeClean(redacted, routeOf(redacted));
    return secretRefusal(first?.where ?? 'head', first?.isCanary ?? false, nameOf(matched));
  }

  /** What of it the operator has not let pass. */
  function notApproved(
    question: Question,
    matched: RouteVerdict,
    sightings: readonly HeadSighting[],
  ): readonly HeadSighting[] {
    if (supervision === undefined || matched.kind === 'refused' || onMatch(matched.route) !== 'supervise')
      return sightings;
    // Where there are more than are listed, those beyond would pass unasked.
    if (sightings.length >= MOST_ASKED) return sightings;
    return sightings.filter(
      ({ secret, isCanary, where }) =>
        isCanary || !supervision.isApproved({ credential: secret, where, ...placeOf(question) }),
    );
  }

  /** A request that a person may let pass; undefined where none may. */
  function holding(question: Question, matched: RouteVerdict, sightings: readonly HeadSighting[]): Held | undefined {
    if (supervision === undefined || matched.kind === 'refused' || onMatch(matched.route) !== 'supervise')
      return undefined;
    if (sightings.length >= MOST_ASKED || sightings.some(({ isCanary }) => isCanary)) return undefined;
    if (judgeClean(question, matched).kind !== 'allowed') return undefined;
    const isInPath = sightings.some(({ where }) => where === 'path');
    const outgoing = new Map(
      sightings.map((sighting) => [
        `${sighting.secret} ${sighting.where}`,
        outgoingOf(question, matched.route, sighting, isInPath),
      ]),
    );
    return { kind: 'held', settle: (signal) => supervision.hold([...outgoing.values()], signal) };
  }

  function outgoingOf(
    question: Question,
    route: Route,
    { secret, where, encoding }: HeadSighting,
    isInPath: boolean,
  ): Outgoing {
    const place = placeOf(question);
    return {
      credential: secret,
      where,
      encoding,
      route: route.host,
      ...place,
      shownOrigin: secrets.mask(place.origin),
      shownPath: isInPath ? HIDDEN : secrets.mask(place.path),
    };
  }

  function routeOf(question: Question): RouteVerdict {
    return matchRoute(routes, { ...question, isWebSocket: question.kind === 'websocket' });
  }

  /** The request without its secrets; undefined where the route does not want that, or where it cannot be done. */
  function redaction(question: Question, matched: RouteVerdict, seen: readonly Sighting[]): Question | undefined {
    if (matched.kind === 'refused' || onMatch(matched.route) !== 'redact') return undefined;
    if (seen.some(({ isCanary }) => isCanary)) return undefined;
    const head = redactedHead(secrets, { ...question, host: question.authority.host });
    return sightingsInHead(secrets, head).length === 0
      ? { ...question, target: head.target, headers: head.headers }
      : undefined;
  }

  function tell(
    { authority, method }: Question,
    matched: RouteVerdict,
    sightings: readonly HeadSighting[],
    action: SecretAction,
  ): void {
    for (const sighting of sightings.slice(0, MOST_TOLD)) {
      found({ ...sighting, action, host: secrets.mask(authority.host), method, route: nameOf(matched) });
    }
  }

  function judgeClean(question: Question, matched: RouteVerdict): Verdict {
    const git = gitUseOf(question.target, question.headers);
    if (git !== undefined) return refused(403, 'git-over-https', gitRefusal(git), nameOf(matched));
    if (matched.kind === 'refused')
      return BUNDLE_HOSTS.has(question.authority.host)
        ? goesAroundProxy(question)
        : refused(matched.status, matched.code, matched.reason);
    return bodyRefusal(question, matched.route) ?? allow(question, matched);
  }

  function allow(question: Question, matched: RouteMatch): Verdict {
    const { route, target } = matched;
    const kept = question.kind === 'websocket' ? without(question.headers, COMPRESSING) : question.headers;
    const injection = inject(kept, route, tokens, own);
    if (!injection.ok) {
      return refused(502, 'credential-not-set', `credential ${injection.missing} is not set`, route.host);
    }
    const allowed: Allowed = {
      kind: 'allowed',
      route: route.host,
      target,
      headers: injection.headers,
      watch: watchOf(question, route),
      holdBody: isBodyHeld(question, route) ? (body) => heldBody(question, route, body) : undefined,
      trailers: (trailers) => judgeTrailers(question, matched, harmlessTrailers(trailers, own)),
      answerHeaders: (headers) => shownHeaders(secrets, headers),
    };
    return allowed;
  }

  /** They come when the request is under way already, so that nothing can be redacted any more. */
  function judgeTrailers(question: Question, matched: RouteMatch, trailers: RawHeaders): RawHeaders | Refused {
    const sightings = sightingsInFields(secrets, trailers, 'trailer');
    const first = sightings.find(({ isCanary }) => isCanary) ?? sightings[0];
    if (first === undefined) return trailers;
    tell(question, matched, sightings, 'blocked');
    return secretRefusal(first.where, first.isCanary, nameOf(matched));
  }

  function watchOf(question: Question, route: Route): (() => BodyWatch) | undefined {
    const { authority, method, kind } = question;
    const limit = kind === 'request' ? route.max_body : undefined;
    if (secrets.isEmpty && limit === undefined) return undefined;
    return () =>
      createBodyWatch({
        matcher: matcherFor(question, route),
        onMatch: onMatch(route) === 'redact' ? 'redact' : 'block',
        limit,
        found: (sighting, action) =>
          found({ ...sighting, action, where: 'body', host: authority.host, method, route: route.host }),
        refusal: (sighting) => bodySecretRefusal(question, route, sighting),
        tooLarge: () => tooLarge(route),
      });
  }

  /** What is looked for in a body: all but what the operator has let pass there. */
  function matcherFor(question: Question, route: Route): Matcher {
    if (supervision === undefined || onMatch(route) !== 'supervise') return secrets.matcher;
    const place = placeOf(question);
    const names = new Set(secrets.named.map(({ name }) => name));
    const passing = [...names].filter(
      (credential) => credential !== CANARY_NAME && supervision.isApproved({ credential, where: 'body', ...place }),
    );
    return passing.length === 0 ? secrets.matcher : matcherWithout(passing);
  }

  /** Made once for each set of credentials that were let pass. */
  function matcherWithout(names: readonly string[]): Matcher {
    const key = names.join(' ');
    const known = lessened.get(key);
    if (known !== undefined) return known;
    const made = matcherOf(secrets.named.filter(({ name }) => !names.includes(name)));
    if (lessened.size >= MOST_LESSENED) lessened.clear();
    lessened.set(key, made);
    return made;
  }

  function isBodyHeld({ kind }: Question, route: Route): boolean {
    return kind === 'request' && supervision !== undefined && onMatch(route) === 'supervise' && !secrets.isEmpty;
  }

  /** Undefined also where nobody may let it pass: its watch will refuse it. */
  function heldBody(question: Question, route: Route, body: Buffer): Held | undefined {
    const matcher = matcherFor(question, route);
    const sightings = sightingsOf(matcher, body, matcher.find(body));
    if (supervision === undefined || sightings.length === 0 || sightings.length >= MOST_ASKED) return undefined;
    if (sightings.some(({ isCanary }) => isCanary)) return undefined;
    const inBody = sightings.map((sighting) => ({ ...sighting, where: 'body' }));
    for (const sighting of inBody) {
      found({ ...sighting, action: 'held', host: question.authority.host, method: question.method, route: route.host });
    }
    const outgoing = inBody.map((sighting) => outgoingOf(question, route, sighting, false));
    return { kind: 'held', settle: (signal) => supervision.hold(outgoing, signal) };
  }

  /** A body that is under way, or a message, cannot be held: it is cut off, and passes once it is allowed. */
  function bodySecretRefusal(question: Question, route: Route, sighting: Sighting): Refused {
    if (supervision === undefined || sighting.isCanary || onMatch(route) !== 'supervise')
      return secretRefusal('body', sighting.isCanary, route.host);
    return supervision.tell(outgoingOf(question, route, { ...sighting, where: 'body' }, false));
  }

  return judge;
}

/** What agents know the daemons of their bundle by: reached without a proxy, or not at all. */
const BUNDLE_HOSTS: ReadonlySet<string> = new Set(['egress', 'pipelock', 'git-gate', 'supervise', 'mcp-bridge']);

function goesAroundProxy({ authority: { host } }: Question): Refused {
  return refused(403, 'bundle-host', `${host} is in the bundle itself, not behind the proxy; add it to NO_PROXY`);
}

/** A request that holds as many secrets is no matter of letting one pass. */
const MOST_ASKED = 8;

const MOST_LESSENED = 16;

/** What a person sees in place of a path that holds a secret, in whatever way it is written. */
const HIDDEN = '********';

/** Where a request goes, without its query. */
function placeOf({ scheme, authority, method, target }: Question): Pick<Outgoing, 'origin' | 'method' | 'path'> {
  return {
    origin: `${scheme}://${authority.host}:${authority.port}`,
    method,
    path: target.split('?', 1)[0] ?? '',
  };
}

/** Sightings of one head that are told. */
const MOST_TOLD = 8;

/** An extension such as permessage-deflate (RFC 7692) would hide the messages from their watch. */
const COMPRESSING: ReadonlySet<string> = new Set(['sec-websocket-extensions']);

function onMatch({ dlp }: Route): Route['dlp']['outbound_on_match'] {
  return dlp.outbound_on_match;
}

function bodyRefusal({ headers }: Question, route: Route): Refused | undefined {
  const codings = allValues(headers, 'content-encoding').join(',').toLowerCase().split(',');
  if (codings.some((coding) => coding.trim() !== '' && coding.trim() !== 'identity')) {
    const reason = 'a body with a Content-Encoding cannot be searched for secrets; send it as it is';
    return refused(403, 'encoded-body', reason, route.host);
  }
  const length = Number(allValues(headers, 'content-length')[0] ?? 0);
  return route.max_body !== undefined && length > route.max_body ? tooLarge(route) : undefined;
}

function tooLarge({ max_body, host }: Route): Refused {
  return refused(413, 'body-too-large', `the body is larger than the ${max_body} bytes that the route allows`, host);
}

function secretRefusal(where: string, isCanary: boolean, route: string | undefined): Refused {
  const reason = `the ${where} holds a secret, which must not leave this bottle`;
  return refused(403, isCanary ? 'canary' : 'secret-found', reason, route);
}

function nameOf(matched: RouteVerdict): string | undefined {
  return matched.kind === 'match' ? matched.route.host : undefined;
}

function refused(status: Refused['status'], code: string, reason: string, route?: string): Refused {
  return { kind: 'refused', status, code, reason, ...(route === undefined ? {} : { route }) };
}
