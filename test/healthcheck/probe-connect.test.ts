import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import type { Check } from '../../healthcheck/probe/check.ts';
import { probe } from '../../healthcheck/probe/probe.ts';
import { deafPort, rawTarget, temporaryDirectory } from './targets.ts';

const execute = () => assert.fail('a connection runs no program');
const ask = async (check: Omit<Check, 'timeout'>, timeout = 20_000) => {
  const { passed, detail } = await probe({ ...check, timeout }, { execute });
  return { passed, detail };
};

async function unixServer(t: TestContext, path: string): Promise<void> {
  const server = net.createServer().listen(path);
  await once(server, 'listening');
  t.after(async () => {
    server.close();
    await once(server, 'close');
  });
}

test('tcp passes when the connection is accepted, and closes it', async (t) => {
  const { port } = await rawTarget(t, (socket) => socket.resume());
  assert.deepEqual(await ask({ tcp: { host: '127.0.0.1', port } }), {
    passed: true,
    detail: `tcp 127.0.0.1:${port}: connection accepted`,
  });
});

test('tcp fails where nobody listens', async () => {
  const port = await deafPort();
  assert.deepEqual(await ask({ tcp: { host: '127.0.0.1', port } }), {
    passed: false,
    detail: `tcp 127.0.0.1:${port}: connection refused`,
  });
});

test('an IPv6 address stands in brackets', async () => {
  assert.match((await ask({ tcp: { host: '::1', port: 1 } })).detail, /^tcp \[::1\]:1: \S/);
});

test('a host that does not exist fails with its reason', async () => {
  const { passed, detail } = await ask({ tcp: { host: 'no-such-host.invalid', port: 80 } });
  assert.equal(passed, false);
  assert.match(detail, /^tcp no-such-host\.invalid:80: no such host/);
});

test('a connection that the kernel made to itself is none', async (t) => {
  const namespace = ['--user', '--map-root-user', '--net', 'sh', '-c'];
  const setUp = 'ip link set lo up && echo 40001 40001 >/proc/sys/net/ipv4/ip_local_port_range';
  const possible = await execa('unshare', [...namespace, setUp], { reject: false });
  if (possible.failed) return t.skip('needs an own network namespace');
  const source = `
    import { probe } from ${JSON.stringify(new URL('../../healthcheck/probe/probe.ts', import.meta.url).href)};
    const check = { tcp: { host: '127.0.0.1', port: 40001 }, timeout: 20000 };
    console.log((await probe(check, { execute: undefined })).detail);`;
  const run = [process.execPath, '--input-type=module', '-e', source];
  const { stdout } = await execa('unshare', [...namespace, `${setUp} && exec "$@"`, 'sh', ...run]);
  assert.equal(stdout, 'tcp 127.0.0.1:40001: connection refused');
});

test('unix passes when the socket accepts', async (t) => {
  const path = join(temporaryDirectory(t), 's');
  await unixServer(t, path);
  assert.deepEqual(await ask({ unix: { path } }), { passed: true, detail: `unix ${path}: connection accepted` });
});

test('unix says what is wrong with the path', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const dead = join(directory, 'dead');
  await execa(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]).catch(() => {});
  chmodSync(dead, 0o666);
  const cases: [string, string][] = [
    [join(directory, 'none'), 'no such file'],
    [file, 'connection refused'],
    [dead, 'connection refused'],
  ];
  for (const [path, said] of cases) {
    assert.deepEqual(await ask({ unix: { path } }), { passed: false, detail: `unix ${path}: ${said}` });
  }
  const { passed, detail } = await ask({ unix: { path: `${directory}/${'x'.repeat(200)}` } });
  assert.equal(passed, false);
  assert.ok(detail.length <= 200);
});
