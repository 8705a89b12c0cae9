import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { formatProblem } from '../../../../config/problem.ts';
import { loadPolicy, parsePolicy } from '../../../../daemons/mcp-bridge/config/load.ts';
import { isSameTool, type PolicyConfig, tooShortSecrets } from '../../../../daemons/mcp-bridge/config/policy.ts';
import { policyJsonSchema } from '../../../../daemons/mcp-bridge/config/schema.ts';

const SEED = `apiVersion: polis.io/v1
kind: Policy
metadata: { name: local-dev }
spec:
  governance: { mode: "blocking" }
  tools:
    - { name: git-helper, driver: local-docker, image: alpine/git }
`;

const nothing = { credentials: undefined, variables: {} };

function withSpec(spec: string): string {
  return `apiVersion: polis.io/v1\nkind: Policy\nmetadata: { name: test }\nspec:\n${spec.replace(/^/gm, '  ')}\n`;
}

async function good(text: string, sources: Parameters<typeof parsePolicy>[2] = nothing): Promise<PolicyConfig> {
  const loaded = await parsePolicy('p.yaml', text, sources);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  return loaded.policy;
}

async function problemsOf(text: string, sources: Parameters<typeof parsePolicy>[2] = nothing): Promise<string[]> {
  const loaded = await parsePolicy('p.yaml', text, sources);
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'policy-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const local = 'driver: local, command: cat';

test('the published form of the file is right as it is', async () => {
  const policy = await good(SEED);
  const tool = policy.tools.get('git-helper');
  assert.equal(policy.name, 'local-dev');
  assert.equal(tool?.driver, 'local-docker');
  assert.deepEqual(tool?.command.command, []);
  assert.equal(tool?.command.network, undefined);
  assert.equal(tool?.life, 'session');
  assert.deepEqual(policy.rules.otherwise, { request: 'allow', 'tool-request': 'block', result: 'allow' });
});

test('where there are rules, what none of them matches is blocked, unless the file or audit mode says otherwise', async () => {
  const spec = (governance: string) =>
    withSpec(`governance: { ${governance} }\ntools: []\nrules: [{ name: a, action: allow }]`);
  assert.equal((await good(spec('mode: blocking'))).rules.otherwise.request, 'block');
  assert.equal((await good(spec('mode: audit'))).rules.otherwise.request, 'allow');
  const open = (await good(spec('mode: blocking, default: allow'))).rules.otherwise;
  assert.deepEqual(open, { request: 'allow', 'tool-request': 'allow', result: 'allow' });
});

test('every key of a tool arrives', async () => {
  const policy = await good(
    withSpec(`governance: { mode: audit }
tools:
  - name: files
    driver: local-docker
    image: registry.example:5000/mcp/files@sha256:${'a'.repeat(64)}
    command: [/bin/files, --root]
    args: [/data]
    environment: { LEVEL: 3, PRICE: "$$5" }
    working_dir: /data
    life: stateless
    idle_timeout: 1m
    max_sessions: 4
    network: tools
    limits: { memory: 64 MiB, cpus: 0.5, pids: 10, concurrent: 2, call_timeout: 5s, message_size: 1mb, rate: 60/1m }
    health: { interval: 5s, timeout: 1s, retries: 2 }`),
  );
  const tool = policy.tools.get('files');
  assert.deepEqual(tool?.command.command, ['/bin/files', '--root', '/data']);
  assert.deepEqual(tool?.command.environment, { LEVEL: '3', PRICE: '$5' });
  assert.deepEqual(tool?.command.limits, { memory: 64 * 1024 ** 2, cpus: 0.5, pids: 10 });
  assert.deepEqual(tool?.limits.rate, { text: '60/1m', calls: 60, per: 60_000 });
  assert.equal(tool?.limits.messageSize, 1024 ** 2);
  assert.equal(tool?.idleTimeout, 60_000);
  assert.deepEqual(tool?.health, { interval: 5000, timeout: 1000, retries: 2 });
});

test('a secret comes from its file, else from its variable, and is noted so that it can be hidden', async (t) => {
  const credentials = folder(t);
  writeFileSync(join(credentials, 'FROM_FILE'), 'file value\n');
  const sources = { credentials, variables: { FROM_FILE: 'not this', FROM_ENV: 'variable value', SHORT: 'abc' } };
  const text = withSpec(`governance: { mode: blocking }
tools:
  - { name: a, ${local}, environment: { A: "x-\${FROM_FILE}-y", B: "\${FROM_ENV}", C: "\${SHORT}" } }`);
  const policy = await good(text, sources);
  const tool = policy.tools.get('a');
  assert.deepEqual(tool?.command.environment, { A: 'x-file value-y', B: 'variable value', C: 'abc' });
  assert.deepEqual(policy.secrets, [
    { name: 'FROM_FILE', value: 'file value' },
    { name: 'FROM_ENV', value: 'variable value' },
    { name: 'SHORT', value: 'abc' },
  ]);
  assert.deepEqual(tooShortSecrets(policy), ['SHORT']);
});

test('a secret that is missing is a problem with its place, and no value is ever told', async (t) => {
  const credentials = folder(t);
  writeFileSync(join(credentials, 'EMPTY'), '\n');
  writeFileSync(join(credentials, 'BINARY'), Buffer.from([0xff, 0xfe]));
  const written = `hunter2${'-secret'}`;
  const text = withSpec(`governance: { mode: blocking }
tools:
  - name: a
    ${local.replace(', ', '\n    ')}
    environment:
      ONE: "\${NOT_THERE}"
      TWO: "\${EMPTY}"
      THREE: "\${BINARY}"
      FOUR: "${written} $oops"
      FIVE: [${written}]`);
  const problems = (await problemsOf(text, { credentials, variables: {} })).join('\n');
  assert.match(problems, /FIVE: a list is not|FIVE/);
  assert.doesNotMatch(problems, new RegExp(written));
  const others = (await problemsOf(text.replace(/ *FIVE.*\n/, ''), { credentials, variables: {} })).join('\n');
  assert.match(
    others,
    /p\.yaml:11:14: spec\.tools\[0\]\.environment\.ONE: needs a secret that is not there: there is no file NOT_THERE in \$CREDENTIALS_DIRECTORY and no variable NOT_THERE/,
  );
  assert.match(others, /TWO: needs a secret that is not there: the file EMPTY in \$CREDENTIALS_DIRECTORY is empty/);
  assert.match(others, /THREE: needs a secret that is not there: the file BINARY .* is not UTF-8 text/);
  assert.match(others, /FOUR: holds a "\$" that begins no \$\{VAR\}; write "\$\$"/);
  assert.doesNotMatch(others, new RegExp(written));
});

test('a secret in the arguments of a program is refused: every user of the machine can read those', async () => {
  const text = withSpec(`governance: { mode: blocking }
tools: [{ name: a, driver: local, command: [tool, "--token=\${TOKEN}"] }]`);
  const problems = await problemsOf(text, { credentials: undefined, variables: { TOKEN: 'abcdefgh' } });
  assert.match(problems.join(), /tools\[0\]\.command: holds a \$\{VAR\}, .*; put secrets into environment/);
});

test('every problem is told at once, each with its place', async () => {
  const problems = await problemsOf(`apiVersion: polis.io/v2
kind: Polcy
metadata: {}
spec:
  governance: { mode: block }
  tools:
    - { name: Bad_Name, driver: docker, colour: red }
    - { name: ok, driver: local, limits: { memory: lots, rate: often } }
  rules:
    - { name: r, action: alow, when: { arguments: [{ path: foo, equals: 1 }, { path: $.a }, { path: $.a, matches: "(" }] } }
`);
  for (const sign of [
    /^p\.yaml:1:13: apiVersion: /,
    /^p\.yaml:2:7: kind: "Polcy" is not "Policy"/,
    /metadata\.name: is missing/,
    /mode: "block" is not one of "blocking", "audit"/,
    /tools\[0\]\.name: "Bad_Name" is not a name/,
    /driver: "docker" is not one of "local", "local-docker", "e2b"; did you mean "local-docker"\?|driver: "docker"/,
    /colour: is not a known key/,
    /memory: "lots" is not a size/,
    /rate: "often" is not a rate/,
    /action: "alow" is not one of .*did you mean "allow"/,
    /arguments\[0\]\.path: "foo" is not a JSON path/,
    /arguments\[1\]: needs exactly one of exists, equals/,
    /matches: .* is not a regular expression of RE2/,
  ]) {
    assert.ok(
      problems.some((problem) => sign.test(problem)),
      `${sign}:\n${problems.join('\n')}`,
    );
  }
});

test('keys that do not go together are refused', async () => {
  const cases: readonly (readonly [tools: string, rules: string, why: RegExp])[] = [
    ['{ name: a, driver: local }', '', /tools\[0\]\.command: is missing/],
    ['{ name: a, driver: local, command: x, image: y }', '', /image: is not for driver local/],
    ['{ name: a, driver: local, command: x, network: y }', '', /network: is only for driver local-docker/],
    ['{ name: a, driver: local, command: x, limits: { cpus: 1 } }', '', /cpus: is only for driver local-docker/],
    ['{ name: a, driver: local-docker }', '', /image: is missing/],
    ['{ name: a, driver: local-docker, image: "--privileged" }', '', /image: .*is not the name of an image/],
    ['{ name: a, driver: e2b }', '', /command: is missing/],
    ['{ name: a, driver: e2b, command: x, limits: { memory: 1gb } }', '', /memory: is set by the template/],
    [
      `{ name: a, ${local} }, { name: a, ${local} }`,
      '',
      /tools\[1\]\.name: "a" is the name of spec\.tools\[0\] already/,
    ],
    ['', '{ name: a, action: allow }, { name: a, action: block }', /rules\[1\]\.name: "a" is the name of/],
    ['', '{ name: a, action: modify }', /changes nothing; give "set" or "remove"/],
    ['', '{ name: a, action: redact }', /hides nothing; give "paths" or "patterns"/],
    ['', '{ name: a, action: block, remove: [$.x] }', /remove: is only for action modify/],
    ['', '{ name: a, action: modify, remove: [$..x] }', /can lead to more than one place/],
    ['', '{ name: a, action: modify, set: [{ path: $, value: 1 }] }', /is the whole/],
    ['', '{ name: a, action: allow, timeout: 1s }', /timeout: is only for action ask/],
    [
      '',
      '{ name: a, action: allow, when: { result: [{ path: $.x, exists: true }] } }',
      /result: is only for direction result/,
    ],
    ['', '{ name: a, action: allow, when: { tools: [] } }', /is an empty list/],
    [
      '',
      `{ name: a, action: allow, when: { arguments: [{ path: $.x, matches: "(a{500}){500}" }] } }`,
      /RE2|repeats too much/,
    ],
  ];
  for (const [tools, rules, why] of cases) {
    const text = withSpec(`governance: { mode: blocking }\ntools: [${tools}]\nrules: [${rules}]`);
    assert.match((await problemsOf(text)).join('\n'), why, `${tools} ${rules}`);
  }
});

test('a rule for a tool that is not there is worth a warning', async () => {
  const loaded = await parsePolicy(
    'p.yaml',
    withSpec(`governance: { mode: blocking }
tools: [{ name: files, ${local} }]
rules: [{ name: a, action: block, when: { tools: [flies, "f*"] } }]`),
    nothing,
  );
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.warnings.map(formatProblem), [
    'p.yaml: spec.rules[0].when.tools[0]: "flies" is no tool of this file, so only the interceptor\'s callers can name it; did you mean "files"?',
  ]);
});

