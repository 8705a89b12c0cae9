import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Row } from '../../audit/row.ts';
import { authorityCertificate } from '../../daemons/egress/certificate.ts';
import { bottled } from '../cli/bottled.ts';
import { type Bottle, startBottle } from '../daemons/bottle.ts';
import { BOTTLED } from '../run/init.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ROUTES = 'routes:\n  - host: example.com\n';
const DAY_MS = 24 * 60 * 60 * 1000;

/** A daemon that listens where nothing declares it, once it is told to. */
const GUEST = `
  guest:
    command: ["\${BOTTLED_NODE:-node}", -e, "setInterval(() => {}, 1000); process.on('SIGUSR2', () => require('net').createServer().listen(0, '127.0.0.1', () => console.log('guest listens')))"]
`;

interface Audited {
  readonly exitCode: number | undefined;
  readonly rows: readonly Row[];
}

interface World {
  readonly bottle: Bottle;
  /** The bundle file that the init runs by. */
  readonly bundle: string;
  /** The first directory on the search path of the daemons; empty. */
  readonly programs: string;
  readonly pins: string;
}

async function auditOf({ bottle }: World): Promise<Audited> {
  const { exitCode, stdout, stderr } = await bottle.bottled('audit', '--json');
  assert.notEqual(stdout, '', stderr);
  return { exitCode, rows: JSON.parse(stdout).rows };
}

/** What an audit complains about, as `area: what: found`. */
async function complaints(world: World): Promise<readonly string[]> {
  const { exitCode, rows } = await auditOf(world);
  const bad = rows.filter(({ status }) => status === 'drift' || status === 'missing');
  assert.equal(exitCode, bad.length > 0 ? 1 : 0);
  for (const { what, remedy } of bad) assert.notEqual(remedy, '', `${what} has no remedy`);
  return bad.map(({ area, status, what, found }) => `${area} ${status}: ${what}: ${found}`);
}

async function startWorld(t: TestContext): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const programs = join(directory, 'programs');
  mkdirSync(programs);
  const [bundle, pins] = [join(directory, 'bundle.yaml'), join(directory, 'pins.json')];
  const shipped = readFileSync(join(ROOT, 'daemons/bundle.yaml'), 'utf8');
  writeFileSync(bundle, shipped.replaceAll('../dist/', join(ROOT, 'dist/')) + GUEST);
  const env = {
    PATH: `${programs}${delimiter}${process.env.PATH ?? ''}`,
    BOTTLED_PINS: pins,
    PIPELOCK_ENGINE: 'embedded',
  };
  await execa(BOTTLED, ['audit', '--pin'], { env: { ...env, BOTTLED_NODE: process.execPath }, extendEnv: false });
  const bottle = await startBottle(t, {
    args: ['-f', bundle],
    env: { ...env, BOTTLED_NODE: process.execPath, BOTTLED_CA: join(directory, 'ca') },
    files: { 'routes.yaml': ROUTES, 'git-gate.yaml': 'repos: {}\n' },
  });
  await bottle.saw(/guest.*is ready|guest.*running|mcp-bridge serves/);
  return { bottle, bundle, programs, pins };
}

/** One thing that somebody does behind the back of the bundle, and undoes. */
interface Drift {
  readonly title: string;
  readonly make: (world: World) => Promise<unknown> | unknown;
  readonly undo: (world: World) => Promise<unknown> | unknown;
  /** Each complaint matches one of these, and each of these one complaint. */
  readonly seen: readonly RegExp[];
  readonly needsRoot?: boolean;
}

/** Changes a file in place, and puts back what it held. */
function edited(file: (world: World) => string, change: (text: string) => string): Pick<Drift, 'make' | 'undo'> {
  let before = '';
  return {
    make: (world) => {
      before = readFileSync(file(world), 'utf8');
      writeFileSync(file(world), change(before));
    },
    undo: (world) => writeFileSync(file(world), before),
  };
}

const configuration = (name: string) => (world: World) => join(world.bottle.config, name);
const data = (world: World, name: string) => join(world.bottle.data, name);
const authority = (world: World) => data(world, 'egress/ca/certificate.pem');

let squatter: ReturnType<typeof createServer> | undefined;

