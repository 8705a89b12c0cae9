import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readAccounts } from '../../init/child/accounts.ts';
import {
  checkPrivileges,
  type PrivilegeSources,
  type PrivilegeSpec,
  readSources,
  resolvePrivileges,
  withoutOwnUsers,
} from '../../init/child/privileges.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { reaper, sh } from './run.ts';

const room = mkdtempSync(join(tmpdir(), 'bottled-privileges-'));
test.after(() => {
  rmSync(room, { recursive: true });
  reaper().close();
});

const NOTHING: PrivilegeSpec = {
  user: undefined,
  group_add: [],
  cap_add: [],
  cap_drop: [],
  security_opt: [],
  ulimits: {},
  oom_score_adj: undefined,
};

writeFileSync(
  join(room, 'passwd'),
  'root:x:0:0:root:/root:/bin/bash\nweb:x:4000:4001:Web:/srv/web:/bin/false\nloner:x:4002:4002::/:\n',
);
writeFileSync(join(room, 'group'), 'root:x:0:\nweb:x:4001:\nlogs:x:4010:web,other\ncerts:x:4011:web\nextra:x:4012:\n');

const here = readSources();
const sources: PrivilegeSources = {
  ...here,
  accounts: readAccounts(join(room, 'passwd'), join(room, 'group')),
};

/** Root in a container that dropped all its capabilities. */
const bareRoot: PrivilegeSources = {
  ...sources,
  standing: { ...here.standing, uid: 0, gid: 0, groups: [], permitted: 0n, hardLimits: { nofile: 1024 } },
};

/** An init that runs as uid 1000 and holds nothing. */
const plainUser: PrivilegeSources = {
  ...sources,
  standing: { ...here.standing, uid: 1000, gid: 1000, groups: [1000], permitted: 0n, hardLimits: { nofile: 1024 } },
};

function spec(asked: Partial<PrivilegeSpec>): PrivilegeSpec {
  return { ...NOTHING, ...asked };
}

async function shAs(asked: Partial<PrivilegeSpec>, script: string): Promise<string> {
  const privileges = resolvePrivileges(spec(asked), sources);
  assert.ok('prefix' in privileges, JSON.stringify(privileges));
  const { stdout, stderr, exit } = await sh(script, { prefix: privileges.prefix }, { owner: privileges.identity });
  assert.deepEqual({ stderr, exit }, { stderr: '', exit: { code: 0 } });
  return stdout.trim();
}

const IDS = 'echo $(id -u) $(id -g) $(id -G)';
const capability = (field: string) => `grep -oP '^${field}:\\t\\K.*' /proc/self/status`;

test('nothing stands in front of the command where nothing is asked', () => {
  const privileges = resolvePrivileges(NOTHING, sources);
  assert.ok('prefix' in privileges);
  assert.deepEqual(privileges.prefix, []);
  assert.deepEqual(resolvePrivileges(spec({ security_opt: ['no-new-privileges:false'] }), sources), privileges);
});

test('a user by name brings its first group and its supplementary ones', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: 'web' }, IDS), '4000 4001 4001 4010 4011');
});

test('a user by number is the same user; one unknown to /etc/passwd has the group 0', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: '4000' }, IDS), '4000 4001 4001 4010 4011');
  assert.equal(await shAs({ user: '7777' }, IDS), '7777 0 0');
});

test('a group that is named takes the place of all the groups of the user', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: 'web:extra' }, IDS), '4000 4012 4012');
  assert.equal(await shAs({ user: 'web:9000' }, IDS), '4000 9000 9000');
  assert.equal(await shAs({ user: '4002:4002' }, IDS), '4002 4002 4002');
});

test('group_add adds groups, by name or number, with or without a user', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: 'loner', group_add: ['extra', 9001, 4002] }, IDS), '4002 4002 4002 4012 9001');
  assert.match(await shAs({ group_add: ['extra'] }, IDS), /^0 0 0( \d+)* 4012$/);
});