test('a file that is not there, or is no YAML, is one problem', async (t) => {
  const file = join(folder(t), 'polis-policy.yaml');
  const missing = await loadPolicy(file, nothing);
  assert.ok(
    !missing.ok &&
      missing.problems.length === 1 &&
      /does not exist/.test(formatProblem(missing.problems[0] ?? assert.fail())),
  );
  writeFileSync(file, 'spec: [\n');
  const broken = await loadPolicy(file, nothing);
  assert.ok(!broken.ok);
  writeFileSync(file, SEED);
  assert.ok((await loadPolicy(file, nothing)).ok);
});

test('a reload can tell which tools have changed', async () => {
  const text = (level: string) =>
    withSpec(`governance: { mode: audit }\ntools: [{ name: a, ${local}, environment: { LEVEL: ${level} } }]`);
  const [before, same, other] = [await good(text('1')), await good(text('1')), await good(text('2'))];
  const tool = (policy: PolicyConfig) => policy.tools.get('a') ?? assert.fail();
  assert.equal(isSameTool(tool(before), tool(same)), true);
  assert.equal(isSameTool(tool(before), tool(other)), false);
});

test('the JSON Schema describes every key', () => {
  const bare: string[] = [];
  const walk = (schema: unknown, path: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { properties = {}, items, anyOf = [], additionalProperties } = schema as Record<string, unknown>;
    for (const [key, value] of Object.entries(properties as object)) {
      if (typeof value.description !== 'string') bare.push(`${path}.${key}`);
      walk(value, `${path}.${key}`);
    }
    walk(items, `${path}[]`);
    walk(additionalProperties, `${path}.*`);
    for (const one of anyOf as unknown[]) walk(one, path);
  };
  walk(policyJsonSchema(), '');
  assert.deepEqual(bare, []);
});

test('every policy that the documentation shows is right', async () => {
  const page = readFileSync(new URL('../../../../docs/mcp-policy.md', import.meta.url), 'utf8');
  const policies = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  assert.ok(policies.length >= 3);
  const variables = { GITHUB_TOKEN: 'made up here', SEARCH_KEY: 'made up too' };
  for (const text of policies) assert.deepEqual(await problemsOf(text, { credentials: undefined, variables }), []);
});
