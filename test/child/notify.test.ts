import assert from 'node:assert/strict';
import { chmodSync, closeSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openNotifyPipe, openNotifySocket } from '../../init/child/notify.ts';
import { notRoot } from '../posix/pid-namespace.ts';
import { PATH, reaper, run, sh } from './run.ts';

const runDirectory = mkdtempSync(join(tmpdir(), 'bottled-notify-'));
chmodSync(runDirectory, 0o711);
test.after(() => {
  rmSync(runDirectory, { recursive: true });
  reaper().close();
});

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

function openSocket(incarnation: number, owner = me): Extract<ReturnType<typeof openNotifySocket>, { path: string }> {
  const socket = openNotifySocket({ runDirectory, daemon: 'web', incarnation, owner });
  assert.ok('path' in socket, 'error' in socket ? socket.error : '');
  return socket;
}

/** Sends datagrams to $NOTIFY_SOCKET, as sd_notify(3) does. */
const SENDER =
  'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); for (@ARGV) { send(S, $_, 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die "$!\\n" }';

test('a newline on the notification fd makes ready, whatever stands before it', async () => {
  const pipe = openNotifyPipe();
  const ready = new Promise<void>((resolve) => pipe.onReady(resolve));
  await sh('printf "starting" >&5; sleep 0.05; echo >&5', { descriptors: [{ fd: pipe.write, as: 5 }] });
  await ready;
  closeSync(pipe.write);
});

test('a notification fd that is closed without a newline never makes ready', async () => {
  const pipe = openNotifyPipe();
  let ready = false;
  pipe.onReady(() => {
    ready = true;
  });
  await sh('printf x >&5', { descriptors: [{ fd: pipe.write, as: 5 }] });
  closeSync(pipe.write);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(ready, false);
  pipe.close();
  pipe.close();
});

test('READY=1 makes ready; what comes before is no harm, and the socket is gone afterwards', async () => {
  const socket = openSocket(1);
  const ready = new Promise<void>((resolve) => socket.onReady(resolve));
  const { exit, stderr } = await run(['perl', '-e', SENDER, 'STATUS=warming up', 'MAINPID=1\nREADY=1\nSTATUS=up'], {
    environment: { PATH, NOTIFY_SOCKET: socket.path },
  });
  assert.deepEqual({ exit, stderr }, { exit: { code: 0 }, stderr: '' });
  await ready;
  assert.equal(existsSync(socket.path), false);
});

test('a daemon that ended before it was ready leaves no socket', () => {
  const socket = openSocket(2);
  socket.onReady(() => assert.fail('ready'));
  assert.equal(statSync(socket.path).mode & 0o777, 0o600);
  socket.close();
  assert.equal(existsSync(socket.path), false);
});

test('only the user of the daemon can send to its socket', { skip: notRoot }, async () => {
  const socket = openSocket(3, { uid: 4000, gid: 4000 });
  let ready = false;
  socket.onReady(() => {
    ready = true;
  });
  const sendAs = (uid: string) =>
    run(['perl', '-e', SENDER, 'READY=1'], {
      prefix: ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'],
      environment: { PATH, NOTIFY_SOCKET: socket.path },
    });
  assert.match((await sendAs('4001')).stderr, /Permission denied/);
  assert.equal(ready, false);
  assert.equal((await sendAs('4000')).stderr, '');
  const deadline = performance.now() + 5000;
  while (!ready && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(ready, true);
});

test('a socket that cannot be made is one clear line', () => {
  const refusal = (options: { runDirectory: string; daemon?: string }): string => {
    const result = openNotifySocket({ daemon: 'web', incarnation: 1, owner: me, ...options });
    return 'error' in result ? result.error : '';
  };
  assert.match(
    refusal({ runDirectory: '/no/where' }),
    /^sd_notify: cannot make the socket .* \(ENOENT\): the run directory must be writable/,
  );
  assert.match(refusal({ runDirectory: '/proc/nowhere' }), /^sd_notify: cannot make the socket/);
  assert.match(refusal({ runDirectory, daemon: 'x'.repeat(100) }), /is at most 107 bytes long/);
});
