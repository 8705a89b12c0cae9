import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readSources, resolvePrivileges } from '../../init/child/privileges.ts';
import { masksOf, type SecretsOptions, writeSecrets } from '../../init/child/secrets.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { reaper, run } from './run.ts';

const runDirectory = mkdtempSync(join(tmpdir(), 'bottled-secrets-'));
chmodSync(runDirectory, 0o711);
test.after(() => {
  rmSync(runDirectory, { recursive: true });
  reaper().close();
});

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

function write(options: Partial<SecretsOptions>): string {
  const written = writeSecrets({ runDirectory, daemon: 'web', secrets: [], owner: me, ...options });
  assert.ok('directory' in written, 'error' in written ? written.error : '');
  return written.directory;
}

test('each secret is a file that only its daemon can read', () => {
  const directory = write({
    secrets: [
      { target: 'token', value: 'hunter2!' },
      { target: 'key', value: Buffer.from([0, 255]) },
    ],
  });
  assert.equal(directory, join(runDirectory, 'secrets/web'));
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(directory).sort(), ['key', 'token']);
  assert.equal(statSync(join(directory, 'token')).mode & 0o777, 0o400);
  assert.equal(readFileSync(join(directory, 'token'), 'utf8'), 'hunter2!');
  assert.deepEqual(readFileSync(join(directory, 'key')), Buffer.from([0, 255]));
});

test('written anew, what is no longer a secret of the daemon is gone', () => {
  write({ secrets: [{ target: 'old', value: 'x' }] });
  assert.deepEqual(readdirSync(write({ secrets: [{ target: 'new', value: 'x' }] })), ['new']);
});

test('the user of the daemon can read them, another user cannot', { skip: notRoot }, async () => {
  const directory = write({ secrets: [{ target: 'token', value: 'hunter2!' }], owner: { uid: 4000, gid: 4001 } });
  const { uid, gid } = statSync(join(directory, 'token'));
  assert.deepEqual([uid, gid, statSync(directory).uid], [4000, 4001, 4000]);
  const readAs = async (user: string) => {
    const sources = readSources();
    const privileges = resolvePrivileges(
      { user, group_add: [], cap_add: [], cap_drop: [], security_opt: [], ulimits: {} },
      sources,
    );
    assert.ok('prefix' in privileges);
    return run(['cat', join(directory, 'token')], { prefix: privileges.prefix });
  };
  assert.equal((await readAs('4000:4001')).stdout, 'hunter2!');
  const other = await readAs('4002:4001');
  assert.equal(other.stdout, '');
  assert.match(other.stderr, /Permission denied/);
});

test('a target that is no plain file name is refused, and nothing is written', () => {
  for (const target of ['../../etc/passwd', 'a/b', '..', '.', '', 'a\0b', 'x'.repeat(256)]) {
    const written = writeSecrets({ runDirectory, daemon: 'evil', secrets: [{ target, value: 'x' }], owner: me });
    assert.match(
      'error' in written ? written.error : '',
      /^secrets: target ".*" is not a plain file name: write a name/s,
    );
  }
  assert.equal(existsSync(join(runDirectory, 'secrets/evil')), false);
});

test('a run directory that cannot be written is one clear line', () => {
  const written = writeSecrets({ runDirectory: '/proc/nowhere', daemon: 'web', secrets: [], owner: me });
  assert.match(
    'error' in written ? written.error : '',
    /^secrets: cannot write \/proc\/nowhere\/secrets\/web .* must be a writable tmpfs/,
  );
});

test('to be masked are the whole secret and each of its lines from six characters on, longest first', () => {
  assert.deepEqual(masksOf('hunter2\n'), ['hunter2']);
  assert.deepEqual(masksOf('short'), []);
  assert.deepEqual(masksOf('-----BEGIN\r\nabcdef0123\r\nxyz\n'), [
    '-----BEGIN\r\nabcdef0123\r\nxyz',
    '-----BEGIN',
    'abcdef0123',
  ]);
});
