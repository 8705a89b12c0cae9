import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseTarget } from '../../../daemons/routes/target.ts';
import { outcome, routesOf } from './support.ts';

/** Targets made of the pieces that confuse servers. */
const pieces = fc.constantFrom(
  '/',
  '//',
  '.',
  '..',
  '%2e',
  '%2E',
  '%2f',
  '%5c',
  '\\',
  ';',
  '%3b',
  '%25',
  '%252e',
  '%',
  '%4',
  '%41',
  '%61',
  'a',
  'Z',
  '-',
  '~',
  '_',
  '%c3%a9',
  '%C0%AF',
  '%ef%bc%8f',
  '%00',
  '%20',
  ' ',
  '?',
  '#',
  '*',
  '@',
  ':',
  '+',
  '&',
  '=',
  '%40',
  '\u00e9',
  '\r\n',
  '2e',
  '25',
);
const hostile = fc.array(pieces, { maxLength: 16 }).map((parts) => `/${parts.join('')}`);
const targets = fc.oneof(
  hostile,
  fc.string(),
  fc.webPath(),
  fc.webUrl().map((url) => url.slice(url.indexOf('/', 8))),
);

describe('the normal form of a target', () => {
  it('is its own normal form', () => {
    fc.assert(
      fc.property(targets, (target) => {
        const read = parseTarget(target);
        if (read.ok) assert.deepEqual(parseTarget(read.path + read.query), read);
      }),
      { numRuns: 5_000 },
    );
  });

  it('decodes to the same bytes as what came', () => {
    fc.assert(
      fc.property(targets, (target) => {
        const read = parseTarget(target);
        const [path = ''] = target.split('?', 1);
        if (read.ok) assert.equal(decodeURIComponent(read.path), decodeURIComponent(path));
      }),
      { numRuns: 5_000 },
    );
  });

  it('leaves nothing for a URL parser to change', () => {
    fc.assert(
      fc.property(hostile, (target) => {
        const read = parseTarget(target);
        if (!read.ok) return;
        const { pathname } = new URL(`https://example.com${read.path}`);
        assert.equal(pathname, read.path);
      }),
      { numRuns: 5_000 },
    );
  });

  it('stays below a prefix however often and by whichever reading a server decodes it', () => {
    fc.assert(
      fc.property(hostile, (tail) => {
        const read = parseTarget(`/allowed${tail}`);
        if (!read.ok) return;
        let path = read.path;
        for (let round = 0; round < 4; round += 1) {
          const seen = new URL(path.replaceAll('\\', '/').replaceAll(/\/+/g, '/'), 'https://example.com').pathname;
          assert.ok(seen === '/allowed' || seen.startsWith('/allowed/'), `${read.path} is read as ${seen}`);
          path = path.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
          path = path.replace(/[?#].*$/s, '');
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('is never found for a text in which a fault was found before: a fault stays one however it is encoded', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('/a/../b', '/a/./b', '/..', '/a/..'),
        fc.infiniteStream(fc.boolean()),
        (target, choices) => {
          const encoded = target.replaceAll(/[.ab]/g, (character) =>
            choices.next().value === true ? `%${character.charCodeAt(0).toString(16)}` : character,
          );
          assert.equal(parseTarget(encoded).ok, false);
        },
      ),
    );
  });
});

describe('what is sent', () => {
  it('is what was matched: sent again, it has the same outcome', async () => {
    const routes = await routesOf(`
routes:
  - host: api.example.com
    matches:
      - paths: [{ type: Prefix, value: /a }, { type: RegularExpression, value: '/b/[^/]*' }, { type: Exact, value: /é }]
`);
    fc.assert(
      fc.property(fc.tuple(fc.constantFrom('', '/a', '/b', '/%c3%a9'), hostile), ([start, tail]) => {
        const result = outcome(routes, { target: start + tail });
        if (result.startsWith('sent ')) assert.equal(outcome(routes, { target: result.slice(5) }), result);
      }),
      { numRuns: 5_000 },
    );
  });

  it('can be written in Unicode in the file', async () => {
    const routes = await routesOf(
      'routes: [{ host: api.example.com, matches: [{ paths: [{ type: Exact, value: /é/ü }] }] }]',
    );
    assert.equal(outcome(routes, { target: '/%c3%a9/%C3%BC' }), 'sent /%C3%A9/%C3%BC');
  });
});
