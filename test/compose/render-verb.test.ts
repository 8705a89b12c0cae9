import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { execa } from 'execa';
import { ROOT } from './rendered.ts';

const BOTTLE = `name: b
agent: { image: acme/agent }
egress: { routes: [{ host: a.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }] }
secrets: { EGRESS_TOKEN_0: { file: ./secrets/token } }
`;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bottled-render-'));
  writeFileSync(join(directory, 'bottle.yaml'), BOTTLE);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const read = (path: string): string => readFileSync(join(directory, path), 'utf8');

function bottled(...args: string[]) {
  return execa(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], { cwd: directory, reject: false });
}

describe('bottled render compose', () => {
  it('writes the Compose file and the files of the daemons beside the bottle', async () => {
    const { exitCode, stdout } = await bottled('render', 'compose');
    assert.equal(exitCode, 0);
    assert.equal(stdout, 'compose.yaml written\nconfig/routes.yaml written\nconfig/pipelock.yaml written');
    assert.match(read('compose.yaml'), /^name: b$/m);
  });

  it('writes no credential, which it does not even read', async () => {
    const credential = `s${Math.random()}`;
    mkdirSync(join(directory, 'secrets'));
    writeFileSync(join(directory, 'secrets/token'), credential);
    chmodSync(join(directory, 'secrets/token'), 0);
    const { exitCode, stdout, stderr } = await bottled('render', 'compose');
    assert.equal(exitCode, 0, stderr);
    for (const text of [stdout, read('compose.yaml'), read('config/routes.yaml')])
      assert.ok(!text.includes(credential));
  });

  it('says of a secret that is not there yet, or that others can read', async () => {
    assert.match(
      (await bottled('render', 'compose')).stderr,
      /^warning: bottle\.yaml: secrets\.EGRESS_TOKEN_0\.file: "\.\/secrets\/token" is not there yet; make it before/,
    );
    mkdirSync(join(directory, 'secrets'));
    writeFileSync(join(directory, 'secrets/token'), 'x');
    chmodSync(join(directory, 'secrets/token'), 0o640);
    assert.match(
      (await bottled('render', 'compose')).stderr,
      /can be read by others on this machine \(mode 0640\); chmod 600$/,
    );
    chmodSync(join(directory, 'secrets/token'), 0o600);
    assert.equal((await bottled('render', 'compose')).stderr, '');
  });

  it('leaves alone what is the same already', async () => {
    await bottled('render', 'compose');
    const before = statSync(join(directory, 'compose.yaml')).ino;
    const { stdout } = await bottled('render', 'compose', 'bottle.yaml');
    assert.equal(stdout, 'compose.yaml unchanged\nconfig/routes.yaml unchanged\nconfig/pipelock.yaml unchanged');
    assert.equal(statSync(join(directory, 'compose.yaml')).ino, before);
  });

  it('writes what daemons with users of their own can read, whatever the umask', async () => {
    await execa(
      'sh',
      ['-c', `umask 077; exec "$@"`, 'sh', process.execPath, join(ROOT, 'cli/main.ts'), 'render', 'compose'],
      {
        cwd: directory,
      },
    );
    assert.equal(statSync(join(directory, 'config')).mode & 0o777, 0o755);
    assert.equal(statSync(join(directory, 'config/routes.yaml')).mode & 0o777, 0o644);
  });

  it('overwrites nothing that was changed since, by an approved proposal say, and then writes nothing at all', async () => {
    await bottled('render', 'compose');
    const approved = `${read('config/routes.yaml')}  - host: approved.example\n`;
    writeFileSync(join(directory, 'config/routes.yaml'), approved);
    writeFileSync(join(directory, 'bottle.yaml'), BOTTLE.replace('acme/agent', 'acme/other'));
    const refused = await bottled('render', 'compose');
    assert.equal(refused.exitCode, 2);
    assert.match(
      refused.stderr,
      /^config\/routes\.yaml: is not as it was rendered: someone has changed it, an approved proposal say; nothing was written; put what it says into bottle\.yaml if it is to stay, then render with --force$/m,
    );
    assert.equal(read('config/routes.yaml'), approved);
    assert.match(read('compose.yaml'), /acme\/agent/);
    assert.equal((await bottled('render', 'compose', '--force')).exitCode, 0);
    assert.doesNotMatch(read('config/routes.yaml'), /approved/);
    assert.match(read('compose.yaml'), /acme\/other/);
  });

  it('overwrites nothing that somebody wrote by hand', async () => {
    writeFileSync(join(directory, 'compose.yaml'), 'services: {}\n');
    assert.equal((await bottled('render', 'compose')).exitCode, 2);
    assert.equal(read('compose.yaml'), 'services: {}\n');
  });

  it('writes into another directory, from which paths still lead to the bottle', async () => {
    assert.equal((await bottled('render', 'compose', '-o', 'out/deep')).exitCode, 0);
    assert.match(read('out/deep/compose.yaml'), /file: \.\.\/\.\.\/secrets\/token/);
  });

  it('prints the Compose file alone with -o -, and writes nothing', async () => {
    const { stdout } = await bottled('render', 'compose', '-o', '-');
    assert.match(stdout, /^# Rendered by "bottled render"/);
    assert.throws(() => read('compose.yaml'), { code: 'ENOENT' });
  });

  it('tells of a bottle that is not valid, and writes nothing', async () => {
    writeFileSync(join(directory, 'bottle.yaml'), 'name: b\nagent: {}\n');
    const { exitCode, stderr } = await bottled('render', 'compose');
    assert.equal(exitCode, 2);
    assert.equal(stderr, 'bottle.yaml:2:1: agent.image: is missing');
    assert.throws(() => read('compose.yaml'), { code: 'ENOENT' });
  });

  it('says of the split layout that it is the legacy one', async () => {
    const { exitCode, stderr } = await bottled('render', 'compose', '--layout', 'split');
    assert.equal(exitCode, 0);
    assert.match(stderr, /^warning: compose_agent=false - running in legacy mode/m);
  });

  it('refuses what is no engine, and proposes one', async () => {
    const { exitCode, stderr } = await bottled('render', 'kubernets');
    assert.equal(exitCode, 2);
    assert.match(stderr, /"kubernets" is not one of compose, swarm, kubernetes; did you mean "kubernetes"\?/);
  });
});

describe('bottled schema', () => {
  it('prints that of a bundle, or of a bottle', async () => {
    assert.equal(JSON.parse((await bottled('schema')).stdout).title, 'bundle.yaml');
    assert.equal(JSON.parse((await bottled('schema', 'bottle')).stdout).title, 'bottle.yaml');
    const { exitCode, stderr } = await bottled('schema', 'botle');
    assert.equal(exitCode, 2);
    assert.match(stderr, /did you mean "bottle"\?/);
  });
});

describe('bottled check', () => {
  it('says of a bottle what checks it', async () => {
    const { exitCode, stderr } = await bottled('check', 'bottle.yaml');
    assert.equal(exitCode, 2);
    assert.match(
      stderr,
      /agent: is not a known key; this is a bottle, which "bottled render compose -o - FILE" checks/,
    );
  });
});
