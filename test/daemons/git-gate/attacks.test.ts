import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { execa } from 'execa';
import { commit, fakeToken, git, makeWorld, must, refsOf, scratch, startGate, yamlFor } from './world.ts';

const NONE = '0'.repeat(40);

test('a branch that is called like a commit does not stand in for it', async (t) => {
  const { agent, upstream } = await makeWorld(t);
  const first = (await must(agent, 'rev-parse', 'HEAD')).trim();
  await commit(agent, { 'a.txt': 'a' });
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/feature');
  const next = await commit(agent, { 'b.txt': 'b' });
  const named = await git(agent, ['push', 'origin', `${first}:refs/heads/${next}`]);
  assert.match(named.said, /\[ref-name\]/);
  await must(upstream, 'update-ref', `refs/heads/${next}`, first);
  await must(agent, 'push', '--quiet', 'origin', 'HEAD:refs/heads/feature');
  assert.equal((await refsOf(upstream))['refs/heads/feature'], next);
});

test('names that git takes for another ref are refused', async (t) => {
  const { agent, upstream } = await makeWorld(t);
  const before = await refsOf(upstream);
  for (const ref of ['heads/HEAD', 'heads/@', 'heads/refs/heads/main', 'tags/refs/heads/main', 'tags/head'])
    assert.match((await git(agent, ['push', 'origin', `HEAD:refs/${ref}`])).said, /\[ref-name\]/, ref);
  const twins = await git(agent, ['push', 'origin', 'HEAD:refs/heads/twin', 'HEAD:refs/heads/Twin']);
  assert.match(twins.said, /only in case \[ref-name\]/);
  assert.deepEqual(await refsOf(upstream), before);
});

test('without its hook the gate takes no push', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  await commit(agent, { 'key.txt': fakeToken() });
  const hook = join(gate.data, 'hooks', 'pre-receive');
  chmodSync(hook, 0o444);
  for (const url of [gate.http, gate.git]) {
    const pushed = await git(agent, ['push', `${url}/demo.git`, 'HEAD:refs/heads/work']);
    assert.equal(pushed.code, 128);
    assert.match(pushed.said, /the gate cannot judge pushes/);
  }
  assert.match((await gate.logged('hook-missing')).message, /cannot be run/);
  assert.deepEqual(await refsOf(join(gate.data, 'mirrors', 'demo.git')), await refsOf(upstream));
});

test('a few bytes that unpack to gigabytes are refused before memory is taken for them', async (t) => {
  const { agent, gate } = await makeWorld(t);
  const main = (await must(agent, 'rev-parse', 'HEAD')).trim();
  const answer = await sendPush(gate.http, `${NONE} ${main} refs/heads/work`, deltaBomb(3_000_000_000));
  assert.match(answer, /unpack index-pack abnormal exit/);
  assert.match(answer, /ng refs\/heads\/work/);
});

test('directories in directories without end are refused', async (t) => {
  const { agent, gate } = await makeWorld(t);
  const main = (await must(agent, 'rev-parse', 'HEAD')).trim();
  const { id, pack } = deepTree(main, 400);
  const answer = await sendPush(gate.http, `${NONE} ${id} refs/heads/work`, pack, 'report-status side-band-64k');
  assert.match(answer, /a path of more than 4096 bytes/);
  assert.equal((await git(agent, ['ls-remote', 'origin'])).code, 0);
});

