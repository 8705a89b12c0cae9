import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { routesJsonSchema } from '../../../daemons/routes/json-schema.ts';
import { credentialNamesOf, hostsOf, injectableHeaders, routesToYaml } from '../../../daemons/routes/listing.ts';
import { parseRoutes } from '../../../daemons/routes/load.ts';
import { routesOf } from './support.ts';

const ROUTES = `
log: 2
routes:
  - { host: LLM.example, auth_header: X-Api-Key, token_env: EGRESS_TOKEN_LLM }
  - { host: a.example, matches: [{ methods: [get] }], auth_scheme: Bearer, token_env: EGRESS_TOKEN_A }
  - { host: a.example, websocket: true }
  - { host: '*.b.example', max_body: 10240 kb }
  - { host: '[2001:DB8::1]', ports: [8443] }
`;

describe('the list of routes', () => {
  it('is in normal form, and leaves out what holds anyway', async () => {
    assert.equal(
      routesToYaml(await routesOf(ROUTES)),
      `log: 2
routes:
  - host: llm.example
    token_env: EGRESS_TOKEN_LLM
    auth_header: X-Api-Key
  - host: a.example
    matches:
      - methods:
          - GET
    token_env: EGRESS_TOKEN_A
    auth_scheme: Bearer
  - host: a.example
    websocket: true
  - host: "*.b.example"
    max_body: 10mb
  - host: "[2001:db8::1]"
    ports:
      - 8443
`,
    );
  });

  it('reads back as the same routes, whatever they are', async () => {
    const path = fc.oneof(
      fc.record({
        type: fc.constantFrom('Exact', 'Prefix'),
        value: fc.webPath().filter((text) => text.startsWith('/')),
      }),
      fc.record({
        type: fc.constant('RegularExpression'),
        value: fc.constantFrom('/a/[^/]+', '/(?i)b.*', '/"\'#: \\{x'),
      }),
    );
    const header = fc.record({ name: fc.constantFrom('Accept', 'X-A'), value: fc.oneof(fc.string(), fc.nat()) });
    const match = fc.record(
      {
        paths: fc.array(path, { minLength: 1, maxLength: 3 }),
        methods: fc.subarray(['get', 'PUT', 'Head'], { minLength: 1 }),
        headers: fc.array(header, { minLength: 1, maxLength: 2 }),
      },
      { requiredKeys: [] },
    );
    const credential = fc.constantFrom(
      {},
      { token_env: 'EGRESS_TOKEN_1', auth_scheme: 'Basic' },
      { token_env: 'EGRESS_TOKEN_2', auth_header: 'X-Key' },
    );
    const settings = fc.record(
      {
        schemes: fc.constantFrom(['https'], ['https', 'http']),
        ports: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 3 }),
        matches: fc.array(match, { minLength: 1, maxLength: 3 }),
        websocket: fc.boolean(),
        allow_encoded_slash: fc.boolean(),
        max_body: fc.oneof(fc.nat(), fc.constantFrom('1kb', '3GB')),
        dlp: fc.record({ outbound_on_match: fc.constantFrom('block', 'redact', 'supervise') }),
      },
      { requiredKeys: [] },
    );
    const route = fc.tuple(fc.domain(), credential, settings).map(([host, auth, rest]) => ({ host, ...rest, ...auth }));
    const file = fc.record({ log: fc.constantFrom(0, 1, 2), routes: fc.array(route, { maxLength: 4 }) });
    let read = 0;
    await fc.assert(
      fc.asyncProperty(file, async (value) => {
        const loaded = await parseRoutes('routes.yaml', stringify(value));
        if (!loaded.ok) return;
        read += 1;
        const yaml = routesToYaml(loaded.routes);
        const again = await routesOf(yaml);
        assert.deepEqual(again, loaded.routes);
        assert.equal(routesToYaml(again), yaml);
      }),
      { numRuns: 300 },
    );
    assert.ok(read > 50, `only ${read} of the files were right`);
  });

  it('names hosts, credentials and the headers that only egress writes, each once', async () => {
    const routes = await routesOf(ROUTES);
    assert.deepEqual(hostsOf(routes), ['llm.example', 'a.example', '*.b.example', '2001:db8::1']);
    assert.deepEqual(credentialNamesOf(routes), ['EGRESS_TOKEN_LLM', 'EGRESS_TOKEN_A']);
    assert.deepEqual(injectableHeaders(routes), ['authorization', 'proxy-authorization', 'x-api-key']);
  });
});

describe('the JSON Schema', () => {
  it('describes every key', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [name, value] of Object.entries(node)) {
        if (name === 'properties') {
          for (const [key, schema] of Object.entries(value)) {
            if (typeof schema === 'object' && schema !== null && !('description' in schema))
              undescribed.push(`${path}.${key}`);
          }
        }
        visit(value, `${path}.${name}`);
      }
    };
    visit(routesJsonSchema(), '');
    assert.deepEqual(undescribed, []);
  });
});
