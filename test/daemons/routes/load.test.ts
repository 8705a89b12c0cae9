import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { formatProblem } from '../../../config/problem.ts';
import { loadRoutes, parseRoutes } from '../../../daemons/routes/load.ts';
import { problemsOf, routesOf } from './support.ts';

describe('routes.yaml', () => {
  it('tells five mistakes at once, each with its place and what was meant', async () => {
    const problems = await problemsOf(`log: 3
routes:
  - hots: api.example.com
    host: https://api.example.com
    matches:
      - paths: [{ type: prefix, value: /a }]
        methods: [GTE]
`);
    assert.deepEqual(problems, [
      'routes.yaml:1:6: log: 3 is not one of "0", "1", "2"',
      'routes.yaml:3:5: routes[0].hots: is not a known key; did you mean "host"?',
      'routes.yaml:4:11: routes[0].host: "https://api.example.com" holds a scheme; write the host alone, and "schemes" where it is not https',
      'routes.yaml:6:25: routes[0].matches[0].paths[0].type: "prefix" is not one of "Exact", "Prefix", "RegularExpression"; did you mean "Prefix"?',
      'routes.yaml:7:19: routes[0].matches[0].methods[0]: "GTE" is not an HTTP method; did you mean "GET"?',
    ]);
  });

  it('is read from a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'routes-'));
    try {
      const file = join(directory, 'routes.yaml');
      const missing = await loadRoutes(file);
      assert.equal(missing.ok, false);
      await writeFile(file, 'routes:\n  - host: API.example.com\n');
      const loaded = await loadRoutes(file);
      assert.ok(loaded.ok);
      assert.deepEqual(
        loaded.routes.routes.map(({ host }) => host),
        ['api.example.com'],
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is as its documentation shows it', async () => {
    const page = await readFile(new URL('../../../docs/routes.md', import.meta.url), 'utf8');
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);
    assert.ok(examples.length >= 4);
    for (const example of examples) await routesOf(example);
  });

  it('with no routes at all says so with an empty list', async () => {
    assert.deepEqual((await routesOf('routes: []')).routes, []);
    for (const text of ['', 'log: 1', 'routes:', '[]', 'routes: {}']) {
      assert.equal((await problemsOf(text)).length, 1, text);
    }
  });

  it('fills in what holds without being said', async () => {
    assert.deepEqual(await routesOf('routes: [{ host: api.example.com }]'), {
      log: 0,
      routes: [
        {
          host: 'api.example.com',
          schemes: ['https'],
          websocket: false,
          allow_encoded_slash: false,
          dlp: { outbound_on_match: 'block' },
        },
      ],
    });
  });

  it('takes "supervise", and warns where what is let pass would go out in clear text', async () => {
    const warningsOf = async (route: string) => {
      const loaded = await parseRoutes('routes.yaml', `routes: [{ ${route}, dlp: { outbound_on_match: supervise } }]`);
      assert.ok(loaded.ok);
      return loaded.warnings.map(formatProblem).join();
    };
    assert.equal(await warningsOf('host: a.example'), '');
    assert.equal(await warningsOf('host: nearby, schemes: [http]'), '');
    assert.match(
      await warningsOf('host: a.example, schemes: [http, https]'),
      /^routes\.yaml: routes\[0\]\.dlp\.outbound_on_match: what a person lets pass here would go out in clear text/,
    );
  });

  it('never repeats what may be a credential in the wrong place', async () => {
    const secret = `ghp_${'x'.repeat(36)}`;
    const problems = await problemsOf(
      `routes: [{ host: a.example, token_env: ${secret}, auth_scheme: Bearer ${secret} }]`,
    );
    assert.equal(problems.length, 2);
    assert.doesNotMatch(problems.join(), /ghp_/);
  });
});

