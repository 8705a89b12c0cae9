import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { outcome, routesOf, type Wire } from './support.ts';

/** Ways to make the proxy match one request and the server answer another. Each row is a rule, and what becomes of who tries. */

const ROUTES = `
routes:
  - host: api.example.com
    matches:
      - paths: [{ type: Prefix, value: /repos }]
        methods: [GET]
      - paths: [{ type: Exact, value: /graphql }]
        methods: [POST]
        headers: [{ name: X-Client, value: agent }]
      - paths: [{ type: RegularExpression, value: '/users/[^/]+/keys' }]
  - host: registry.example.com
    allow_encoded_slash: true
    matches:
      - paths: [{ type: Prefix, value: /pkg }]
        methods: [GET]
  - host: '*.cdn.example.com'
  - host: dav.example.com
    matches:
      - paths: [{ type: Prefix, value: /mine }]
      - paths: [{ type: Prefix, value: /mine }]
        headers: [{ name: Destination, value: '/mine/[a-z]+', type: RegularExpression }]
  - host: bücher.example
  - host: 10.0.0.5
    schemes: [http]
    ports: [8000]
  - host: '[2001:db8::5]'
  - host: ws.example.com
    websocket: true
    matches:
      - paths: [{ type: Prefix, value: /socket }]
`;

type Row = readonly [rule: string, wire: Wire, outcome: string];

