/** What the parameters of a query would change about a request that has been judged. */
export interface QueryOverrides {
  /** Methods, in upper case, that a server may take in place of that of the request line. */
  readonly methods: readonly string[];
  /** Headers would be taken from the query as if they had been sent. */
  readonly holdsHeaders: boolean;
}

/** Whether it is worth a closer look: a name may be encoded. */
export function mayOverride(query: string): boolean {
  return WORTH_A_LOOK.test(query);
}

/** Reads a query, with its `?`, as servers do that separate parameters by `&`, and as those that do by `;`, too. */
export function overridesIn(query: string): QueryOverrides {
  const methods: string[] = [];
  let holdsHeaders = false;
  const readings = query.includes(';') ? [query, query.replaceAll(';', '&')] : [query];
  for (const [name, value] of readings.flatMap((reading) => [...new URLSearchParams(reading)])) {
    const folded = name.toLowerCase().replace(/[^a-z]/g, '');
    const method = value.trim().toUpperCase();
    if (name === RAILS || (METHOD_PARAMETERS.has(folded) && COMMON_METHODS.has(method))) methods.push(method);
    holdsHeaders ||= name.toLowerCase() === GOOGLE_HEADERS;
  }
  return { methods, holdsHeaders };
}

const WORTH_A_LOOK = /method|httpheaders|%/i;

/** Rails, Laravel, Spring and others. Whatever stands in it is meant as a method. */
const RAILS = '_method';

/**
 * Without case and signs: PHP reads `.method` and ` _method` as `_method`; Salesforce has `_HttpMethod`, Google `$httpMethod`, Facebook
 * `method`. Some of these are words for other things as well, so that they count where they hold a method.
 */
const METHOD_PARAMETERS: ReadonlySet<string> = new Set([
  'method',
  'httpmethod',
  'methodoverride',
  'httpmethodoverride',
  'xmethodoverride',
  'xhttpmethod',
  'xhttpmethodoverride',
]);

/** RFC 9110, 9.3, and PATCH (RFC 5789). */
const COMMON_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** Google's servers read headers from it (closure-library, goog.net.rpc.HttpCors). */
const GOOGLE_HEADERS = '$httpheaders';