const DRIFTS: readonly Drift[] = [
  {
    title: 'bundle.yaml was changed and not reloaded',
    ...edited(
      ({ bundle }) => bundle,
      (text) => text.replace('name: bottle', 'name: flask'),
    ),
    seen: [/^configuration drift: bottled: .*bundle\.yaml: bottled goes by another text/],
  },
  {
    title: 'routes.yaml was made invalid, so that egress and pipelock go by the old one',
    ...edited(configuration('routes.yaml'), () => 'routes: [{ hots: example.com }]\n'),
    seen: [
      /^configuration drift: egress: .*not valid.*host: is missing/,
      /^configuration drift: pipelock: .*not valid/,
    ],
  },
  {
    title: 'git-gate.yaml was made invalid',
    ...edited(configuration('git-gate.yaml'), () => 'repos: 7\n'),
    seen: [/^configuration drift: git-gate: .*not valid/],
  },
  {
    title: 'polis-policy.yaml was changed into one that mcp-bridge refuses',
    ...edited(configuration('polis-policy.yaml'), (text) => text.replace('blocking', 'begging')),
    seen: [/^configuration drift: mcp-bridge: .*another text/],
  },
  {
    title: 'a configuration file was deleted',
    ...edited(configuration('polis-policy.yaml'), (text) => text),
    make: (world) => renameSync(configuration('polis-policy.yaml')(world), `${world.bottle.directory}/policy`),
    undo: (world) => renameSync(`${world.bottle.directory}/policy`, configuration('polis-policy.yaml')(world)),
    seen: [/^configuration missing: mcp-bridge: .*polis-policy\.yaml/],
  },
  {
    title: 'a data directory was opened to everybody',
    make: (world) => chmodSync(data(world, 'egress'), 0o777),
    undo: (world) => chmodSync(data(world, 'egress'), 0o700),
    seen: [/^data drift: egress: .*mode 0777, declared 0700/],
  },
  {
    title: 'a data directory was given to another user',
    needsRoot: true,
    make: (world) => chownSync(data(world, 'supervise'), 4711, 4711),
    undo: (world) => chownSync(data(world, 'supervise'), 0, 0),
    seen: [/^data drift: supervise: .*owner 4711:4711, declared 0:0/],
  },
  {
    title: 'a data directory is gone',
    make: (world) => rmSync(data(world, 'reports/git-gate'), { recursive: true }),
    undo: (world) => mkdirSync(data(world, 'reports/git-gate'), { mode: 0o755 }),
    seen: [/^data missing: git-gate: .*reports\/git-gate: not there; it is disposable/],
  },
  {
    title: 'the certificate of the authority has expired',
    ...edited(authority, (text) => text),
    make: (world) => {
      renameSync(authority(world), `${world.bottle.directory}/kept.pem`);
      const key = createPrivateKey(readFileSync(data(world, 'egress/ca/key.pem')));
      const [notBefore, notAfter] = [new Date(Date.now() - 9 * DAY_MS), new Date(Date.now() - DAY_MS)];
      writeFileSync(
        authority(world),
        authorityCertificate({ commonName: 'bottled egress test', notBefore, notAfter }, key),
      );
    },
    undo: (world) => renameSync(`${world.bottle.directory}/kept.pem`, authority(world)),
    seen: [/^certificates drift: egress: .*egress\/ca\/certificate\.pem: expired on/],
  },
  {
    title: 'a pipe stands where the certificate was: the audit does not wait for it',
    make: async (world) => {
      renameSync(authority(world), `${world.bottle.directory}/kept.pem`);
      await execa('mkfifo', [authority(world)]);
    },
    undo: (world) => {
      rmSync(authority(world));
      renameSync(`${world.bottle.directory}/kept.pem`, authority(world));
    },
    seen: [/^certificates drift: egress: .*certificate\.pem: is no certificate in PEM/],
  },
  {
    title: 'a process of the bundle listens on a port that nothing declares',
    make: async ({ bottle }) => {
      await bottle.bottled('signal', 'USR2', 'guest');
      await bottle.saw(/guest listens/);
    },
    undo: ({ bottle }) => bottle.bottled('restart', 'guest'),
    seen: [/^ports drift: \d+: \w+ \(pid \d+\) listens on 127\.0\.0\.1:\d+, which nothing declares/],
  },
  {
    title: 'a daemon is stopped',
    make: ({ bottle }) => bottle.bottled('stop', 'supervise'),
    undo: ({ bottle }) => bottle.bottled('start', 'supervise'),
    seen: [
      /^health drift: supervise: stopped/,
      /^ports missing: supervise: \d+: nobody listens/,
      /^ports missing: supervise: \d+: nobody listens/,
    ],
  },
  {
    title: 'another program listens on the port of a daemon',
    make: async ({ bottle }) => {
      await bottle.bottled('stop', 'mcp-bridge');
      // A client has to be let go, else it could not be closed.
      squatter = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => squatter?.listen(bottle.ports.MCP_BRIDGE_PORT, '127.0.0.1', resolve));
    },
    undo: async ({ bottle }) => {
      await new Promise((resolve) => squatter?.close(resolve));
      await bottle.bottled('start', 'mcp-bridge');
    },
    seen: [
      /^health drift: mcp-bridge: stopped/,
      /^ports drift: mcp-bridge: \d+: .*listens on 127\.0\.0\.1:\d+, not mcp-bridge/,
      /^ports missing: mcp-bridge: \d+: nobody listens/,
    ],
  },
  {
    title: 'another git stands first on PATH',
    make: ({ programs }) =>
      writeFileSync(join(programs, 'git'), '#!/bin/sh\necho git version 1.5.0\n', { mode: 0o755 }),
    undo: ({ programs }) => rmSync(join(programs, 'git')),
    seen: [/^programs drift: git: 1\.5\.0 at .*; pinned \d.* at \//],
  },
  {
    title: 'a file of bottled itself is not as built',
    ...edited(
      ({ pins }) => pins,
      (text) => text.replace(/"egress\.mjs": "[0-9a-f]{64}"/, `"egress.mjs": "${'0'.repeat(64)}"`),
    ),
    seen: [/^programs drift: bottled: not as built: egress\.mjs/],
  },
  {
    title: 'a draft was left behind',
    make: (world) => {
      const draft = data(world, 'egress/ca/certificate.pem.0a1b2c.draft');
      writeFileSync(draft, '');
      utimesSync(draft, new Date(0), new Date(0));
    },
    undo: (world) => rmSync(data(world, 'egress/ca/certificate.pem.0a1b2c.draft')),
    seen: [/^leftovers drift: .*certificate\.pem\.0a1b2c\.draft: a draft/],
  },
  {
    title: 'a socket is there on which nobody listens',
    make: (world) =>
      execa(
        process.execPath,
        [
          '-e',
          'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))',
          data(world, 'egress/old.sock'),
        ],
        { reject: false },
      ),
    undo: (world) => rmSync(data(world, 'egress/old.sock')),
    seen: [/^leftovers drift: .*old\.sock: a socket on which nobody listens/],
  },
];