test('a reload leaves a push that is under way alone', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t, { top: 'limits:\n  fetch_fresh: 10ms' });
  const main = (await must(agent, 'rev-parse', 'HEAD')).trim();
  const id = await commit(agent, { 'a.txt': 'a'.repeat(100_000) });
  const packed = await execa('git', ['pack-objects', '--revs', '--stdout', '-q'], {
    cwd: agent,
    input: `${id}\n^${main}\n`,
    encoding: 'buffer',
  });
  const body = pushBody(`${NONE} ${id} refs/heads/work`, Buffer.from(packed.stdout));
  const socket = connect(Number(new URL(gate.http).port), '127.0.0.1');
  t.after(() => socket.destroy());
  let answer = '';
  socket.on('data', (chunk: Buffer) => {
    answer += chunk.toString('latin1');
  });
  const type = 'application/x-git-receive-pack-request';
  socket.write(
    `POST /demo.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  socket.write(body.subarray(0, -100));
  const objects = join(gate.data, 'mirrors', 'demo.git', 'objects');
  const deadline = Date.now() + 20_000;
  while (!readdirSync(objects, { recursive: true, encoding: 'utf8' }).some((name) => /tmp_pack/.test(name))) {
    assert.ok(Date.now() < deadline, 'the push arrives');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  gate.write(yamlFor(upstream, '', 'limits:\n  fetch_fresh: 20ms'));
  await gate.logged('reloaded');
  assert.equal((await git(agent, ['ls-remote', 'origin'])).code, 0);
  socket.write(body.subarray(-100));
  await once(socket, 'close');
  assert.match(answer, /ok refs\/heads\/work/);
});

test('after the first push to an empty upstream a clone checks out the right branch', async (t) => {
  const folder = scratch(t);
  const upstream = join(folder, 'empty.git');
  await must(folder, 'init', '--quiet', '--bare', '--initial-branch=trunk', upstream);
  const gate = await startGate(t, { folder, yaml: yamlFor(upstream) });
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, 'agent');
  await commit(join(folder, 'agent'), { 'a.txt': 'a' });
  await must(join(folder, 'agent'), 'push', '--quiet', 'origin', 'HEAD:refs/heads/trunk');
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, 'second');
  assert.equal((await must(join(folder, 'second'), 'symbolic-ref', 'HEAD')).trim(), 'refs/heads/trunk');
});

const OWN_ADDRESS = Object.values(networkInterfaces())
  .flat()
  .find((each) => each?.family === 'IPv4' && !each.internal)?.address;

test('agents that hold every connection do not hide that the gate is well', {
  timeout: 30_000,
  skip: OWN_ADDRESS === undefined && 'this machine has no address but the loopback',
}, async (t) => {
  const { gate } = await makeWorld(t, { env: { GIT_GATE_LISTEN: '0.0.0.0' } });
  const port = Number(new URL(gate.http).port);
  const sockets = Array.from({ length: 600 }, () => {
    const socket = connect(port, OWN_ADDRESS);
    socket.on('error', () => {});
    return socket;
  });
  t.after(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => {})));
  const probe = connect(port, '127.0.0.1');
  t.after(() => probe.destroy());
  probe.write('GET /__health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const [said] = await once(probe, 'data');
  assert.match(String(said), /^HTTP\/1\.1 200 /);
});

async function sendPush(gate: string, change: string, pack: Buffer, wishes?: string): Promise<string> {
  const response = await fetch(`${gate}/demo.git/git-receive-pack`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-git-receive-pack-request' },
    body: new Uint8Array(pushBody(change, pack, wishes)),
  });
  return response.text();
}

function pushBody(change: string, pack: Buffer, wishes = 'report-status'): Buffer {
  const line = `${change}\0${wishes}`;
  return Buffer.concat([Buffer.from(`${(line.length + 4).toString(16).padStart(4, '0')}${line}0000`), pack]);
}

/** gitformat-pack(5): types of objects in a pack. */
const COMMIT = 1;
const TREE = 2;
const BLOB = 3;
const REF_DELTA = 7;

/** A pack that holds a file of `size` bytes, told as a delta of a few thousand: each instruction copies 16 MiB. */
function deltaBomb(size: number): Buffer {
  const base = Buffer.alloc(0xff_ff_ff, 'a');
  const copies = Math.floor(size / base.length);
  const copy = Buffer.of(0xf0, 0xff, 0xff, 0xff);
  const delta = Buffer.concat([
    number(base.length),
    number(copies * base.length),
    ...Array.from({ length: copies }, () => copy),
  ]);
  const reference = Buffer.concat([Buffer.from(idOf('blob', base), 'hex'), deflateSync(delta)]);
  return packOf([entry(BLOB, base), Buffer.concat([head(REF_DELTA, delta.length), reference])]);
}

function deepTree(parent: string, depth: number): { readonly id: string; readonly pack: Buffer } {
  const file = Buffer.from('x');
  const entries = [entry(BLOB, file)];
  let child = idOf('blob', file);
  for (let level = 0; level < depth; level++) {
    const mode = level === 0 ? '100644' : '40000';
    const tree = Buffer.concat([Buffer.from(`${mode} ${'n'.repeat(250)}\0`), Buffer.from(child, 'hex')]);
    child = idOf('tree', tree);
    entries.push(entry(TREE, tree));
  }
  const who = 'A <a@example.com> 1 +0000';
  const made = Buffer.from(`tree ${child}\nparent ${parent}\nauthor ${who}\ncommitter ${who}\n\nDeep\n`);
  return { id: idOf('commit', made), pack: packOf([...entries, entry(COMMIT, made)]) };
}

function packOf(entries: readonly Buffer[]): Buffer {
  const start = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  start.writeUInt32BE(entries.length, 8);
  const all = Buffer.concat([start, ...entries]);
  return Buffer.concat([all, createHash('sha1').update(all).digest()]);
}

function entry(type: number, bytes: Buffer): Buffer {
  return Buffer.concat([head(type, bytes.length), deflateSync(bytes)]);
}

function head(type: number, size: number): Buffer {
  const rest = Math.floor(size / 16);
  const first = (type << 4) | (size % 16);
  return rest === 0 ? Buffer.of(first) : Buffer.concat([Buffer.of(first | 0x80), number(rest)]);
}

/** Seven bits a byte, the lowest first. */
function number(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}

function idOf(type: string, bytes: Buffer): string {
  return createHash('sha1').update(`${type} ${bytes.length}\0`).update(bytes).digest('hex');
}