test('a daemon with a user of its own can still open /dev/stdout', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: 'web' }, 'echo fine > /dev/stdout'), 'fine');
});

test('with no-new-privileges no program can give it more', { skip: notRoot }, async () => {
  assert.equal(await shAs({ security_opt: ['no-new-privileges:true'] }, capability('NoNewPrivs')), '1');
  assert.equal(await shAs({ security_opt: ['no-new-privileges'] }, capability('NoNewPrivs')), '1');
  assert.equal(await shAs({ user: 'web' }, capability('NoNewPrivs')), '0');
});

test('cap_drop ALL leaves only cap_add, even where the daemon is not root', { skip: notRoot }, async () => {
  const asked = { user: 'web', cap_drop: ['ALL'], cap_add: ['NET_BIND_SERVICE'] };
  for (const field of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb', 'CapInh']) {
    assert.equal(await shAs(asked, capability(field)), '0000000000000400', field);
  }
  assert.equal(await shAs({ cap_drop: ['ALL'] }, capability('CapEff')), '0000000000000000');
});

test('cap_drop of one takes just that one from root', { skip: notRoot }, async () => {
  const before = BigInt(`0x${await shAs({}, capability('CapEff'))}`);
  const after = BigInt(`0x${await shAs({ cap_drop: ['CAP_NET_RAW'] }, capability('CapEff'))}`);
  assert.equal(before ^ after, 1n << 13n);
});

test('a user that is not root has the capabilities that are added, and no other', { skip: notRoot }, async () => {
  assert.equal(await shAs({ user: 'web', cap_add: ['net_bind_service'] }, capability('CapEff')), '0000000000000400');
  assert.equal(await shAs({ user: 'web' }, capability('CapEff')), '0000000000000000');
});

test('ulimits are in force, soft and hard, and -1 is no limit', { skip: notRoot }, async () => {
  const asked = { user: 'web', ulimits: { nofile: { soft: 100, hard: 200 }, core: { soft: 0, hard: -1 } } };
  assert.equal(
    await shAs(asked, 'echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -Sc) $(ulimit -Hc)'),
    '100 200 0 unlimited',
  );
});

test('an init that is not root starts every daemon as itself, whatever user and groups it asks for', () => {
  for (const asked of [{ user: 'web' }, { user: 'nobdy:nogrp' }, { group_add: ['ghosts'] }, { user: '1000' }]) {
    const privileges = resolvePrivileges(spec(asked), plainUser);
    assert.ok('prefix' in privileges, JSON.stringify(privileges));
    assert.deepEqual(privileges.prefix, []);
    const { uid, gid, groups } = privileges.identity;
    assert.deepEqual([uid, gid, groups], [1000, 1000, [1000]]);
  }
});

test('of the daemons that do not get their users, those are told whose user would be another', () => {
  const daemons = {
    web: spec({ user: 'web' }),
    own: spec({ user: '1000' }),
    any: spec({}),
    gone: spec({ user: 'nobdy' }),
  };
  assert.deepEqual(withoutOwnUsers(daemons, plainUser), ['web', 'gone']);
  assert.deepEqual(withoutOwnUsers(daemons, { ...sources, standing: { ...here.standing, uid: 0 } }), []);
});