test('an audit finds each drift, names its remedy, and finds nothing else', { timeout: 240_000 }, async (t) => {
  const world = await startWorld(t);
  await t.test('a bundle that is as declared has no drift, and nothing is unknown', async () => {
    const { exitCode, rows } = await auditOf(world);
    assert.deepEqual(
      rows.filter(({ status }) => status !== 'ok'),
      [],
    );
    assert.equal(exitCode, 0);
  });
  for (const { title, make, undo, seen, needsRoot = false } of DRIFTS) {
    const skip = needsRoot && process.getuid?.() !== 0 ? 'needs root' : false;
    await t.test(title, { skip }, async () => {
      await make(world);
      try {
        const found = await complaints(world);
        for (const pattern of seen) assert.match(found.join('\n'), new RegExp(pattern.source, 'm'));
        assert.equal(found.length, seen.length, found.join('\n'));
      } finally {
        await undo(world);
      }
    });
  }
  await t.test('all of them undone, there is no drift again', async () => {
    assert.deepEqual(await complaints(world), []);
  });
  await t.test('the table is plain in a pipe, with the remedy below its row', async () => {
    await world.bottle.bottled('stop', 'guest');
    const { exitCode, stdout } = await world.bottle.bottled('audit');
    assert.equal(exitCode, 1);
    assert.match(stdout, /^AREA +STATUS +WHAT +FOUND$/m);
    assert.match(stdout, /^health +drift +guest +stopped\n +-> bottled start guest$/m);
    assert.match(stdout, /^drift: \d+ ok, 1 drift$/m);
    assert.ok(!stdout.includes('\x1b'));
  });
  await t.test('a bundle file that is not valid is one drift, and the rest is not looked at', async () => {
    const { make, undo } = edited(
      ({ bundle }) => bundle,
      () => 'daemons: 7\n',
    );
    await make(world);
    const { exitCode, rows } = await auditOf(world);
    await undo(world);
    assert.equal(exitCode, 1);
    assert.equal(rows.find(({ area }) => area === 'configuration')?.status, 'drift');
    assert.equal(rows.find(({ area }) => area === 'data')?.status, 'unknown');
  });
});

test('without an init the audit ends with 4, and says where it looked', async () => {
  const { exitCode, stderr } = await bottled(['audit', '--socket', '/nowhere/control.sock']);
  assert.equal(exitCode, 4);
  assert.match(stderr, /cannot reach the init at \/nowhere\/control\.sock/);
});

test('what is no compose.yaml is told in one line', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'compose.yaml');
  for (const text of ['\x00\x01', 'a: [', 'services: {}', 'name: 1']) {
    writeFileSync(file, text);
    const { exitCode, stderr } = await bottled(['audit', '--compose', file]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /^bottled: cannot audit \S+: it names no project with services; it has to be a rendered/);
  }
});

test('--pin goes alone', async () => {
  const { exitCode } = await bottled(['audit', '--pin', '-f', 'bundle.yaml']);
  assert.equal(exitCode, 2);
});
