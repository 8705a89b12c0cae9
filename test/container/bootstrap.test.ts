import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { bottled } from '../cli/bottled.ts';
import { makeBaseImages } from './base-images.ts';
import { composeCommand, docker, noEngine, sidecarsImage } from './engine.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TAG = 'bottled-sidecars:bootstrap';
const PLUGINS = ['/usr/libexec/docker/cli-plugins', '/usr/lib/docker/cli-plugins', '/usr/local/lib/docker/cli-plugins'];

const skip = noEngine || (composeCommand === undefined ? 'needs Docker Compose' : false);

interface Ended {
  readonly code: number | undefined;
  readonly said: string;
}

/** A Debian without anything, on which nothing but docker's client and Compose were put: both are single files. */
interface Machine {
  remove(): Promise<unknown>;
  run(...command: readonly string[]): Promise<Ended>;
  script(name: string, ...args: readonly string[]): Promise<Ended>;
}

function composeProgram(): string {
  const [program = ''] = composeCommand ?? [];
  const plugin = PLUGINS.map((place) => join(place, 'docker-compose')).find(existsSync);
  if (program === 'docker') return plugin ?? '';
  return program.includes('/') ? program : onPath(program);
}

function onPath(name: string): string {
  const files = (process.env.PATH ?? '').split(delimiter).map((place) => join(place, name));
  return realpathSync(files.find(existsSync) ?? '');
}

/** It works on the engine of this machine, so that `shared` is at the same place in both. */
async function newMachine(image: string, shared: string): Promise<Machine> {
  const mounts = [
    '/var/run/docker.sock:/var/run/docker.sock',
    `${onPath('docker')}:/usr/bin/docker:ro`,
    `${composeProgram()}:/usr/libexec/docker/cli-plugins/docker-compose:ro`,
    `${ROOT}:/project:ro`,
    `${shared}:${shared}`,
  ].flatMap((mount) => ['--volume', mount]);
  // The image is Debian with Node in /usr/local; the machine is to have none.
  const id = await docker('run', '--detach', '--init', '--tmpfs', '/usr/local', ...mounts, image, 'sleep', 'infinity');
  const run: Machine['run'] = async (...command) => {
    const { exitCode, all } = await execa('docker', ['exec', id, ...command], {
      all: true,
      reject: false,
      timeout: 600_000,
    });
    return { code: exitCode, said: all };
  };
  return {
    remove: () => docker('rm', '--force', '--volumes', id),
    run,
    script: (name, ...args) => run(`/project/scripts/${name}`, ...args),
  };
}

async function well(asked: Promise<Ended>): Promise<string> {
  const { code, said } = await asked;
  assert.equal(code, 0, said);
  process.stderr.write(process.env.SHOW_TRANSCRIPT === undefined ? '' : `${said}\n---\n`);
  return said;
}