const PATHS: readonly Row[] = [
  ['a prefix holds its own path', { target: '/repos' }, 'sent /repos'],
  [
    'a prefix holds what is below it, and the query goes along',
    { target: '/repos/a?b=%2F..' },
    'sent /repos/a?b=%2F..',
  ],
  ['a prefix ends at a segment', { target: '/repository' }, 'path-not-allowed'],
  ['a prefix ends at a segment, also before an encoded slash', { target: '/repos%2Fx' }, 'path-not-allowed'],
  [
    'an exact path holds nothing below it',
    { method: 'POST', target: '/graphql/', headers: ['X-Client', 'agent'] },
    'path-not-allowed',
  ],
  ['a path is compared with case', { target: '/Repos' }, 'path-not-allowed'],
  ['a needless encoding is undone, and the plain path is sent', { target: '/%72epos/%61' }, 'sent /repos/a'],
  ['other encodings stay, in upper case', { target: '/repos/%c3%a9%20%3f' }, 'sent /repos/%C3%A9%20%3F'],
  ['a dot segment is refused', { target: '/repos/../admin' }, 'path-ambiguous'],
  ['a single dot is refused', { target: '/repos/./a' }, 'path-ambiguous'],
  ['a dot segment at the end is refused', { target: '/repos/..' }, 'path-ambiguous'],
  ['an encoded dot segment is refused', { target: '/repos/%2e%2E/admin' }, 'path-ambiguous'],
  ['a half encoded dot segment is refused', { target: '/repos/.%2e/admin' }, 'path-ambiguous'],
  ['dots with an encoded space are refused', { target: '/repos/..%20/admin' }, 'path-ambiguous'],
  ['dots within a name are a name', { target: '/repos/a...b/.well-known' }, 'sent /repos/a...b/.well-known'],
  ['an encoded slash is refused', { target: '/repos/a%2fadmin' }, 'path-ambiguous'],
  ['an encoded slash behind dots is refused', { target: '/repos/..%2fadmin' }, 'path-ambiguous'],
  ['a backslash is refused', { target: '/repos\\..\\admin' }, 'path-ambiguous'],
  ['an encoded backslash is refused', { target: '/repos/..%5cadmin' }, 'path-ambiguous'],
  ['a dot that is encoded twice is refused', { target: '/repos/%252e%252e/admin' }, 'path-ambiguous'],
  ['a slash that is encoded twice is refused', { target: '/repos/x%252Fadmin' }, 'path-ambiguous'],
  ['a slash that is encoded three times is refused', { target: '/repos/x%25252fadmin' }, 'path-ambiguous'],
  [
    'a second encoding that the first one hides is refused',
    { target: '/repos/%25%32%65%25%32%65/admin' },
    'path-ambiguous',
  ],
  ['a letter that is encoded twice is refused', { target: '/repos/%2561dmin' }, 'path-ambiguous'],
  ['a space that is encoded twice changes no outcome', { target: '/repos/a%2520b' }, 'sent /repos/a%2520b'],
  ['a percent sign of its own is data', { target: '/repos/100%25' }, 'sent /repos/100%25'],
  ['two slashes are refused', { target: '/repos//admin' }, 'path-ambiguous'],
  [
    'two slashes in front, which begin an authority elsewhere, are refused',
    { target: '//evil.example/repos' },
    'path-ambiguous',
  ],
  ['path parameters are refused', { target: '/repos;/admin' }, 'path-ambiguous'],
  ['dots with path parameters are refused', { target: '/repos/..;/admin' }, 'path-ambiguous'],
  ['encoded path parameters are refused', { target: '/repos/..%3b/admin' }, 'path-ambiguous'],
  ['an encoded NUL is refused', { target: '/repos/a%00/../admin' }, 'path-ambiguous'],
  ['an encoded line break is refused', { target: '/repos/a%0d%0a' }, 'path-ambiguous'],
  ['a control character is refused', { target: '/repos/a\tb' }, 'target-malformed'],
  ['a raw line break in a query is refused', { target: '/repos?a\r\nX: y' }, 'target-malformed'],
  ['a space is refused', { target: '/repos /admin' }, 'target-malformed'],
  ['a byte beyond ASCII is refused', { target: '/repos/\u00e9' }, 'target-malformed'],
  ['overlong UTF-8 of a slash is refused', { target: '/repos/..%c0%afadmin' }, 'path-ambiguous'],
  ['overlong UTF-8 of a dot is refused', { target: '/repos/%c0%ae%c0%ae/admin' }, 'path-ambiguous'],
  ['half a UTF-8 character is refused', { target: '/repos/%c3' }, 'path-ambiguous'],
  ['a full-width slash is refused', { target: '/repos/..%ef%bc%8fadmin' }, 'path-ambiguous'],
  ['full-width dots are refused', { target: '/repos/%ef%bc%8e%ef%bc%8e/admin' }, 'path-ambiguous'],
  ['one character for two dots is refused', { target: '/repos/%E2%80%A5/admin' }, 'path-ambiguous'],
  ['one character for three dots within a name is a name', { target: '/repos/a%E2%80%A6' }, 'sent /repos/a%E2%80%A6'],
  ['a percent sign without two digits is refused', { target: '/repos/%2/a' }, 'target-malformed'],
  ['an encoding in another notation is refused', { target: '/repos/%u002e%u002e/admin' }, 'target-malformed'],
  ['a fragment is refused', { target: '/repos#/../admin' }, 'target-malformed'],
  ['an empty target is refused', { target: '' }, 'target-malformed'],
  ['a target without a slash is refused', { target: 'repos' }, 'target-malformed'],
  ['a target that is only a query is refused', { target: '?/repos' }, 'target-malformed'],
  ['the target of a whole server is refused', { method: 'OPTIONS', target: '*' }, 'target-malformed'],
  ['an absolute URL in place of a path is refused', { target: 'https://evil.example/repos' }, 'target-malformed'],
  ['a target of 8 KiB is taken', { target: `/repos/${'a'.repeat(8185)}` }, `sent /repos/${'a'.repeat(8185)}`],
  ['a longer target is refused', { target: `/repos/${'a'.repeat(8186)}` }, 'target-too-long'],
  ['a query decides nothing', { target: '/admin?/repos' }, 'path-not-allowed'],
  ['a regular expression matches the whole path', { target: '/users/me/keys' }, 'sent /users/me/keys'],
  ['a regular expression matches no part of a path', { target: '/users/me/keys/1' }, 'path-not-allowed'],
  ['a regular expression is not ended by a line break', { target: '/users/me/keys%0a' }, 'path-ambiguous'],
  ['a segment of a regular expression takes no encoded slash', { target: '/users/a%2Fb/keys' }, 'path-ambiguous'],
];

const ENCODED_SLASHES: readonly Row[] = [
  [
    'a route can allow encoded slashes',
    { host: 'registry.example.com', target: '/pkg/@scope%2fname' },
    'sent /pkg/@scope%2Fname',
  ],
  [
    'an allowed encoded slash ends no segment of a prefix',
    { host: 'registry.example.com', target: '/pkg%2fname' },
    'path-not-allowed',
  ],
  [
    'an allowed encoded slash brings no dot segment',
    { host: 'registry.example.com', target: '/pkg/a%2f..%2f..%2fadmin' },
    'path-ambiguous',
  ],
  [
    'an allowed encoded slash brings no half encoded dot segment',
    { host: 'registry.example.com', target: '/pkg/a%2f%2e.%2fadmin' },
    'path-ambiguous',
  ],
  [
    'an allowed encoded slash brings no empty segment',
    { host: 'registry.example.com', target: '/pkg/%2fadmin' },
    'path-ambiguous',
  ],
  [
    'an allowed encoded slash is not encoded twice',
    { host: 'registry.example.com', target: '/pkg/a%252fb' },
    'path-ambiguous',
  ],
];

