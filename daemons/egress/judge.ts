import { allValues, without } from '../http/headers.ts';
import { matchRoute, type RouteMatch, type RouteVerdict } from '../routes/match.ts';
import type { Route, Routes } from '../routes/schema.ts';
import { createBodyWatch } from './body-watch.ts';
import { gitRefusal, gitUseOf } from './git-over-https.ts';
import { harmlessTrailers, inject, ownHeaders } from './injection.ts';
import { type HeadSighting, redactedHead, shownHeaders, sightingsInFields, sightingsInHead } from './outbound.ts';
import type { Secrets, Sighting } from './secrets.ts';
import type { Allowed, Answered, BodyWatch, Judge, Question, RawHeaders, Refused, Verdict } from './verdict.ts';

/** What a judge decides by. None of it changes: after a reload there is another judge. */
export interface JudgeOptions {
  readonly routes: Routes;
  /** Credentials by the name of their slot. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly secrets: Secrets;
  readonly introspect: (question: Question) => Answered | undefined;
  /** Told at once of each known secret on its way out, whatever becomes of the request. */
  readonly found: (finding: SecretFound) => void;
}

/** A known secret on its way out, and where. */
export interface SecretFound extends Sighting {
  readonly action: 'blocked' | 'redacted';
  /** `host`, `path`, `query`, `body`, or `header` or `trailer` and its name. */
  readonly where: string;
  readonly host: string;
  readonly method: string;
  /** The route that allows the request, had it not held a secret; undefined where none does. */
  readonly route: string | undefined;
}

/** The policy of egress. What the agent does to get around it is in docs/egress.md, "What is refused". */
export function createJudge({ routes, tokens, secrets, introspect, found }: JudgeOptions): Judge {
  const own = ownHeaders(routes);

  function judge(question: Question): Verdict {
    const answered = introspect(question);
    if (answered !== undefined) return answered;
    const matched = routeOf(question);
    const sightings = sightingsInHead(secrets, { ...question, host: question.authority.host });
    if (sightings.length === 0) return judgeClean(question, matched);
    const redacted = redaction(question, matched, sightings);
    tell(question, matched, sightings, redacted === undefined ? 'blocked' : 'redacted');
    const first = sightings.find(({ isCanary }) => isCanary) ?? sightings[0];
    if (redacted !== undefined) return judgeClean(redacted, routeOf(redacted));
    return secretRefusal(first?.where ?? 'head', first?.isCanary ?? false, nameOf(matched));
  }

  function routeOf(question: Question): RouteVerdict {
    return matchRoute(routes, { ...question, isWebSocket: question.kind === 'websocket' });
  }

  /** The request without its secrets; undefined where the route does not want that, or where it cannot be done. */
  function redaction(question: Question, matched: RouteVerdict, seen: readonly Sighting[]): Question | undefined {
    if (matched.kind === 'refused' || onMatch(matched.route) === 'block') return undefined;
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
    action: 'blocked' | 'redacted',
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

  function watchOf({ authority, method, kind }: Question, route: Route): (() => BodyWatch) | undefined {
    const limit = kind === 'request' ? route.max_body : undefined;
    if (secrets.isEmpty && limit === undefined) return undefined;
    return () =>
      createBodyWatch({
        matcher: secrets.matcher,
        onMatch: onMatch(route),
        limit,
        found: (sighting, action) =>
          found({ ...sighting, action, where: 'body', host: authority.host, method, route: route.host }),
        refusal: ({ isCanary }) => secretRefusal('body', isCanary, route.host),
        tooLarge: () => tooLarge(route),
      });
  }

  return judge;
}

/** What agents know the daemons of their bundle by: reached without a proxy, or not at all. */
const BUNDLE_HOSTS: ReadonlySet<string> = new Set(['egress', 'pipelock', 'git-gate', 'supervise', 'mcp-bridge']);

function goesAroundProxy({ authority: { host } }: Question): Refused {
  return refused(403, 'bundle-host', `${host} is in the bundle itself, not behind the proxy; add it to NO_PROXY`);
}

/** Sightings of one head that are told. */
const MOST_TOLD = 8;

/** An extension such as permessage-deflate (RFC 7692) would hide the messages from their watch. */
const COMPRESSING: ReadonlySet<string> = new Set(['sec-websocket-extensions']);

function onMatch({ dlp }: Route): 'block' | 'redact' {
  return dlp.outbound_on_match === 'redact' ? 'redact' : 'block';
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
