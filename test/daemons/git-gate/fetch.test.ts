import assert from 'node:assert/strict';
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { commit, git, makeUpstream, makeWorld, must, refsOf, scratch, startGate } from './world.ts';

test('a fetch shows what upstream has now, over both protocols', async (t) => {
  const { agent, gate, folder, upstream } = await makeWorld(t, { top: 'limits: { fetch_fresh: 0 }' });
  const other = join(folder, 'other');
  await must(folder, 'clone', '--quiet', upstream, other);
  for (const url of [`${gate.http}/demo.git`, `${gate.http}/demo`, `${gate.git}/demo.git`, `${gate.git}/demo`]) {
    const id = await commit(other, { 'a.txt': url });
    await must(other, 'push', '--quiet', 'origin', 'main');
    assert.equal((await must(agent, 'ls-remote', url, 'refs/heads/main')).split('\t')[0], id);
  }
});

test('a branch that is gone upstream is gone for the agent', async (t) => {
  const { agent, upstream } = await makeWorld(t, { top: 'limits: { fetch_fresh: 0 }' });
  await must(upstream, 'branch', 'old', 'main');
  assert.match(await must(agent, 'ls-remote', 'origin'), /refs\/heads\/old/);
  await must(upstream, 'branch', '-D', 'old');
  assert.doesNotMatch(await must(agent, 'ls-remote', 'origin'), /refs\/heads\/old/);
});

test('the default branch of a clone is that of upstream', async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  await must(upstream, 'branch', '-m', 'main', 'trunk');
  await must(upstream, 'symbolic-ref', 'HEAD', 'refs/heads/trunk');
  const gate = await startGate(t, { folder, yaml: `repos: { demo: { url: "file://${upstream}" } }` });
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, 'clone');
  assert.equal((await must(join(folder, 'clone'), 'branch', '--show-current')).trim(), 'trunk');
});

test('stale data is never served: when upstream is down, a fetch fails with the reason', async (t) => {
  const { agent, gate, upstream } = await makeWorld(t, { top: 'limits: { fetch_fresh: 0 }' });
  renameSync(upstream, `${upstream}.away`);
  for (const url of [`${gate.http}/demo.git`, `${gate.git}/demo.git`]) {
    for (const version of ['0', '1', '2']) {
      const fetched = await git(agent, ['-c', `protocol.version=${version}`, 'fetch', url]);
      assert.equal(fetched.code, 128, `${url} v${version}`);
      assert.match(fetched.said, /fatal: remote error: git-gate: demo: upstream has no such repository/);
    }
    const pushed = await git(agent, ['push', url, 'HEAD:refs/heads/x']);
    assert.equal(pushed.code, 128);
    assert.match(pushed.said, /fatal: remote error: git-gate: demo: /);
  }
  renameSync(`${upstream}.away`, upstream);
  assert.equal((await git(agent, ['fetch', 'origin'])).code, 0);
});

test('many fetches at once are all served', async (t) => {
  const { agent, gate } = await makeWorld(t, { top: 'limits: { fetch_fresh: 1h }' });
  const all = await Promise.all(Array.from({ length: 12 }, () => git(agent, ['ls-remote', `${gate.http}/demo.git`])));
  assert.deepEqual(new Set(all.map(({ code }) => code)), new Set([0]));
});

test('A.9 #10: proxy variables of the container do not reach git', async (t) => {
  const proxies = Object.fromEntries(
    ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'all_proxy'].map((name) => [
      name,
      'http://127.0.0.1:1',
    ]),
  );
  const { agent, gate } = await makeWorld(t, {
    env: {
      ...proxies,
      GIT_TRACE: '/tmp/never',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'core.bare',
      GIT_CONFIG_VALUE_0: 'false',
    },
  });
  const hook = join(gate.data, 'hooks', 'pre-receive');
  const seen = join(gate.data, 'seen');
  // The hook is git's own child and has git's environment.
  const script = readFileSync(hook, 'utf8');
  chmodSync(hook, 0o755);
  writeFileSync(hook, script.replace('#!/bin/sh\n', `#!/bin/sh\nenv > '${seen}'\n`));
  await commit(agent, { 'a.txt': 'a' });
  assert.equal((await git(agent, ['push', 'origin', 'HEAD:refs/heads/work'])).code, 0);
  const names = readFileSync(seen, 'utf8')
    .split('\n')
    .map((line) => line.split('=', 1)[0] ?? '');
  assert.deepEqual(
    names.filter((name) => /proxy|TRACE|CONFIG_COUNT|CREDENTIALS/i.test(name)),
    [],
  );
  assert.ok(names.includes('GIT_QUARANTINE_PATH'));
});

test('shallow, partial and single-branch clones work', async (t) => {
  const { gate, folder } = await makeWorld(t);
  for (const [index, options] of [
    ['--depth=1'],
    ['--filter=blob:none'],
    ['--filter=tree:0', '--no-checkout'],
    ['--single-branch'],
    ['--bare'],
  ].entries()) {
    for (const url of [`${gate.http}/demo.git`, `${gate.git}/demo.git`]) {
      await must(folder, 'clone', '--quiet', ...options, url, `clone-${index}-${url.slice(0, 3)}`);
    }
  }
});