const HOSTS: readonly Row[] = [
  ['a host that no route names is refused', { host: 'evil.example', target: '/repos' }, 'host-not-allowed'],
  ['a host is compared without case', { host: 'API.Example.COM', target: '/repos' }, 'sent /repos'],
  ['a dot at the end of a host says nothing', { host: 'api.example.com.', target: '/repos' }, 'sent /repos'],
  ['two dots at the end are no host', { host: 'api.example.com..', target: '/repos' }, 'no host'],
  ['an empty port is the port of the scheme', { host: 'api.example.com:', target: '/repos' }, 'sent /repos'],
  ['a port with a zero in front is that port', { host: 'api.example.com:0443', target: '/repos' }, 'sent /repos'],
  ['another port is refused', { host: 'api.example.com:8443', target: '/repos' }, 'port-not-allowed'],
  ['a port beyond 65535 does not wrap around', { host: 'api.example.com:65979', target: '/repos' }, 'no host'],
  ['port 0 is no port', { host: 'api.example.com:0', target: '/repos' }, 'no host'],
  ['http is refused where only https is allowed', { scheme: 'http', target: '/repos' }, 'scheme-not-allowed'],
  [
    'http at the port of https is still http',
    { scheme: 'http', host: 'api.example.com:443', target: '/repos' },
    'scheme-not-allowed',
  ],
  ['a user in front of the host is no host', { host: 'api.example.com@evil.example', target: '/repos' }, 'no host'],
  [
    'a user that looks like a port is no host',
    { host: 'api.example.com:443@evil.example', target: '/repos' },
    'no host',
  ],
  ['a slash in a host is no host', { host: 'api.example.com/.evil.example', target: '/repos' }, 'no host'],
  ['a backslash in a host is no host', { host: 'api.example.com\\.evil.example', target: '/repos' }, 'no host'],
  ['a percent-encoded host is no host', { host: 'api%2eexample.com', target: '/repos' }, 'no host'],
  ['a NUL in a host is no host', { host: 'api.example.com\0.evil.example', target: '/repos' }, 'no host'],
  ['a tab in a host, which URL parsers drop, is no host', { host: 'api.exa\tmple.com', target: '/repos' }, 'no host'],
  ['a full-width letter is the letter', { host: '\uff41pi.example.com', target: '/repos' }, 'sent /repos'],
  ['an ideographic full stop is a dot', { host: 'api\u3002example\uff0ecom', target: '/repos' }, 'sent /repos'],
  [
    'a letter of another script is another host',
    { host: '\u0430pi.example.com', target: '/repos' },
    'host-not-allowed',
  ],
  ['a name in Unicode and its IDNA form are one host', { host: 'xn--bcher-kva.example' }, 'sent /'],
  [
    'a host in front of an allowed one is another host',
    { host: 'evil-api.example.com', target: '/repos' },
    'host-not-allowed',
  ],
  [
    'a host behind an allowed one is another host',
    { host: 'api.example.com.evil.example', target: '/repos' },
    'host-not-allowed',
  ],
  ['a wildcard holds every name below', { host: 'a.b.cdn.example.com' }, 'sent /'],
  ['a wildcard does not hold its own name', { host: 'cdn.example.com' }, 'host-not-allowed'],
  ['a wildcard ends at a label', { host: 'evilcdn.example.com' }, 'host-not-allowed'],
  ['a wildcard holds no empty label', { host: '.cdn.example.com' }, 'no host'],
  ['an asterisk in a request is no host', { host: '*.cdn.example.com' }, 'no host'],
  ['an IPv4 address in one number is that address', { scheme: 'http', host: '167772165:8000' }, 'sent /'],
  ['an IPv4 address in hexadecimal is that address', { scheme: 'http', host: '0xa.0.0.5:8000' }, 'sent /'],
  ['an IPv4 address in octal is that address', { scheme: 'http', host: '012.0.0.05:8000' }, 'sent /'],
  ['an IPv4 address with parts left out is that address', { scheme: 'http', host: '10.5:8000' }, 'sent /'],
  ['an IPv4-mapped IPv6 address is the IPv4 address', { scheme: 'http', host: '[::ffff:a00:5]:8000' }, 'sent /'],
  ['an IPv6 address has many spellings', { host: '[2001:0DB8:0:0::0005]' }, 'sent /'],
  ['an IPv6 address with a zone is no host', { host: '[2001:db8::5%25eth0]' }, 'no host'],
  ['an IPv6 address without brackets is no host', { host: '2001:db8::5' }, 'no host'],
];