test('root without the capabilities that another user takes is refused: a daemon would keep the rights of root', () => {
  const lacks = (permitted: readonly number[], asked: Partial<PrivilegeSpec>): readonly string[] =>
    checkPrivileges(spec(asked), {
      ...bareRoot,
      standing: { ...bareRoot.standing, permitted: permitted.reduce((all, bit) => all | (1n << BigInt(bit)), 0n) },
    });
  const [chown, kill, setgid, setuid] = [0, 5, 6, 7];
  assert.deepEqual(lacks([], { user: 'web' }), [
    'user: the init cannot run it as another user: it lacks SETGID, SETUID, CHOWN, KILL; give the container what is missing (--cap-add SETGID --cap-add SETUID --cap-add CHOWN --cap-add KILL), or one user for all (--user 1000)',
  ]);
  assert.match(
    lacks([setuid, setgid], { user: 'web' })[0] ?? '',
    /lacks CHOWN, KILL; .*\(--cap-add CHOWN --cap-add KILL\)/,
  );
  assert.deepEqual(lacks([chown, kill, setgid, setuid], { user: 'web' }), []);
  assert.deepEqual(lacks([setgid, setuid], { user: '0:web' }), []);
  assert.deepEqual(lacks([], { user: 'root' }), []);
});

test('an init that holds nothing meets cap_drop by no-new-privileges', () => {
  const privileges = resolvePrivileges(spec({ cap_drop: ['ALL'] }), plainUser);
  assert.ok('prefix' in privileges, JSON.stringify(privileges));
  assert.deepEqual(privileges.prefix.slice(1), ['--no-new-privs', '--']);
});

test('everything that cannot be done is named at once, each with its key and its remedy', () => {
  const problems = checkPrivileges(
    spec({
      user: 'nobdy:nogrp',
      group_add: ['ghosts', 9],
      cap_add: ['FLY', 'NET_ADMIN'],
      ulimits: { nofile: { soft: 4096, hard: 2048 } },
      oom_score_adj: -500,
    }),
    bareRoot,
  );
  const expected = [
    /^user: there is no user "nobdy" in \/etc\/passwd: add it to the image \(useradd --system nobdy\), or write a number$/,
    /^user: there is no group "nogrp" in \/etc\/group: add it/,
    /^group_add: there is no group "ghosts" in \/etc\/group: add it/,
    /^user: the init cannot run it as another user: it lacks SETGID, SETUID; give/,
    /^cap_add: "FLY" is not a capability; write a name of capabilities\(7\), such as NET_BIND_SERVICE, or ALL$/,
    /^cap_add: the init itself does not hold NET_ADMIN: give it to the container first/,
    /^ulimits\.nofile: the soft limit 4096 is above the hard one, 2048$/,
    /^ulimits\.nofile: 2048 is above the init's own hard limit of 1024/,
    /^oom_score_adj: -500 is below the init's own/,
  ];
  assert.equal(problems.length, expected.length, problems.join('\n'));
  expected.forEach((pattern, index) => {
    assert.match(problems[index] ?? '', pattern);
  });
});

test('a missing tool is named, and so is one that cannot do it', () => {
  const without = { ...sources, path: room };
  const asked = spec({ security_opt: ['no-new-privileges'], ulimits: { nofile: { soft: 1, hard: 1 } } });
  assert.deepEqual(checkPrivileges(asked, without), [
    "prlimit: not found, and needed for user, groups, capabilities, security_opt or ulimits: install util-linux's (apt-get install util-linux, or apk add util-linux-misc)",
    "setpriv: not found, and needed for user, groups, capabilities, security_opt or ulimits: install util-linux's (apt-get install util-linux, or apk add setpriv)",
  ]);
  writeFileSync(join(room, 'busybox'), '');
  chmodSync(join(room, 'busybox'), 0o755);
  symlinkSync('busybox', join(room, 'setpriv'));
  const [problem] = checkPrivileges(spec({ security_opt: ['no-new-privileges'] }), without);
  assert.match(problem ?? '', /setpriv is BusyBox's, which cannot do --no-new-privs: install util-linux's/);
});

test('an error value of a start has the errno of its kind', () => {
  const missing = resolvePrivileges(spec({ user: 'nobdy' }), sources);
  assert.equal('error' in missing && missing.error.errno, 'ENOENT');
  const forbidden = resolvePrivileges(spec({ user: 'web' }), bareRoot);
  assert.equal('error' in forbidden && forbidden.error.errno, 'EPERM');
});