describe('a key of another generation or tool', () => {
  const KEYS: readonly (readonly [yaml: string, says: RegExp])[] = [
    ['path_allowlist: [/repos]', /first generation.*matches: \[\{ paths: \[\{ type: Prefix/],
    ['tls_passthrough: true', /refused: what stays encrypted/],
    ['auth: { scheme: Bearer, token_ref: x }', /first generation.*auth_scheme.*token_env/],
    ['token_ref: github', /first generation.*token_env/],
    ['methods: [GET]', /stands below "matches"/],
    ['outbound_on_match: redact', /stands below "dlp"/],
    ['port: 8443', /ports: \[8443\]/],
  ];
  for (const [yaml, says] of KEYS) {
    it(`${yaml.split(':', 1)} is told what to write instead`, async () => {
      const problems = await problemsOf(`routes:\n  - host: a.example\n    ${yaml}\n`);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', says);
      assert.match(problems[0] ?? '', /^routes\.yaml:3:5: routes\[0\]\./);
    });
  }
});

describe('a route is refused with a reason where', () => {
  const ROUTES: readonly (readonly [where: string, route: string, says: RegExp])[] = [
    ['its host has a port', 'host: a.example:8443', /host: .*holds a port/],
    ['its host has a path', 'host: a.example/x', /host: .*holds a path/],
    ['its wildcard stands in the middle', 'host: a.*.example', /"\*" can stand only/],
    ['its wildcard stands for a part of a label', 'host: "*a.example.com"', /"\*" can stand only/],
    ['its wildcard stands for every host', 'host: "*"', /"\*" can stand only/],
    ['its wildcard stands for a whole top-level domain', 'host: "*.com"', /allows far too much/],
    ['its wildcard stands before an address', 'host: "*.10.0.0.1"', /an address has no names below it/],
    ['its host is a metadata address', 'host: 169.254.169.254', /hands out credentials/],
    ['its host is a metadata address in one number', 'host: "2852039166"', /hands out credentials/],
    ['its host is a multicast address', 'host: 224.0.0.1', /multicast/],
    ['its host has a zone', "host: '[fe80::1%eth0]'", /zone/],
    [
      'it has a credential for a wildcard',
      "host: '*.a.example', auth_scheme: Bearer, token_env: EGRESS_TOKEN_0",
      /every name below "a\.example"/,
    ],
    [
      'it would send a credential in clear text',
      'host: a.example, schemes: [http], auth_scheme: Bearer, token_env: EGRESS_TOKEN_0',
      /clear text/,
    ],
    [
      'it does not say how the credential goes out',
      'host: a.example, token_env: EGRESS_TOKEN_0',
      /how the credential goes out/,
    ],
    ['it has a scheme without a credential', 'host: a.example, auth_scheme: Bearer', /no credential to put in/],
    ['it has a header without a credential', 'host: a.example, auth_header: x-api-key', /no credential to put in/],
    [
      'its credential would go out in Host',
      'host: a.example, auth_header: Host, token_env: EGRESS_TOKEN_0',
      /made by the proxy itself/,
    ],
    [
      'its credential would go out in a hop-by-hop header',
      'host: a.example, auth_header: Connection, token_env: EGRESS_TOKEN_0',
      /made by the proxy itself/,
    ],
    [
      'its credential would override the method',
      'host: a.example, auth_header: X-HTTP-Method-Override, token_env: EGRESS_TOKEN_0',
      /changes what a request means/,
    ],
    [
      'its header could split the request',
      'host: a.example, auth_header: "X: y", token_env: EGRESS_TOKEN_0',
      /not the name of a header/,
    ],
    ['its scheme holds a space', 'host: a.example, auth_scheme: "Bearer x", token_env: EGRESS_TOKEN_0', /not one word/],
    [
      'its credential has another kind of name',
      'host: a.example, auth_scheme: Bearer, token_env: GITHUB_TOKEN',
      /EGRESS_TOKEN_ with/,
    ],
    ['it allows TRACE', 'host: a.example, matches: [{ methods: [TRACE] }]', /show the agent the credential/],
    ['it allows CONNECT', 'host: a.example, matches: [{ methods: [CONNECT] }]', /tunnels/],
    ['it matches nothing', 'host: a.example, matches: []', /empty list/],
    ['it matches no path', 'host: a.example, matches: [{ paths: [] }]', /empty list/],
    [
      'it asks for a credential of the agent',
      'host: a.example, matches: [{ headers: [{ name: Authorization, value: x }] }]',
      /holds a credential/,
    ],
    [
      'it asks for a hop-by-hop header',
      'host: a.example, matches: [{ headers: [{ name: Upgrade, value: x }] }]',
      /belongs to one connection/,
    ],
    [
      'it asks for Host',
      'host: a.example, matches: [{ headers: [{ name: host, value: x }] }]',
      /what "host" of the route is about/,
    ],
    [
      'it asks for a header that another route writes',
      'host: a.example, matches: [{ headers: [{ name: X-Key, value: x }] }] }, { host: b.example, auth_header: x-key, token_env: EGRESS_TOKEN_0',
      /"x-key" is an auth_header/,
    ],
    [
      'its path has a dot segment',
      'host: a.example, matches: [{ paths: [{ type: Exact, value: /a/../b }] }]',
      /dot segment/,
    ],
    [
      'its path has a query',
      'host: a.example, matches: [{ paths: [{ type: Exact, value: "/a?b" }] }]',
      /holds a query/,
    ],
    [
      'its path does not begin with a slash',
      'host: a.example, matches: [{ paths: [{ type: Prefix, value: a }] }]',
      /does not begin with "\/"/,
    ],
    [
      'its expression does not compile',
      'host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "/a(" }] }]',
      /missing closing \)/,
    ],
    [
      'its expression needs what RE2 has not',
      'host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "/(?=a).*" }] }]',
      /not a regular expression of RE2/,
    ],
    [
      'its expression can never match',
      'host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "repos/.*" }] }]',
      /can match no path/,
    ],
    [
      'its expression is long',
      `host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "/${'a'.repeat(600)}" }] }]`,
      /longer than 512/,
    ],
    [
      'its expression repeats too often',
      'host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "/((a{100}){100}){100}" }] }]',
      /invalid repeat count/,
    ],
    [
      'its expression grows when it is compiled',
      'host: a.example, matches: [{ paths: [{ type: RegularExpression, value: "/.{0,999}.{0,999}" }] }]',
      /repeats too much/,
    ],
    ['its body has no size', 'host: a.example, max_body: 10 potatoes', /is not a size/],
  ];
  for (const [where, route, says] of ROUTES) {
    it(where, async () => {
      const problems = await problemsOf(`routes:\n  - { ${route} }\n`.replace(' }, { host', ' }\n  - { host'));
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', says);
      assert.match(problems[0] ?? '', /^routes\.yaml:2:\d+: routes\[0\]/);
    });
  }

  it('all its expressions together would take long', async () => {
    const rules = Array.from({ length: 12 }, (_, index) => `{ type: RegularExpression, value: '/${index}.{0,450}' }`);
    const problems = await problemsOf(`routes: [{ host: a.example, matches: [{ paths: [${rules.join(', ')}] }] }]`);
    assert.match(problems.join(), /^routes\.yaml:1:1: routes: hold regular expressions of \d+ instructions in all/);
  });

  it('there are too many rules to compare', async () => {
    const rules = (host: number): string =>
      Array.from({ length: 60 }, (_, index) => `{ type: Exact, value: /${host}/${index} }`).join(', ');
    const routes = Array.from({ length: 40 }, (_, host) => `{ host: a, matches: [{ paths: [${rules(host)}] }] }`);
    const problems = await problemsOf(`routes: [${routes.join(', ')}]`);
    assert.match(problems.join(), /2400 rules for paths and headers in all, 2000 are allowed/);
  });

  it('a credential goes in clear text to a neighbour only', async () => {
    for (const host of ['model', '10.1.2.3', '127.0.0.1', "'[fd00::1]'"]) {
      await routesOf(`routes: [{ host: ${host}, schemes: [http], auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }]`);
    }
  });
});

describe('two routes for one host', () => {
  const PAIRS: readonly (readonly [rule: string, first: string, second: string, says: RegExp | undefined])[] = [
    [
      'add up',
      'matches: [{ paths: [{ type: Prefix, value: /a }] }]',
      'matches: [{ paths: [{ type: Prefix, value: /b }] }]',
      undefined,
    ],
    [
      'may go from the narrow to the wide',
      'matches: [{ paths: [{ type: Prefix, value: /a }] }]',
      'websocket: true',
      undefined,
    ],
    ['cannot be the same', 'log: x', 'log: x', /never reached: routes\[0\]/],
    [
      'cannot go from the wide to the narrow',
      'websocket: true',
      'matches: [{ paths: [{ type: Prefix, value: /a }] }]',
      /never reached: routes\[0\]/,
    ],
    [
      'cannot go from a prefix to what it holds',
      'matches: [{ paths: [{ type: Prefix, value: /a }], methods: [GET, PUT] }]',
      'matches: [{ paths: [{ type: Exact, value: /a/b }], methods: [GET] }]',
      /never reached/,
    ],
    [
      'may go from one method to more',
      'matches: [{ methods: [GET] }]',
      'matches: [{ methods: [GET, PUT] }]',
      undefined,
    ],
    [
      'may go from requests to WebSockets',
      'matches: [{ methods: [GET] }]',
      'matches: [{ methods: [GET] }], websocket: true',
      undefined,
    ],
    ['may go from plain paths to encoded slashes', 'ports: [443]', 'allow_encoded_slash: true', undefined],
    ['may go from one port to another', 'ports: [443]', 'ports: [443, 8443]', undefined],
    [
      'cannot put in two credentials for one path',
      `${credential('A')}, matches: [{ paths: [{ type: Prefix, value: /a }] }]`,
      `${credential('B')}, matches: [{ paths: [{ type: Prefix, value: /a/b }, { type: Prefix, value: /c }] }]`,
      /another credential/,
    ],
    [
      'cannot put in two credentials where the narrow comes first',
      `${credential('A')}, matches: [{ paths: [{ type: Exact, value: /a/b }] }]`,
      `${credential('B')}, matches: [{ paths: [{ type: Prefix, value: /a }] }]`,
      /another credential/,
    ],
    [
      'cannot put in two credentials where an expression holds a path',
      `${credential('A')}, matches: [{ paths: [{ type: Exact, value: /a/b }] }]`,
      `${credential('B')}, matches: [{ paths: [{ type: RegularExpression, value: '/a/[^/]+' }] }]`,
      /another credential/,
    ],
    [
      'can put in two credentials for two paths',
      `${credential('A')}, matches: [{ paths: [{ type: Prefix, value: /a }] }]`,
      `${credential('B')}, matches: [{ paths: [{ type: Prefix, value: /ab }] }]`,
      undefined,
    ],
    [
      'can put in two credentials for two methods',
      `${credential('A')}, matches: [{ methods: [GET] }]`,
      `${credential('B')}, matches: [{ methods: [PUT] }]`,
      undefined,
    ],
    [
      'can put in two credentials for two values of a header',
      `${credential('A')}, matches: [{ headers: [{ name: X-Team, value: a }] }]`,
      `${credential('B')}, matches: [{ headers: [{ name: x-team, value: b }] }]`,
      undefined,
    ],
    [
      'can put in two credentials for two ports',
      `${credential('A')}, ports: [443]`,
      `${credential('B')}, ports: [8443]`,
      undefined,
    ],
  ];
  for (const [rule, first, second, says] of PAIRS) {
    it(rule, async () => {
      const text = `routes:\n  - { host: a.example, ${first} }\n  - { host: a.example, ${second} }\n`.replaceAll(
        ', log: x',
        '',
      );
      if (says === undefined) {
        await routesOf(text);
        return;
      }
      const problems = await problemsOf(text);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', says);
      assert.match(problems[0] ?? '', /^routes\.yaml:3:\d+: routes\[1\]/);
    });
  }

  it('may be a wildcard and a name below it, the name first', async () => {
    await routesOf(`routes: [{ host: a.b.example, ${credential('A')} }, { host: '*.b.example' }]`);
    const problems = await problemsOf(`routes: [{ host: '*.b.example' }, { host: a.b.example, ${credential('A')} }]`);
    assert.match(problems.join(), /never reached/);
  });
});

function credential(name: string): string {
  return `auth_scheme: Bearer, token_env: EGRESS_TOKEN_${name}`;
}
