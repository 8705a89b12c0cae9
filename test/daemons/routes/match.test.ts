import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePattern, matchesWhole } from '../../../daemons/routes/pattern.ts';
import { judge, outcome, routesOf } from './support.ts';

describe('routes', () => {
  it('of one host add up, and the first that matches decides', async () => {
    const routes = await routesOf(`
routes:
  - host: api.example.com
    matches: [{ paths: [{ type: Prefix, value: /a }] }]
    max_body: 1kb
  - host: api.example.com
    max_body: 2kb
`);
    for (const [target, limit] of [
      ['/a/b', 1024],
      ['/b', 2048],
    ] as const) {
      const verdict = judge(routes, { target });
      assert.ok(verdict?.kind === 'match');
      assert.equal(verdict.route.max_body, limit);
    }
  });

  it('allow nothing where there are none', async () => {
    assert.equal(outcome(await routesOf('routes: []'), {}), 'host-not-allowed');
  });

  it('allow only https where nothing else is said, and the port of the scheme', async () => {
    const routes = await routesOf('routes: [{ host: a.example }, { host: b.example, schemes: [http, https] }]');
    assert.equal(outcome(routes, { host: 'a.example' }), 'sent /');
    assert.equal(outcome(routes, { host: 'a.example', scheme: 'http' }), 'scheme-not-allowed');
    assert.equal(outcome(routes, { host: 'b.example', scheme: 'http' }), 'sent /');
    assert.equal(outcome(routes, { host: 'b.example:443', scheme: 'http' }), 'port-not-allowed');
  });

  it('compare a header by an expression with its whole value', async () => {
    const routes = await routesOf(`
routes:
  - host: api.example.com
    matches: [{ headers: [{ name: Accept, type: RegularExpression, value: 'application/(json|yaml)' }] }]
`);
    assert.equal(outcome(routes, { headers: ['Accept', 'application/yaml'] }), 'sent /');
    assert.equal(outcome(routes, { headers: ['Accept', 'application/yaml, */*'] }), 'headers-not-allowed');
    assert.equal(
      outcome(routes, { headers: ['Accept', 'application/yaml', 'accept', 'text/html'] }),
      'headers-not-allowed',
    );
  });
});

describe('a refusal', () => {
  const ROUTES = `
routes:
  - host: api.example.com
    matches: [{ paths: [{ type: Prefix, value: /private-beta }], methods: [PUT], headers: [{ name: X-Team, value: blue }] }]
  - { host: hidden.example.com, ports: [8443] }
`;

  it('names what was asked for in one line, and nothing of the routes', async () => {
    const routes = await routesOf(ROUTES);
    const cases: readonly (readonly [Parameters<typeof judge>[1], string])[] = [
      [{ host: 'evil.example' }, 'no route allows the host evil.example'],
      [{ host: '[2001:db8::1]' }, 'no route allows the host [2001:db8::1]'],
      [{ host: 'hidden.example.com' }, 'no route allows port 443 of hidden.example.com'],
      [{ scheme: 'http' }, 'no route allows http to api.example.com'],
      [{ target: '/x?token=1' }, 'no route allows the path api.example.com/x'],
      [{ target: '/private-beta' }, 'no route allows GET on api.example.com/private-beta'],
      [
        { method: 'PUT', target: '/private-beta' },
        'no route allows PUT on api.example.com/private-beta with these headers',
      ],
      [{ target: '/a/../b' }, 'the path holds a dot segment; send the path that is meant'],
      [{ method: 'p\r\nut' }, String.raw`"p\r\nut" is not a method; methods are in upper case`],
    ];
    for (const [wire, reason] of cases) {
      const verdict = judge(routes, wire);
      assert.ok(verdict?.kind === 'refused');
      assert.equal(verdict.reason, reason);
      assert.doesNotMatch(verdict.reason, /blue|8443/);
    }
  });

  it('is short, however long the path was', async () => {
    const verdict = judge(await routesOf(ROUTES), { target: `/${'a'.repeat(8000)}` });
    assert.ok(verdict?.kind === 'refused' && verdict.reason.length < 300);
  });

  it('is a 400 where the request has no one meaning, a 414 where it is too long, else a 403', async () => {
    const routes = await routesOf(ROUTES);
    const status = (target: string): unknown => {
      const verdict = judge(routes, { target });
      return verdict?.kind === 'refused' && verdict.status;
    };
    assert.deepEqual([status('/a//b'), status(`/${'a'.repeat(9000)}`), status('/x')], [400, 414, 403]);
  });
});

describe('a regular expression', () => {
  it('that takes RegExp exponential time takes linear time here', () => {
    for (const text of ['/(a+)+b', '/(a|a)*b', '/(a|aa)+b', '/([a-z]+)*b', '/(.*)(.*)(.*)(.*)(.*)b']) {
      const compiled = compilePattern(text);
      assert.ok(compiled.ok);
      assert.equal(matchesWhole(compiled.pattern, `/${'a'.repeat(8000)}`), false);
      assert.equal(matchesWhole(compiled.pattern, `/${'a'.repeat(8000)}b`), true);
    }
  });

  it('matches the whole text, whichever alternative comes first', () => {
    const compiled = compilePattern('/a|/ab|/abc');
    assert.ok(compiled.ok);
    assert.deepEqual(
      ['/a', '/ab', '/abc', '/abcd', 'x/a', '/a\n'].map((text) => matchesWhole(compiled.pattern, text)),
      [true, true, true, false, false, false],
    );
  });

  it('does not end at a line break by "$", nor begin after one by "^"', () => {
    const compiled = compilePattern('^/a$');
    assert.ok(compiled.ok);
    assert.deepEqual(
      ['/a', '/a\n', '\n/a', '/a\n/a'].map((text) => matchesWhole(compiled.pattern, text)),
      [true, false, false, false],
    );
  });
});
