import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type Container, run } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';

/** What the init needs to start each daemon as its own user, and nothing more: see docs/daemons.md. */
const NEEDED = ['CHOWN', 'KILL', 'SETGID', 'SETUID'] as const;
const DROPPED = ['--cap-drop', 'ALL', ...NEEDED.flatMap((name) => ['--cap-add', name])] as const;
const NO_NEW = ['--security-opt', 'no-new-privileges'] as const;

/** Who each daemon is, as the kernel has it. */
async function usersOf(container: Container): Promise<Record<string, string>> {
  const { daemons } = await container.status();
  const entries = daemons.map(async ({ name, pid }) => {
    const { output } = await container.exec('stat', '-c', '%u', `/proc/${pid}`);
    return [name, output.trim()] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('the image', { skip: noEngine, concurrency: 2 }, () => {
  before(sidecarsImage, { timeout: 900_000 });

  test('docker run alone: all five run, each as its own user, and it says what it lacks', async (t) => {
    const container = await run(t);
    await container.allReady();
    const { 'git-gate': gitGate, 'mcp-bridge': bridge, ...others } = await usersOf(container);
    assert.deepEqual(
      { ...others, gitGate, bridge },
      { pipelock: '10001', egress: '10002', gitGate: '10003', supervise: '10004', bridge: '10005' },
    );
    const warnings = (await container.logs()).split('\n').filter((line) => /level\W+warn/.test(line));
    for (const file of ['routes.yaml', 'git-gate.yaml', 'polis-policy.yaml']) {
      const saying = warnings.filter((line) => line.includes(`/etc/bottled/${file}`));
      assert.equal(saying.length, 1, `warnings about ${file}: ${saying.join('\n')}`);
    }
  });

  const WAYS: readonly (readonly [string, readonly string[]])[] = [
    ['with a read-only root and a tmpfs on /run', ['--read-only', '--tmpfs', '/run']],
    ['with no capability but those that are documented', DROPPED],
    ['with all of these and no-new-privileges', ['--read-only', '--tmpfs', '/run', ...DROPPED, ...NO_NEW]],
    ['behind docker run --init', ['--init']],
  ];
  for (const [way, options] of WAYS) {
    test(`${way}: all five run, and it ends well`, async (t) => {
      const container = await run(t, { options });
      await container.allReady();
      await docker('stop', container.id);
      assert.equal(await container.ended(), 0, await container.logs());
    });
  }

  for (const name of NEEDED) {
    test(`without the capability ${name} nothing is started, and one line names it`, async (t) => {
      const others = NEEDED.filter((one) => one !== name).flatMap((one) => ['--cap-add', one]);
      const container = await run(t, { options: ['--cap-drop', 'ALL', ...others] });
      assert.equal(await container.ended(), 2);
      const lines = (await container.logs()).trim().split('\n');
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines.join(), new RegExp(`--cap-add ${name}`));
    });
  }

  for (const options of [
    ['1000'],
    ['1000', '--read-only', '--tmpfs', '/run'],
    ['1000', '--cap-drop', 'ALL', ...NO_NEW],
    ['1000:1000', '--group-add', '0'],
  ]) {
    test(`with --user ${options.join(' ')}: all daemons run as that user, and it says so once`, async (t) => {
      const container = await run(t, { options: ['--user', ...options] });
      await container.allReady();
      assert.deepEqual(new Set(Object.values(await usersOf(container))), new Set(['1000']));
      const said = (await container.logs()).split('\n').filter((line) => /"level":"warn".*1000/.test(line));
      assert.equal(said.length, 1, said.join('\n'));
      await docker('stop', container.id);
      assert.equal(await container.ended(), 0, await container.logs());
    });
  }

  test('data outlives the container in its volume', async (t) => {
    const volume = await docker('volume', 'create');
    const options = ['--volume', `${volume}:/var/lib/bottled`];
    const fingerprint = async (container: Container): Promise<string> => {
      await container.health('healthy');
      return (await container.exec('sha256sum', '/var/lib/bottled/egress/ca/certificate.pem')).output;
    };
    const first = await run(t, { options });
    const made = await fingerprint(first);
    await docker('stop', first.id);
    const second = await run(t, { options });
    t.after(() => docker('volume', 'rm', volume));
    assert.equal(await fingerprint(second), made);
  });

  test('a daemon of it can read neither the environment nor the data of another, and reaches no control socket', async (t) => {
    const container = await run(t, { options: ['--env', 'EGRESS_TOKEN_0=not-a-secret-but-held-as-one'] });
    await container.allReady();
    const { pid } = await container.daemon('egress');
    const mayRead = async (user: string, path: string): Promise<boolean> => {
      const asked = await docker('exec', '--user', user, container.id, 'test', '-r', path).catch(() => 'no');
      return asked === '';
    };
    const owned = [
      ['egress', `/proc/${pid}/environ`],
      ['egress', '/var/lib/bottled/egress/ca'],
      ['supervise', '/var/lib/bottled/supervise/operator.sock'],
      ['root', '/run/bottled/control.sock'],
    ] as const;
    for (const [owner, path] of owned) {
      assert.deepEqual([await mayRead(owner, path), await mayRead('mcp-bridge', path)], [true, false], path);
    }
  });

  test('it holds nothing of the build: no sources, no packages, no npm cache', async (t) => {
    const container = await run(t);
    const { output } = await container.exec(
      'sh',
      '-c',
      'ls -a /opt/bottled /root; find / -xdev -name node_modules -not -path "/usr/local/*"',
    );
    assert.doesNotMatch(output, /node_modules|package-lock|\.npm|^init$|cli/m);
  });
});
