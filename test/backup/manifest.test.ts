import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bottled } from '../cli/bottled.ts';

const BUNDLE = fileURLToPath(new URL('../../daemons/bundle.yaml', import.meta.url));

interface Service {
  readonly name: string;
  readonly purpose: string;
  readonly source: string;
  readonly install: string;
  readonly command: string;
  readonly log: string;
  readonly health: string;
  readonly paths: readonly { readonly path: string; readonly backup: string; readonly kind: string }[];
}

async function manifestOf(env: Readonly<Record<string, string>> = {}): Promise<readonly Service[]> {
  const { stdout, stderr, exitCode } = await bottled(['manifest', '-f', BUNDLE, '--format', 'json'], { env });
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout).services;
}

test('every service of the bundle says what it is, where it comes from, how it is installed, how it runs, where it logs and how it is', async () => {
  const services = await manifestOf();
  assert.deepEqual(
    services.map(({ name }) => name),
    ['bottled', 'pipelock', 'egress', 'git-gate', 'supervise', 'mcp-bridge', 'model'],
  );
  for (const { name, purpose, source, install, command, log, health } of services) {
    for (const [what, text] of Object.entries({ purpose, source, install, command, log, health })) {
      assert.notEqual(text, '', `${name} has no ${what}`);
    }
  }
});

test('every path has a class, and moves with the variables of the bundle', async () => {
  const paths = (await manifestOf({ BOTTLED_DATA: '/else' })).flatMap((service) => service.paths);
  const classOf = (path: string) => paths.find((each) => each.path === path)?.backup;
  assert.equal(classOf('/else/egress'), 'must-back-up');
  assert.equal(classOf('/else/supervise'), 'must-back-up');
  assert.equal(classOf('/else/git-gate'), 'reproducible');
  assert.equal(classOf('/else/known-secrets'), 'disposable');
  assert.equal(classOf('/etc/bottled/routes.yaml'), 'must-back-up');
});

test('a value of a variable is in no manifest', async () => {
  const { stdout } = await bottled(['manifest', '-f', BUNDLE, '--format', 'json'], {
    env: { EGRESS_CANARY: 'told-nobody' },
  });
  assert.doesNotMatch(stdout, /told-nobody/);
  assert.match(stdout, /EGRESS_TOKEN_\*/);
});

test('daemons that are not selected are in it', async () => {
  assert.equal((await manifestOf({ BOTTLED_DAEMONS: 'egress' })).length, 7);
});

test('as Markdown and as a table it names each service and each path', async () => {
  for (const format of ['markdown', 'table']) {
    const { stdout } = await bottled(['manifest', BUNDLE, '--format', format]);
    for (const text of ['git-gate', '/var/lib/bottled/supervise', 'must-back-up', 'npm ci'])
      assert.ok(stdout.includes(text), text);
  }
});
