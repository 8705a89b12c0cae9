import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Control, createControl, type ReadingSocket } from '../../init/control/control.ts';
import { ROUTES } from '../../init/control/routes.ts';
import { startInit } from '../run/init.ts';
import { type FakeInit, fakeInit } from './fake-init.ts';
import { ask, scratch } from './serve.ts';

interface Served {
  readonly init: FakeInit;
  readonly control: Control;
  readonly directory: string;
  readonly reading: string;
  readonly problems: readonly string[];
}

async function serveReading(t: TestContext, owner?: ReadingSocket['owner']): Promise<Served> {
  const directory = scratch(t);
  const reading = join(directory, 'read', 'read.sock');
  const init = fakeInit();
  const problems: string[] = [];
  const onProblem = (text: string): void => void problems.push(text);
  const socket = join(directory, 'control.sock');
  const control = await createControl({ init, socket, reading: { path: reading, owner }, onProblem });
  t.after(() => control.close());
  return { init, control, directory, reading, problems };
}

const concrete = (path: string): string => path.replace('{name}', 'egress');

test('the socket for reading serves every route that reads or tells health, and no command', async (t) => {
  const { reading, init } = await serveReading(t);
  init.say('egress', 'hello');
  for (const { method, path, access } of ROUTES) {
    const { status, body } = await ask({
      to: { socket: reading },
      method,
      path: concrete(path),
      ...(method === 'POST' && { body: '{}' }),
    });
    if (access === 'operate') {
      assert.equal(status, 403, path);
      assert.match(body, /this socket is for reading only; commands go to the control socket/);
    } else assert.equal(status, 200, path);
  }
  assert.deepEqual(init.commands, []);
});

test('no other method, and no other way to write a path, makes a command of it', async (t) => {
  const { reading, init } = await serveReading(t);
  for (const path of ['/v1/daemons/egress/st%6Fp', '/v1/daemons/egress/stop?wait=1', 'http://localhost/v1/reload']) {
    for (const method of ['POST', 'PUT', 'GET']) {
      assert.equal((await ask({ to: { socket: reading }, method, path, body: '{}' })).status, 403, `${method} ${path}`);
    }
  }
  assert.deepEqual(init.commands, []);
});

test('the socket for reading has mode 0600 and goes away with the init', async (t) => {
  const { reading, control } = await serveReading(t);
  assert.equal(statSync(reading).mode & 0o777, 0o600);
  await control.close();
  assert.equal(existsSync(reading), false);
});

const NOBODY = { uid: 65_534, gid: 65_534 };
const skip = process.getuid?.() === 0 ? false : 'another user needs root';

test('its user alone may open it, and may not open the control socket', { skip }, async (t) => {
  const { reading, directory } = await serveReading(t, NOBODY);
  chmodSync(directory, 0o711);
  assert.deepEqual([statSync(reading).uid, statSync(reading).mode & 0o777], [NOBODY.uid, 0o600]);
  const tries = [
    { path: reading, uid: NOBODY.uid },
    { path: join(directory, 'control.sock'), uid: NOBODY.uid },
    { path: reading, uid: 65_533 },
  ].map(({ path, uid }) => {
    const script = `require('node:net').connect(${JSON.stringify(path)}).on('connect', () => process.exit(0)).on('error', () => process.exit(9))`;
    return new Promise((resolve, reject) => {
      spawn(process.execPath, ['-e', script], { uid, gid: uid }).on('exit', resolve).on('error', reject);
    });
  });
  assert.deepEqual(await Promise.all(tries), [0, 9, 9]);
});

test('one that cannot be served is told, and the control socket works all the same', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'read.sock'), 'precious');
  const problems: string[] = [];
  const socket = join(directory, 'control.sock');
  const reading = { path: join(directory, 'read.sock') };
  const control = await createControl({ init: fakeInit(), socket, reading, onProblem: (text) => problems.push(text) });
  t.after(() => control.close());
  assert.match(problems.join('\n'), /^cannot listen on .*read\.sock: .* remove it, or change control\.read in the/);
  assert.equal((await ask({ to: { socket }, path: '/livez' })).status, 200);
});

test('control.read in the bundle file: in the run directory of the init, or where path says', async (t) => {
  const init = startInit(t, 'control: { read: {} }\ndaemons: { one: { command: [sleep, "60"] } }\n');
  await init.saw(/control socket/);
  const socket = join(init.directory, 'run', 'control.sock.d', 'read.sock');
  assert.equal((await ask({ to: { socket }, path: '/v1/status' })).status, 200);
  const other = startInit(
    t,
    'control: { read: { path: here/r.sock, user: "" } }\ndaemons: { one: { command: [sleep, "60"] } }\n',
  );
  mkdirSync(join(other.directory, 'here'), { recursive: true });
  await other.saw(/control socket/);
  const given = { socket: join(other.directory, 'here', 'r.sock') };
  assert.equal((await ask({ to: given, path: '/v1/status' })).status, 200);
  assert.equal((await ask({ to: given, method: 'POST', path: '/v1/reload' })).status, 403);
});

test('a user that is not there is told with the remedy, and nothing is served', async (t) => {
  const init = startInit(
    t,
    'control: { read: { user: nobody-of-this-name } }\ndaemons: { one: { command: [sleep, "60"] } }\n',
  );
  await init.saw(/control\.read\.user: there is no user "nobody-of-this-name" in \/etc\/passwd/);
  assert.equal(existsSync(join(init.directory, 'run', 'control.sock.d', 'read.sock')), false);
});
