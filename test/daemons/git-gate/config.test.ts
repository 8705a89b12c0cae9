import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { formatProblem } from '../../../config/problem.ts';
import { loadGateConfig } from '../../../daemons/git-gate/config/load.ts';
import { matchesRef } from '../../../daemons/git-gate/config/ref-pattern.ts';
import { gateJsonSchema } from '../../../daemons/git-gate/config/schema.ts';
import { git, makeWorld, scratch, yamlFor } from './world.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';

async function problemsOf(t: import('node:test').TestContext, yaml: string): Promise<readonly string[]> {
  const file = join(scratch(t), 'git-gate.yaml');
  writeFileSync(file, yaml);
  const loaded = await loadGateConfig(file);
  return loaded.ok ? [] : loaded.problems.map((problem) => formatProblem({ ...problem, file: 'git-gate.yaml' }));
}

test('a file as the documentation shows it is right', async (t) => {
  const yaml = `repos:
  site:
    url: git@github.com:acme/site.git
    identity: site_key
    host_key: github.com ${KEY}
    protected: [refs/heads/main, "refs/heads/release/*"]
  api: { url: "https://github.com/acme/api", token: api_token, max_blob: 10 MiB, tags: none }
  local: { url: "file:///srv/git/local.git", read_only: true }
limits: { max_push: 1 GiB, fetch_fresh: 5s }
allow:
  - { fingerprint: ${'ab'.repeat(32)}, reason: an example in the documentation }
`;
  assert.deepEqual(await problemsOf(t, yaml), []);
});

test('every problem is told at once, each with its place', async (t) => {
  const yaml = `repos:
  .hidden: { url: "file:///a" }
  a.git: { url: "file:///b" }
  -x: { url: "file:///c" }
  ok: { url: "file:///d", tags: somme, protected: ["main"], max_blob: 3 parsecs, allow_forse: true }
allow:
  - { fingerprint: abc, reason: "" }
`;
  const problems = await problemsOf(t, yaml);
  for (const sign of [
    /^git-gate\.yaml:2:3: .*\.hidden/,
    /:3:3: .*a\.git/,
    /:4:3: .*-x/,
    /tags: "somme" is not one of/,
    /protected\[0\]: "main" is not a pattern/,
    /max_blob: "3 parsecs" is not a size/,
    /allow_forse: is not a known key; did you mean "allow_force"\?/,
    /fingerprint: "abc" is not a fingerprint/,
    /reason: /,
  ]) {
    assert.ok(
      problems.some((problem) => sign.test(problem)),
      `${sign}: ${problems.join('\n')}`,
    );
  }
});

test('addresses and keys that would be unsafe are refused', async (t) => {
  const cases: readonly (readonly [entry: string, why: RegExp])[] = [
    ['url: "ssh://git@host/x.git"', /host_key: is missing; pin the key of the host/],
    [`url: "ssh://git@host/x.git", host_key: "other ${KEY}"`, /is the key of "other", not of "host"/],
    ['url: "ssh://git@host/x.git", host_key: "ssh-ed25519 AAAA"', /is cut or damaged/],
    [`url: "ssh://git@host/x.git", host_key: "@cert-authority * ${KEY}"`, /has the marker/],
    ['url: "https://user:hunter2@host/x.git"', /holds a user or a password/],
    ['url: "http://host/x.git"', /has the scheme "http"/],
    ['url: "ext::sh -c id"', /is not an address/],
    ['url: "file://host/x.git"', /names a host/],
    ['url: "file:///a/../b.git"', /"\." or "\.\."/],
    ['url: "ssh://git@-oProxyCommand=id/x"', /no usable host name/],
    ['url: "git@host:--upload-pack=x"', /other characters|begins with "-"/],
    ['url: "https://host/x.git", identity: key', /does not go with an upstream over https/],
    ['url: "https://host/x.git", token: "../../etc/passwd"', /is not the name of a file/],
  ];
  for (const [entry, why] of cases) {
    const problems = await problemsOf(t, `repos: { demo: { ${entry} } }`);
    assert.match(problems.join('\n'), why, entry);
    assert.ok(!problems.join('\n').includes('passwd'), 'what may be a secret is not repeated');
  }
});

