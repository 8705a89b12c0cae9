import assert from 'node:assert/strict';
import test from 'node:test';
import { buildEnvironment, incarnationMark } from '../../init/child/environment.ts';
import type { Identity } from '../../init/child/identity.ts';

const web: Identity = {
  uid: 4000,
  gid: 4001,
  groups: [],
  account: { name: 'web', uid: 4000, gid: 4001, home: '/srv/web', shell: '/bin/false' },
};
const own = {
  PATH: '/opt/bin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C',
  TZ: 'Europe/Rome',
  TERM: 'xterm',
  HOME: '/root',
  USER: 'root',
  EGRESS_TOKEN_A: 'a',
  EGRESS_TOKEN_B: 'b',
  EGRESS: 'not asked for',
  'WITH.DOT': 'dot',
  WITHXDOT: 'x',
  SECRET: 's3cr3t',
  LD_PRELOAD: '/evil.so',
  NODE_OPTIONS: '--inspect',
};
const mark = incarnationMark('run', 'web', 3);

test('of the variables of the init, a daemon has place and language only, and those of its own user', () => {
  assert.deepEqual(buildEnvironment({ environment: {}, pass_environment: [] }, own, { identity: web, mark }), {
    PATH: '/opt/bin:/bin',
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    TZ: 'Europe/Rome',
    TERM: 'xterm',
    HOME: '/srv/web',
    USER: 'web',
    LOGNAME: 'web',
    SHELL: '/bin/false',
    BOTTLED_INCARNATION: 'run/web/3',
  });
});

test('without a PATH it has a usual one, and without a line in /etc/passwd the home /', () => {
  const nobody = { uid: 7777, gid: 0, groups: [], account: undefined };
  assert.deepEqual(buildEnvironment({ environment: {}, pass_environment: [] }, {}, { identity: nobody, mark }), {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/',
    BOTTLED_INCARNATION: 'run/web/3',
  });
});

test('pass_environment takes names and patterns, and nothing that merely looks like them', () => {
  const pass_environment = ['EGRESS_TOKEN_*', 'WITH.DOT', 'ABSENT'];
  const { EGRESS_TOKEN_A, EGRESS_TOKEN_B, EGRESS, SECRET, ...rest } = buildEnvironment(
    { environment: {}, pass_environment },
    own,
    { identity: web, mark },
  );
  assert.deepEqual([EGRESS_TOKEN_A, EGRESS_TOKEN_B, EGRESS, SECRET], ['a', 'b', undefined, undefined]);
  assert.deepEqual([rest['WITH.DOT'], rest.WITHXDOT, 'ABSENT' in rest], ['dot', undefined, false]);
});

test('what is written later wins: passed on, env_file, environment, and at last what the init needs', () => {
  const environment = { HOME: '/data', A: 'entry', BOTTLED_INCARNATION: 'forged', NOTIFY_SOCKET: 'forged' };
  const built = buildEnvironment({ environment, pass_environment: ['TERM', 'USER'] }, own, {
    identity: web,
    mark,
    fromFiles: { A: 'file', B: 'file', USER: 'file' },
    notifySocket: '/run/n',
    credentialsDirectory: '/run/secrets/web',
  });
  const { HOME, A, B, USER, NOTIFY_SOCKET, CREDENTIALS_DIRECTORY, BOTTLED_INCARNATION } = built;
  assert.deepEqual(
    { HOME, A, B, USER, NOTIFY_SOCKET, CREDENTIALS_DIRECTORY, BOTTLED_INCARNATION },
    {
      HOME: '/data',
      A: 'entry',
      B: 'file',
      USER: 'file',
      NOTIFY_SOCKET: '/run/n',
      CREDENTIALS_DIRECTORY: '/run/secrets/web',
      BOTTLED_INCARNATION: 'run/web/3',
    },
  );
});

test('a variable without a value is that of the init, and left out where the init has none', () => {
  const built = buildEnvironment({ environment: { SECRET: null, ABSENT: null }, pass_environment: [] }, own, {
    identity: web,
    mark,
  });
  assert.equal(built.SECRET, 's3cr3t');
  assert.equal('ABSENT' in built, false);
});
