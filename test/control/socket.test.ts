import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createControl } from '../../init/control/control.ts';
import { parseListenAddress } from '../../init/control/listen-address.ts';
import { socketPaths, socketToReach, socketToServe } from '../../init/control/socket-path.ts';
import { fakeInit } from './fake-init.ts';
import { ask, scratch, serve } from './serve.ts';

const quiet = { init: fakeInit(), onProblem: () => {} };

/** The socket of a process that is gone. */
function leaveSocket(path: string): void {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(lstatSync(path).isSocket());
}

test('the socket has mode 0600 and its directory 0711, whatever the umask, which stays as it is', async (t) => {
  const before = process.umask();
  t.after(() => void process.umask(before));
  for (const mask of [before, 0o077, 0]) {
    process.umask(mask);
    const { socket } = await serve(t);
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    assert.equal(statSync(join(socket, '..')).mode & 0o777, 0o711);
    assert.equal(process.umask(), mask);
  }
});

test('a directory that was there keeps its mode', async (t) => {
  const folder = scratch(t);
  chmodSync(folder, 0o755);
  const control = await createControl({ ...quiet, socket: join(folder, 'c.sock') });
  t.after(() => control.close());
  assert.equal(statSync(folder).mode & 0o777, 0o755);
});

test('the socket of a dead init is taken over', async (t) => {
  const socket = join(scratch(t), 'c.sock');
  leaveSocket(socket);
  const control = await createControl({ ...quiet, socket });
  t.after(() => control.close());
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
});

test('the socket of a live init is left alone, with one clear line', async (t) => {
  const { socket } = await serve(t);
  await assert.rejects(createControl({ ...quiet, socket }), (error: Error) => {
    assert.match(error.message, /^cannot listen on .*: another init serves it; stop that one, or give another path/);
    return !error.message.includes('\n');
  });
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
});

test('a file that is no socket is left alone', async (t) => {
  const socket = join(scratch(t), 'c.sock');
  writeFileSync(socket, 'precious');
  await assert.rejects(createControl({ ...quiet, socket }), /something is there that is no socket; remove it/);
  assert.equal(statSync(socket).size, 8);
});

test('a path that is too long for a socket, or whose directory cannot be made, is refused with the remedy', async (t) => {
  const folder = scratch(t);
  await assert.rejects(
    createControl({ ...quiet, socket: join(folder, 'x'.repeat(120)) }),
    /at most 107 bytes.*--socket/,
  );
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(
    createControl({ ...quiet, socket: join(folder, 'file', 'c.sock') }),
    /cannot listen on .*--socket/,
  );
});

test('close removes the socket and ends open streams', async (t) => {
  const { socket, control, init } = await serve(t);
  const stream = ask({ to: { socket }, path: '/v1/logs?follow=1' });
  stream.catch(() => {});
  while (init.listeners() === 0) await new Promise((resolve) => setImmediate(resolve));
  await control.close();
  await assert.rejects(stream);
  assert.equal(existsSync(socket), false);
  assert.equal(init.listeners(), 0);
});

test('a TCP port in use is reported in one line and the socket serves on', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const problems: string[] = [];
  const socket = join(scratch(t), 'c.sock');
  const control = await createControl({
    ...quiet,
    socket,
    listen: `127.0.0.1:${port}`,
    onProblem: (text) => problems.push(text),
  });
  t.after(() => control.close());
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /EADDRINUSE.*free the port or change control\.listen$/);
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
});

test('control.listen is host:port, [ipv6]:port or :port', () => {
  assert.deepEqual(parseListenAddress('127.0.0.1:9180'), { host: '127.0.0.1', port: 9180 });
  assert.deepEqual(parseListenAddress('[::1]:9180'), { host: '::1', port: 9180 });
  assert.deepEqual(parseListenAddress(':9180'), { host: undefined, port: 9180 });
  for (const text of ['9180', 'localhost', 'a:b', '1.2.3.4:70000', '::1:9180', '']) {
    assert.equal(parseListenAddress(text), undefined, text);
  }
});

test('the socket is where the option says, else BOTTLED_SOCKET, else in /run, else in XDG_RUNTIME_DIR', () => {
  const environment = { BOTTLED_SOCKET: '/e/s', XDG_RUNTIME_DIR: '/x' };
  assert.deepEqual(socketPaths('/o/s', environment), ['/o/s']);
  assert.deepEqual(socketPaths(undefined, environment), ['/e/s']);
  assert.deepEqual(socketPaths(undefined, { XDG_RUNTIME_DIR: '/x' }), [
    '/run/bottled/control.sock',
    '/x/bottled/control.sock',
  ]);
  assert.deepEqual(socketPaths(undefined, {}), ['/run/bottled/control.sock']);
});

test('an init takes the first place that it can write, and makes the directory', (t) => {
  const folder = scratch(t);
  const path = join(folder, 'deep', 'er', 'c.sock');
  assert.equal(socketToServe(path, {}), path);
  assert.equal(statSync(join(folder, 'deep', 'er')).mode & 0o777, 0o711);
  writeFileSync(join(folder, 'file'), '');
  assert.throws(
    () => socketToServe(join(folder, 'file', 'c.sock'), {}),
    /cannot make the control socket: .*--socket PATH$/,
  );
});

test('a client takes the first socket that is there', (t) => {
  const folder = scratch(t);
  mkdirSync(join(folder, 'bottled'));
  writeFileSync(join(folder, 'bottled', 'control.sock'), '');
  const reached = socketToReach(undefined, { XDG_RUNTIME_DIR: folder });
  assert.equal(
    reached,
    existsSync('/run/bottled/control.sock') ? '/run/bottled/control.sock' : join(folder, 'bottled', 'control.sock'),
  );
  assert.equal(socketToReach('/nowhere/c.sock', {}), '/nowhere/c.sock');
});
