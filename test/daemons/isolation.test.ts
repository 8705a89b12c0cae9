import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { type Bottle, startBottle } from './bottle.ts';

const asRoot = process.getuid?.() === 0 ? false : 'only root can give each daemon a user of its own';

const UIDS = { pipelock: 64_101, egress: 64_102, 'git-gate': 64_103, supervise: 64_104, 'mcp-bridge': 64_105 };
const TOKEN = ['tok', 'in-a-variable', '0123456789abcdef'].join('-');
const FILE_TOKEN = ['tok', 'in-a-file', 'fedcba9876543210'].join('-');
const DEPLOY_KEY = ['key', 'of-the-gate', '00112233445566'].join('-');

/** A bottle whose daemons run as five users, with a secret each where they hold one. */
async function fiveUsers(t: TestContext): Promise<Bottle> {
  const secrets = mkdtempSync(join(tmpdir(), 'bottle-secrets-'));
  chmodSync(secrets, 0o755);
  const own = (name: keyof typeof UIDS, file: string, value: string): string => {
    const directory = join(secrets, name);
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, file), value, { mode: 0o400 });
    chownSync(join(directory, file), UIDS[name], UIDS[name]);
    chownSync(directory, UIDS[name], UIDS[name]);
    return directory;
  };
  return await startBottle(t, {
    files: {
      'routes.yaml':
        'routes:\n  - { host: one.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }\n  - { host: two.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_1 }\n',
      'git-gate.yaml': 'repos: {}\n',
    },
    dataOwners: {
      pipelock: UIDS.pipelock,
      egress: UIDS.egress,
      'known-secrets': UIDS.egress,
      'git-gate': UIDS['git-gate'],
      supervise: UIDS.supervise,
    },
    env: {
      PIPELOCK_USER: `${UIDS.pipelock}:${UIDS.pipelock}`,
      EGRESS_USER: `${UIDS.egress}:${UIDS.egress}`,
      GIT_GATE_USER: `${UIDS['git-gate']}:${UIDS['git-gate']}`,
      SUPERVISE_USER: `${UIDS.supervise}:${UIDS.supervise}`,
      MCP_BRIDGE_USER: `${UIDS['mcp-bridge']}:${UIDS['mcp-bridge']}`,
      PIPELOCK_ENGINE: 'embedded',
      EGRESS_TOKEN_0: TOKEN,
      EGRESS_CREDENTIALS: own('egress', 'EGRESS_TOKEN_1', FILE_TOKEN),
      GIT_GATE_CREDENTIALS: own('git-gate', 'deploy-key', DEPLOY_KEY),
    },
  });
}

interface Process {
  readonly pid: number;
  readonly uid: number;
  readonly environment: string;
  readonly files: readonly string[];
}

/** Every process of these users: what its environment is and which files it holds open. */
function processesOf(uid: number): readonly Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const own = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
        if (own !== uid) return [];
        const files = readdirSync(`/proc/${name}/fd`).map((fd) => readlinkSync(`/proc/${name}/fd/${fd}`));
        return [{ pid: Number(name), uid, environment: readFileSync(`/proc/${name}/environ`, 'utf8'), files }];
      } catch {
        return [];
      }
    });
}

test("each daemon's environment and open files hold no other daemon's secret", { skip: asRoot }, async (t) => {
  const bottle = await fiveUsers(t);
  for (const [name, uid] of Object.entries(UIDS)) {
    const processes = processesOf(uid);
    assert.ok(processes.length > 0, `${name} runs as ${uid}`);
    for (const { pid, environment, files } of processes) {
      t.diagnostic(
        `${name} (${pid}): ${environment
          .split('\0')
          .map((entry) => entry.split('=')[0])
          .filter(Boolean)
          .sort()
          .join(' ')}`,
      );
      t.diagnostic(
        `${name} (${pid}) holds ${[...new Set(files.map((file) => file.replace(/\[\d+\]/, '')))].sort().join(' ')}`,
      );
      assert.equal(environment.includes(TOKEN), name === 'egress', `${name} and the token in a variable`);
      for (const secret of [FILE_TOKEN, DEPLOY_KEY]) assert.ok(!environment.includes(secret));
      const foreign = Object.keys(UIDS).filter((other) => other !== name);
      for (const file of files) {
        for (const other of foreign) {
          assert.ok(!file.startsWith(join(bottle.data, other)), `${name} holds ${file} open`);
        }
      }
    }
  }
});

test("no daemon can read another's environment, secrets or data", { skip: asRoot }, async (t) => {
  const bottle = await fiveUsers(t);
  const egress = processesOf(UIDS.egress)[0];
  const targets = [
    `/proc/${egress?.pid}/environ`,
    join(bottle.data, 'egress', 'ca', 'key.pem'),
    ...(egress?.environment.match(/CREDENTIALS_DIRECTORY=([^\0]+)/)?.slice(1) ?? []).map((directory) =>
      join(directory, 'EGRESS_TOKEN_1'),
    ),
  ];
  assert.equal(targets.length, 3);
  const read = (uid: number, file: string) =>
    execa('setpriv', ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'cat', file], {
      reject: false,
    });
  for (const file of targets) {
    assert.equal((await read(UIDS.egress, file)).exitCode, 0, `egress reads ${file}`);
    for (const other of Object.values(UIDS).filter((uid) => uid !== UIDS.egress)) {
      const { exitCode, stderr } = await read(other, file);
      assert.notEqual(exitCode, 0, `${other} reads ${file}`);
      assert.match(stderr, /Permission denied/);
    }
  }
});

test('the known secrets that egress writes down for the scanning daemons tell none of them', {
  skip: asRoot,
}, async (t) => {
  const bottle = await fiveUsers(t);
  const text = readFileSync(join(bottle.data, 'known-secrets', 'egress.json'), 'utf8');
  assert.match(text, /EGRESS_TOKEN_0/);
  for (const secret of [TOKEN, FILE_TOKEN]) {
    for (const encoded of [secret, btoa(secret), Buffer.from(secret).toString('hex')])
      assert.ok(!text.includes(encoded));
  }
});