test('only the four requests of smart HTTP are answered', async (t) => {
  const { gate } = await makeWorld(t);
  const cases: readonly (readonly [status: number, method: string, path: string, type?: string])[] = [
    [200, 'GET', '/__health'],
    [200, 'GET', '/demo.git/info/refs?service=git-upload-pack'],
    [200, 'GET', '/demo/info/refs?service=git-receive-pack'],
    [403, 'GET', '/demo.git/info/refs'],
    [403, 'GET', '/demo.git/info/refs?service=git-upload-archive'],
    [403, 'GET', '/demo.git/info/refs?service=git-upload-pack&x=1'],
    [403, 'GET', '/demo.git/HEAD'],
    [403, 'GET', '/demo.git/objects/info/packs'],
    [403, 'GET', '/demo.git/config'],
    [403, 'POST', '/demo.git/git-upload-archive', 'application/x-git-upload-archive-request'],
    [405, 'GET', '/demo.git/git-upload-pack'],
    [405, 'POST', '/demo.git/info/refs?service=git-upload-pack'],
    [415, 'POST', '/demo.git/git-upload-pack', 'text/plain'],
    [404, 'GET', '/'],
    [404, 'GET', '/../demo.git/info/refs?service=git-upload-pack'],
    [404, 'GET', '/%64emo.git/info/refs?service=git-upload-pack'],
    [404, 'GET', '/..%2fdemo.git/info/refs?service=git-upload-pack'],
    [404, 'GET', '//demo.git/info/refs?service=git-upload-pack'],
    [404, 'GET', '/-demo.git/info/refs?service=git-upload-pack'],
    [404, 'GET', '/.git/info/refs?service=git-upload-pack'],
    [403, 'GET', '/demo.git/../demo.git/info/refs?service=git-upload-pack'],
  ];
  for (const [status, method, path, type] of cases) {
    const head = `${method} ${path} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}Content-Length: 0\r\n\r\n`;
    const answer = await raw(gate.http, head);
    assert.equal(Number(answer.split(' ')[1]), status, `${method} ${path}: ${answer.slice(0, 200)}`);
    if (status >= 400) assert.match(answer, /\r\n\r\n(?:[0-9a-f]+\r\n)?git-gate: [^\n]+\n/);
  }
});

test('a packed request body is understood', async (t) => {
  const { gate } = await makeWorld(t);
  const response = await fetch(`${gate.http}/demo.git/git-upload-pack`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-git-upload-pack-request',
      'content-encoding': 'gzip',
      'git-protocol': 'version=2',
    },
    body: gzipSync('0014command=ls-refs\n0000'),
  });
  assert.match(await response.text(), /refs\/heads\/main/);
});

test('a name that the gate does not know is refused with those that it knows', async (t) => {
  const { gate, agent } = await makeWorld(t);
  for (const base of [gate.http, gate.git]) {
    const listed = await git(agent, ['ls-remote', `${base}/other.git`]);
    assert.match(
      listed.said,
      /fatal: remote error: git-gate: there is no repository "other" behind this gate; there are: demo/,
    );
  }
});

test('git:// answers nothing but well-formed requests for its own repositories', async (t) => {
  const { gate } = await makeWorld(t);
  const ask = (line: string) => raw(gate.git, `${(line.length + 4).toString(16).padStart(4, '0')}${line}`);
  for (const line of [
    'git-upload-archive /demo.git\0host=x\0',
    'git-upload-pack /../demo.git\0host=x\0',
    'git-upload-pack /etc/passwd\0host=x\0',
    'git-upload-pack --help\0host=x\0',
    'git-upload-pack /demo.git;id\0host=x\0',
    'git-upload-pack /~root/x\0host=x\0',
    'rm /demo.git\0',
    '\0\0\0\0',
  ]) {
    assert.match(await ask(line), /^[0-9a-f]{4}ERR git-gate: /, JSON.stringify(line));
  }
  assert.equal(await raw(gate.git, 'GET / HTTP/1.1\r\n\r\n'), '');
  assert.equal(await raw(gate.git, 'ffff'), '');
  assert.match(await ask('git-upload-pack /demo.git\0host=x\0\0version=2\0'), /version 2/);
});

test('a fetch that stops half-way leaves nothing running', async (t) => {
  const { gate } = await makeWorld(t);
  const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(gate.http).port) });
  socket.write(
    'POST /demo.git/git-upload-pack HTTP/1.1\r\nHost: gate\r\nContent-Type: application/x-git-upload-pack-request\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0014\r\n',
  );
  const deadline = Date.now() + 10_000;
  const children = () => readFileSync(`/proc/${gate.pid}/task/${gate.pid}/children`, 'utf8').trim();
  while (children() === '' && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.notEqual(children(), '');
  socket.destroy();
  while (children() !== '' && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(children(), '');
});

test('every ref of the mirror is one of upstream', async (t) => {
  const { gate, upstream } = await makeWorld(t, {
    prepare: async (path) => {
      await must(path, 'update-ref', 'refs/pull/1/head', 'refs/heads/main');
      await must(path, 'update-ref', 'refs/replace/1111111111111111111111111111111111111111', 'refs/heads/main');
    },
  });
  const mirror = await refsOf(join(gate.data, 'mirrors', 'demo.git'));
  assert.deepEqual(Object.keys(mirror), ['refs/heads/main']);
  assert.equal(Object.keys(await refsOf(upstream)).length, 3);
});

async function raw(url: string, request: string): Promise<string> {
  const socket = createConnection({
    host: '127.0.0.1',
    port: Number(new URL(url.replace(/^git/, 'http')).port),
    allowHalfOpen: true,
  });
  socket.write(request, 'latin1');
  if (url.startsWith('git')) socket.end();
  return text(socket);
}