const METHODS_AND_HEADERS: readonly Row[] = [
  ['a method that no entry names is refused', { method: 'DELETE', target: '/repos' }, 'method-not-allowed'],
  ['GET does not imply HEAD', { method: 'HEAD', target: '/repos' }, 'method-not-allowed'],
  ['a method in lower case is refused', { method: 'get', target: '/repos' }, 'method-malformed'],
  ['an empty method is refused', { method: '', target: '/repos' }, 'method-malformed'],
  ['TRACE is refused, whatever the route', { method: 'TRACE', host: 'a.cdn.example.com' }, 'method-not-allowed'],
  ['a tunnel within a request is refused', { method: 'CONNECT', host: 'a.cdn.example.com' }, 'method-not-allowed'],
  [
    'a header that overrides the method has to be allowed, too',
    { target: '/repos', headers: ['X-HTTP-Method-Override', 'DELETE'] },
    'method-not-allowed',
  ],
  [
    'an override in lower case counts',
    { target: '/repos', headers: ['x-http-method', 'delete'] },
    'method-not-allowed',
  ],
  [
    'an override with underscores counts',
    { target: '/repos', headers: ['X_HTTP_Method_Override', 'DELETE'] },
    'method-not-allowed',
  ],
  [
    'two overrides have to be allowed, both',
    { target: '/repos', headers: ['X-Method-Override', 'GET', 'X-Method-Override', 'PUT'] },
    'method-not-allowed',
  ],
  [
    'an override that is no one method is refused',
    { target: '/repos', headers: ['X-Method-Override', 'GET, PUT'] },
    'method-not-allowed',
  ],
  ['an override by the query counts', { target: '/repos?_method=DELETE' }, 'method-not-allowed'],
  ['an override by the query counts, also encoded', { target: '/repos?%5fmetho%64=delete' }, 'method-not-allowed'],
  ['an override by the query counts as PHP reads its name', { target: '/repos?.method=DELETE' }, 'method-not-allowed'],
  ['an override by the query counts after a space', { target: '/repos?a=b&+_method=DELETE' }, 'method-not-allowed'],
  ['an override by the query counts in any case', { target: '/repos?_METHOD=delete' }, 'method-not-allowed'],
  ['an override by the query counts after a semicolon', { target: '/repos?a=b;_method=DELETE' }, 'method-not-allowed'],
  ["Salesforce's override counts", { target: '/repos?_HttpMethod=PATCH' }, 'method-not-allowed'],
  ["Google's override counts", { target: '/repos?$httpMethod=DELETE' }, 'method-not-allowed'],
  ["Google's override counts, encoded", { target: '/repos?%24http%4Dethod=DELETE' }, 'method-not-allowed'],
  ["Facebook's override counts", { target: '/repos?method=delete' }, 'method-not-allowed'],
  [
    'an override by the query that is named as the header counts',
    { target: '/repos?X-HTTP-Method-Override=PUT' },
    'method-not-allowed',
  ],
  [
    'a parameter that is called method and holds something else is data',
    { target: '/repos?method=search&shipping_method=PUT' },
    'sent /repos?method=search&shipping_method=PUT',
  ],
  ['headers in the query are refused', { target: '/repos?$httpHeaders=X-Client:agent' }, 'rewriting-header'],
  ['headers in the query are refused, encoded', { target: '/repos?%24httpheaders=a' }, 'rewriting-header'],
  [
    'an override with other signs counts, which some servers read as the same',
    { target: '/repos', headers: ['X.HTTP.Method.Override', 'DELETE'] },
    'method-not-allowed',
  ],
  [
    'a header that rewrites the path is refused with other signs',
    { target: '/repos', headers: ['X!Original~URL', '/admin'] },
    'rewriting-header',
  ],
  [
    'an override to an allowed method is let through',
    { target: '/repos', headers: ['X-HTTP-Method-Override', 'GET'] },
    'sent /repos',
  ],
  [
    'an override is let through where every method is',
    { host: 'a.cdn.example.com', method: 'POST', headers: ['X-HTTP-Method-Override', 'PATCH'] },
    'sent /',
  ],
  [
    'an override to TRACE is refused, whatever the route',
    { host: 'a.cdn.example.com', method: 'POST', headers: ['X-HTTP-Method-Override', 'TRACE'] },
    'method-not-allowed',
  ],
  [
    'a header that rewrites the path is refused',
    { target: '/repos', headers: ['X-Original-URL', '/admin'] },
    'rewriting-header',
  ],
  [
    'a header that rewrites the path is refused with underscores',
    { target: '/repos', headers: ['x_rewrite_url', '/admin'] },
    'rewriting-header',
  ],
  ...['Transfer_Encoding', 'content_length', 'Content.Length', 'Content_Encoding'].map(
    (name): Row => [
      `a header of framing that only some servers take for one is refused: ${name}`,
      { target: '/repos', headers: [name, '0'] },
      'rewriting-header',
    ],
  ),
  [
    'a header of framing by its own name is none of a route',
    { target: '/repos', headers: ['Content-Length', '0', 'Content_Type', 'a/b'] },
    'sent /repos',
  ],
  [
    'a header that rewrites the host is refused',
    { target: '/repos', headers: ['X-Forwarded-Host', 'evil.example'] },
    'rewriting-header',
  ],
  [
    'a second path in a header is not one that a rule for paths has allowed',
    {
      method: 'COPY',
      host: 'dav.example.com',
      target: '/mine/a',
      headers: ['Destination', 'https://dav.example.com/b'],
    },
    'headers-not-allowed',
  ],
  [
    'a source to copy from is a second path as well',
    { method: 'PUT', host: 'dav.example.com', target: '/mine/a', headers: ['x_ms-copy-source', '/others/b'] },
    'headers-not-allowed',
  ],
  [
    'a source to copy from is one, whosever store it is',
    { method: 'PUT', host: 'dav.example.com', target: '/mine/a', headers: ['X-Goog-Copy-Source', '/others/b'] },
    'headers-not-allowed',
  ],
  [
    'a second path is let through where the route asks for it',
    { method: 'MOVE', host: 'dav.example.com', target: '/mine/b', headers: ['Destination', '/mine/c'] },
    'sent /mine/b',
  ],
  [
    'a second path is let through where every path is',
    { method: 'COPY', host: 'a.cdn.example.com', target: '/a', headers: ['Destination', '/b'] },
    'sent /a',
  ],
  [
    'entries are not mixed: the method of one and the path of another',
    { method: 'POST', target: '/repos', headers: ['X-Client', 'agent'] },
    'method-not-allowed',
  ],
  ['a header that is asked for must be there', { method: 'POST', target: '/graphql' }, 'headers-not-allowed'],
  [
    'a header name is compared without case',
    { method: 'POST', target: '/graphql', headers: ['x-cLIENT', ' agent '] },
    'sent /graphql',
  ],
  [
    'a header value is compared with case',
    { method: 'POST', target: '/graphql', headers: ['X-Client', 'Agent'] },
    'headers-not-allowed',
  ],
  [
    'a header that comes twice is both its values',
    { method: 'POST', target: '/graphql', headers: ['X-Client', 'agent', 'X-Client', 'evil'] },
    'headers-not-allowed',
  ],
  [
    'a header that comes again with underscores is both its values',
    { method: 'POST', target: '/graphql', headers: ['X-Client', 'agent', 'X_Client', 'evil'] },
    'headers-not-allowed',
  ],
  [
    'a header with underscores is not the header that is asked for',
    { method: 'POST', target: '/graphql', headers: ['X_Client', 'agent'] },
    'headers-not-allowed',
  ],
  [
    'a header that Connection takes off again is not there',
    { method: 'POST', target: '/graphql', headers: ['X-Client', 'agent', 'Connection', 'close, x-client'] },
    'headers-not-allowed',
  ],
  ['a WebSocket needs a route that allows it', { target: '/repos', isWebSocket: true }, 'websocket-not-allowed'],
  [
    'a WebSocket needs the path, too',
    { host: 'ws.example.com', target: '/admin', isWebSocket: true },
    'path-not-allowed',
  ],
  [
    'a WebSocket is let through where the route says so',
    { host: 'ws.example.com', target: '/socket', isWebSocket: true },
    'sent /socket',
  ],
  [
    'a WebSocket over HTTP/2 is the same',
    { host: 'ws.example.com', method: 'CONNECT', target: '/socket', isWebSocket: true },
    'sent /socket',
  ],
  [
    'a WebSocket does not begin with POST',
    { host: 'ws.example.com', method: 'POST', target: '/socket', isWebSocket: true },
    'method-malformed',
  ],
];

const routes = await routesOf(ROUTES);

for (const [subject, rows] of Object.entries({
  'a path': PATHS,
  'an encoded slash': ENCODED_SLASHES,
  'a host': HOSTS,
  'a method or header': METHODS_AND_HEADERS,
})) {
  describe(`confusion by ${subject}`, () => {
    for (const [rule, wire, expected] of rows) {
      it(rule, () => assert.equal(outcome(routes, wire), expected));
    }
  });
}