describe('the scripts of a new machine', { skip }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  test('they bring it from nothing to bottles that run with their data of before; run again, they change nothing', {
    timeout: 900_000,
  }, async (t) => {
    const bases = await makeBaseImages((line) => process.stderr.write(`${line}\n`));
    const shared = mkdtempSync(join(tmpdir(), 'bottled-bootstrap-'));
    const name = shared.slice(-6).toLowerCase();
    const machine = await newMachine(bases.NODE_IMAGE, shared);
    const compose = (...args: readonly string[]) =>
      machine.run('docker', 'compose', '--file', `${shared}/compose.yaml`, ...args);
    t.after(async () => {
      await compose('down', '--volumes', '--timeout', '1');
      await machine.remove();
      await docker('image', 'rm', TAG);
      rmSync(shared, { recursive: true, force: true });
    });
    writeFileSync(
      join(shared, 'bottle.yaml'),
      `name: b${name}\nagent: { image: "${bases.NODE_IMAGE}", command: [sleep, infinity] }\nsidecars: { image: "${TAG}" }\negress: { routes: [{ host: example.com }] }\n`,
    );

    await t.test('prerequisites.sh names what is lacking, installs it, and finds it then', async () => {
      const lacking = await machine.script('prerequisites.sh');
      assert.equal(lacking.code, 1);
      assert.match(lacking.said, /^missing +git: /m);
      assert.match(lacking.said, /this machine lacks: git$/m);
      assert.match(await well(machine.script('prerequisites.sh', '--install')), /^installed +git$/m);
      assert.match(await well(machine.script('prerequisites.sh', '--install')), /nothing was changed$/m);
    });

    const buildArguments = Object.entries(bases).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
    await t.test('image.sh builds the image', async () => {
      await well(machine.script('image.sh', '--tag', TAG, '--', ...buildArguments));
      assert.match(await well(machine.script('image.sh', '--tag', TAG, '--', ...buildArguments)), /^unchanged /m);
    });

    const bottles = ['bottles.sh', '--image', TAG, shared] as const;
    await t.test('bottles.sh renders and starts', async () => {
      assert.match(
        await well(machine.script('bottles.sh', '--render', '--image', TAG, shared)),
        /^rendered .*compose\.yaml written$/m,
      );
      assert.match(await well(machine.script(...bottles)), /^started /m);
      const again = await well(machine.script(...bottles));
      assert.equal(again.match(/^unchanged /gm)?.length, 2, again);
    });

    const certificate = async (): Promise<string> => {
      const pem = await compose('exec', '-T', 'sidecars', 'cat', '/var/lib/bottled/egress/ca/certificate.pem');
      return new X509Certificate(pem.said).fingerprint256;
    };
    let fingerprint = '';

    await t.test('validate.sh finds all well', async () => {
      fingerprint = await certificate();
      for (const _ of ['once', 'twice'])
        assert.match(await well(machine.script('validate.sh', shared)), /^all is well$/m);
    });

    const chmod = (mode: string) =>
      compose('exec', '-T', '--user', 'egress', 'sidecars', 'chmod', mode, '/var/lib/bottled/known-secrets');

    await t.test('validate.sh shows what has drifted, with its remedy', async () => {
      await well(chmod('0777'));
      const { code, said } = await machine.script('validate.sh', shared);
      assert.equal(code, 1);
      assert.match(said, /^FAILED .*audit$/m);
      assert.match(said, /mode 0777, declared 0711\n +-> as user 10002: chmod 0711 /);
      await well(chmod('0711'));
    });

    await t.test('bottled audit --compose, from the host, sees the project and the bundle in it', async () => {
      const file = `${shared}/compose.yaml`;
      const clean = await bottled(['audit', '--compose', file]);
      assert.equal(clean.exitCode, 0, `${clean.stdout}${clean.stderr}`);
      assert.match(clean.stdout, /^images +ok +sidecars +bottled-sidecars:bootstrap sha256:[0-9a-f]{12}/m);
      assert.match(clean.stdout, /^ports +ok +sidecars\/egress: 9099 /m);

      const labels = [`com.docker.compose.project=b${name}`, 'com.docker.compose.service=ghost'];
      const ghost = await docker('create', ...labels.flatMap((label) => ['--label', label]), bases.NODE_IMAGE, 'true');
      appendFileSync(file, '# touched\n');
      const { exitCode, stdout } = await bottled(['audit', '--compose', file]);
      await docker('rm', ghost);
      assert.equal(exitCode, 1);
      assert.match(stdout, /^leftovers +drift +\S+ +container of ghost, which the file does not have$/m);
      assert.match(stdout, /^configuration +drift +\S+compose\.yaml +changed since it was rendered/m);
      const { code, said } = await machine.script('bottles.sh', '--render', '--image', TAG, shared);
      assert.equal(code, 1, said);
      assert.match(said, /compose\.yaml.*changed/);
      writeFileSync(file, readFileSync(file, 'utf8').replace('# touched\n', ''));
    });

    await t.test(
      'restore.sh puts the data of before into new volumes, and does not while the bottle runs',
      async () => {
        await well(
          machine.run(
            'sh',
            '-c',
            `docker compose -f ${shared}/compose.yaml exec -T sidecars bottled backup -o - >${shared}/bottle.tar.zst`,
          ),
        );
        const refused = await machine.script('restore.sh', shared, `${shared}/bottle.tar.zst`);
        assert.equal(refused.code, 1);
        assert.match(refused.said, /the bottle runs; stop it first/);
        await well(compose('down', '--volumes', '--timeout', '12'));
        assert.match(await well(machine.script('restore.sh', shared, `${shared}/bottle.tar.zst`)), /^restored /m);
        assert.match(await well(machine.script('restore.sh', shared, `${shared}/bottle.tar.zst`)), /^unchanged /m);
        await well(machine.script(...bottles));
        assert.equal(await certificate(), fingerprint);
        await well(machine.script('validate.sh', shared));
      },
    );
  });

  test('a wrong command line is one line and the usage, and changes nothing', async () => {
    for (const name of ['prerequisites.sh', 'image.sh', 'bottles.sh', 'restore.sh', 'validate.sh']) {
      const { exitCode, stderr } = await execa(join(ROOT, 'scripts', name), ['--no-such-option', 'a', 'b'], {
        reject: false,
      });
      assert.equal(exitCode, 2, name);
      assert.match(stderr, new RegExp(`usage: ${name} `));
    }
  });
});
