import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certificateRow } from '../../audit/certificates.ts';
import { dataRow } from '../../audit/data.ts';
import { type ServiceFacts, serviceRow } from '../../audit/images.ts';
import { leftoverRows } from '../../audit/leftovers.ts';
import { type PortFacts, type Process, parseListeners, portRows } from '../../audit/ports.ts';
import { type Pins, programRows } from '../../audit/programs.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = Date.UTC(2030, 0, 1);

describe('listening sockets', () => {
  test('those of /proc/net/tcp and tcp6 are read, and others not', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 4711 1 0 100 0 0 10 0
   1: 0100007F:22B9 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 00000000000000000000000000000000:238B 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 10002        0 4713 1
   3: 0000000000000000FFFF00000100007F:238C 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 10002        0 4714 1
   4: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4715 1
`;
    assert.deepEqual(
      parseListeners(text).map(({ address, port, uid, inode }) => [address, port, uid, inode]),
      [
        ['127.0.0.1', 8888, 10001, '4711'],
        ['::', 9099, 10002, '4713'],
        ['127.0.0.1', 9100, 10002, '4714'],
        ['2001:db8::1', 80, 0, '4715'],
      ],
    );
  });

  const INIT = 1;
  const process = (pid: number, uid: number, inodes: readonly string[] | undefined, parent = INIT): Process => ({
    pid,
    parent,
    uid,
    name: `p${pid}`,
    sockets: inodes === undefined ? undefined : new Set(inodes),
  });
  const listening = (port: number, inode: string, uid = 0, address = '127.0.0.1') => ({ address, port, uid, inode });
  const facts = (some: Partial<PortFacts>): PortFacts => ({
    declared: [],
    listeners: [],
    processes: [process(INIT, 0, [], 0)],
    initPid: INIT,
    isProcessOne: true,
    ...some,
  });
  const problems = (some: Partial<PortFacts>) =>
    portRows(facts(some)).flatMap(({ status, what, found }) =>
      status === 'ok' ? [] : [`${status} ${what}: ${found}`],
    );

  test('a declared port that its daemon, or a child of it, listens on is well', () => {
    const declared = [{ daemon: 'web', port: 80, pid: 5 }];
    const processes = [process(7, 9, ['x'], 5), process(5, 9, [])];
    assert.deepEqual(problems({ declared, processes, listeners: [listening(80, 'x')] }), []);
  });

  test('where sockets of a process cannot be seen, the user tells', () => {
    const declared = [{ daemon: 'web', port: 80, pid: 5 }];
    const processes = [process(5, 9, undefined), process(6, 10, undefined)];
    assert.deepEqual(problems({ declared, processes, listeners: [listening(80, 'x', 9)] }), []);
    assert.deepEqual(problems({ declared, processes, listeners: [listening(80, 'x', 10)] }), [
      'drift web: 80: p6 (pid 6) listens on 127.0.0.1:80, not web',
    ]);
    assert.deepEqual(problems({ processes, listeners: [listening(81, 'y', 10)] }), [
      'drift 81: p6 (pid 6) listens on 127.0.0.1:81, which nothing declares',
    ]);
  });

  test('who listens outside of the bundle is nobody of ours: the resolver of the engine, another program of the machine', () => {
    const processes = [process(20, 0, ['own'], 10), process(10, 0, [], 0), process(30, 0, ['other'], 0)];
    const listeners = [listening(53, 'z', 0, '127.0.0.11'), listening(22, 'other')];
    assert.deepEqual(problems({ processes, listeners, initPid: 10, isProcessOne: false }), []);
    assert.deepEqual(problems({ processes, listeners: [listening(99, 'own')], initPid: 10, isProcessOne: false }), [
      'drift 99: p20 (pid 20) listens on 127.0.0.1:99, which nothing declares',
    ]);
  });
});

describe('a certificate', () => {
  const at = (validTo: number, inForce?: string) => {
    const found = { kind: 'certificate', validTo, sha256: 'ab'.repeat(32) } as const;
    return certificateRow({ daemon: 'egress', file: 'c.pem', found, inForce }, NOW);
  };
  test('is well, expires soon in less than 30 days, and has expired', () => {
    assert.deepEqual(
      [at(NOW + 31 * DAY_MS), at(NOW + 29 * DAY_MS), at(NOW)].map(({ status, found }) => [status, found.split(',')[0]]),
      [
        ['ok', 'valid to 2030-02-01'],
        ['drift', 'expires soon'],
        ['drift', 'expired on 2030-01-01'],
      ],
    );
  });
  test('that its daemon does not go by is drift', () => {
    assert.equal(at(NOW + 99 * DAY_MS, 'cd'.repeat(32)).status, 'drift');
    assert.equal(at(NOW + 99 * DAY_MS, 'ab'.repeat(32)).status, 'ok');
  });
});

test('a draft or a lock counts once nobody can still be writing it', () => {
  const file = (path: string, age: number) => ({ path, kind: 'file' as const, written: NOW - age });
  const facts = { unseen: [], isCutShort: false, served: new Set<string>(), spools: [] };
  const files = [
    file('/a/x.draft', 1_000),
    file('/a/y.draft', 61_000),
    file('/a/.routes.yaml.next', 61_000),
    file('/a/HEAD.lock', 61_000),
    file('/a/config.lock', DAY_MS),
    file('/a/lockfile', DAY_MS),
  ];
  const rows = leftoverRows({ ...facts, files }, NOW);
  assert.deepEqual(
    rows.map(({ what }) => what),
    ['/a/y.draft', '/a/.routes.yaml.next', '/a/config.lock'],
  );
});

test('a spool that takes no more is drift, and a directory that may not be looked into is unknown', () => {
  const spools = [
    { directory: '/r/egress', reports: 100 },
    { directory: '/r/git-gate', reports: 99 },
  ];
  const rows = leftoverRows({ files: [], unseen: ['/a', '/b'], isCutShort: false, served: new Set(), spools }, NOW);
  assert.deepEqual(
    rows.map(({ status, what }) => `${status} ${what}`),
    ['drift /r/egress', 'unknown /a'],
  );
});

test('a data directory names each fault, and who can mend it', () => {
  const declared = { mode: 0o700, uid: 1, gid: 1 };
  const found = { kind: 'directory', mode: 0o755, uid: 2, gid: 1 } as const;
  const { status, remedy } = dataRow({ daemon: 'd', path: '/d', backup: 'disposable', declared, found });
  assert.equal(status, 'drift');
  assert.equal(remedy, 'as user 2: chmod 0700 /d; as root: chown 1:1 /d');
});

test('a container is of its image, and of what its file says now, as far as the same version of Compose can tell', () => {
  const container = {
    ...{ name: 'b-sidecars-1', service: 'sidecars', imageId: 'sha256:1', state: 'running', revision: '' },
    made: { hash: 'a', version: '2.40.3' },
  };
  const statusWith = (more: Partial<ServiceFacts>): string => {
    const facts = { name: 'sidecars', image: 'bottled', imageId: 'sha256:1', made: container.made };
    return serviceRow({ ...facts, containers: [container], ...more }).status;
  };
  assert.equal(statusWith({}), 'ok');
  assert.equal(statusWith({ made: { hash: 'b', version: '2.40.3' } }), 'drift');
  assert.equal(statusWith({ made: { hash: 'b', version: '2.41.0' } }), 'ok');
  assert.equal(statusWith({ made: undefined }), 'ok');
  assert.equal(statusWith({ imageId: 'sha256:2' }), 'drift');
  assert.equal(statusWith({ containers: [{ ...container, state: 'exited' }] }), 'drift');
  assert.equal(statusWith({ containers: [] }), 'missing');
});

test('a program that does not tell its version is as pinned where its file is', () => {
  const ssh = { path: '/usr/bin/ssh', version: '9.2p1', sha256: 'a' };
  const [row] = programRows({
    pins: { bottled: '1', programs: { ssh }, files: {} },
    pinsFile: 'pins.json',
    programs: { ssh: { ...ssh, version: 'unknown version' } },
    files: {},
    needed: [],
  });
  assert.deepEqual([row?.status, row?.found], ['ok', '9.2p1 at /usr/bin/ssh']);
});

test('programs: as pinned, gone, new, other, and without a pin', () => {
  const git = { path: '/usr/bin/git', version: '2.1', sha256: 'a' };
  const pins: Pins = { bottled: '1', programs: { git, ssh: git, pipelock: null }, files: {} };
  const rows = programRows({
    pins,
    pinsFile: 'pins.json',
    programs: { git: { ...git, sha256: 'b' }, ssh: null, pipelock: git, gitleaks: null },
    files: {},
    needed: ['gitleaks'],
  });
  assert.deepEqual(
    rows.map(({ what, status }) => `${what} ${status}`),
    ['git drift', 'ssh missing', 'pipelock drift', 'gitleaks missing', 'bottled ok'],
  );
  const facts = { pins: undefined, pinsFile: 'pins.json', files: {}, needed: [] };
  const unpinned = programRows({ ...facts, programs: { git, ssh: null } });
  assert.deepEqual(
    unpinned.map(({ what, status }) => `${what} ${status}`),
    ['git unknown', 'bottled unknown'],
  );
});