test('one upstream under two names is refused, however it is written', async (t) => {
  const spellings = [
    'https://github.com/acme/site',
    'https://GitHub.com:443/acme/site.git',
    `git@github.com:acme/Site.git`,
    'ssh://git@github.com:22/acme/site/',
  ];
  for (const spelling of spellings.slice(1)) {
    const ssh = spelling.startsWith('https') ? '' : `, host_key: "${KEY}"`;
    const problems = await problemsOf(
      t,
      `repos:\n  one: { url: "${spellings[0]}" }\n  two: { url: "${spelling}"${ssh} }\n`,
    );
    assert.match(
      problems.join('\n'),
      /^git-gate\.yaml:3:15: repos\.two\.url: is the upstream of "one" already/,
      spelling,
    );
  }
});

test('patterns of refs', () => {
  assert.ok(matchesRef('refs/heads/main', 'refs/heads/main'));
  assert.ok(matchesRef('refs/heads/main', 'refs/heads/MAIN'));
  assert.ok(matchesRef('refs/heads/release/*', 'refs/heads/release/1'));
  assert.ok(!matchesRef('refs/heads/release/*', 'refs/heads/release/1/2'));
  assert.ok(matchesRef('refs/heads/**', 'refs/heads/a/b/c'));
  assert.ok(!matchesRef('refs/heads/a.b', 'refs/heads/axb'));
});

test('every key of the JSON Schema is described', () => {
  const undescribed: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'properties' && typeof inner === 'object' && inner !== null) {
        for (const [name, schema] of Object.entries(inner)) {
          if (typeof schema !== 'object' || schema === null || !('description' in schema))
            undescribed.push(`${path}.${name}`);
          walk(schema, `${path}.${name}`);
        }
      } else walk(inner, path);
    }
  };
  walk(gateJsonSchema(), '');
  assert.deepEqual(undescribed, []);
});

test('a bad file at the start ends the daemon with 2 and every problem', async (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'etc'));
  writeFileSync(join(folder, 'etc', 'git-gate.yaml'), 'repos: { a: { url: nonsense }, b: { urll: x } }');
  const main = fileURLToPath(new URL('../../../daemons/git-gate/main.ts', import.meta.url));
  const env = {
    PATH: process.env.PATH ?? '',
    GIT_GATE_SETTINGS: join(folder, 'etc', 'git-gate.yaml'),
    GIT_GATE_DATA: folder,
  };
  const ended = await execa(process.execPath, [main], { env, extendEnv: false, reject: false });
  assert.equal(ended.exitCode, 2);
  assert.match(ended.stdout, /is not an address of a repository/);
  const unset = await execa(process.execPath, [main], {
    env: { PATH: env.PATH, GIT_GATE_HTTP_PORT: 'x' },
    extendEnv: false,
    reject: false,
  });
  assert.equal(unset.exitCode, 2);
  assert.match(unset.stdout, /GIT_GATE_SETTINGS: is not set/);
  assert.match(unset.stdout, /GIT_GATE_HTTP_PORT: .*is not a port/);
});

test('a changed file counts without a signal, a bad one keeps what is in force', async (t) => {
  const { agent, gate, upstream } = await makeWorld(t);
  gate.write('repos: [');
  await gate.logged('reload-refused');
  assert.equal((await git(agent, ['ls-remote', 'origin'])).code, 0);
  writeFileSync(`${gate.settings}.new`, yamlFor(upstream).replace('demo:', 'renamed:'));
  renameSync(`${gate.settings}.new`, gate.settings);
  await gate.logged('reloaded');
  assert.equal((await git(agent, ['ls-remote', `${gate.http}/renamed.git`])).code, 0);
  assert.match((await git(agent, ['ls-remote', 'origin'])).said, /there is no repository "demo"/);
});
