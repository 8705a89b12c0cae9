import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import fc from 'fast-check';
import { parseUpstream } from '../../../daemons/git-gate/config/upstream-url.ts';
import { isWhole, parseQuestion } from '../../../daemons/git-gate/push/hook.ts';
import { isRefName } from '../../../daemons/git-gate/push/rules.ts';
import { parseHttpRequest } from '../../../daemons/git-gate/serve/request.ts';
import { printable } from '../../../daemons/text/printable.ts';
import { commit, fakeToken, git, makeWorld, must, refsOf, scratch } from './world.ts';

/** Six classes of characters that mean something to a shell or a terminal. */
const HOSTILE = [
  "'; touch PWNED; '",
  '"$(touch PWNED)"',
  'a b',
  'a;touch PWNED',
  'a`touch PWNED`',
  '$(touch PWNED)',
  '\u001b]0;title\u0007',
  '-rf',
  '--upload-pack=x',
  'ä\u202Egnp',
];

test('hostile characters in names of files pass as what they are, and run nothing', async (t) => {
  const { agent, upstream, gate, folder } = await makeWorld(t);
  await commit(agent, Object.fromEntries(HOSTILE.map((name) => [`dir/${name}`, name])));
  await commit(agent, { 'dir/line\nfeed': 'x' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/names']);
  assert.equal(pushed.code, 0, pushed.said);
  assert.equal((await refsOf(upstream))['refs/heads/names'], (await must(agent, 'rev-parse', 'HEAD')).trim());
  for (const place of [folder, gate.data, agent, upstream]) assert.ok(!existsSync(join(place, 'PWNED')));
});

test('hostile characters around a secret reach neither terminal nor shell', async (t) => {
  const { agent, gate, folder } = await makeWorld(t);
  for (const name of HOSTILE) {
    await must(agent, 'reset', '--quiet', '--hard', 'origin/main');
    await commit(agent, { [`dir/${name}`]: fakeToken() }, name);
    const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
    assert.equal(pushed.code, 1);
    assert.match(pushed.said, /in dir\//);
    assert.equal(
      printable(pushed.said.replaceAll('\n', ''), 1e6),
      pushed.said.replaceAll('\n', ''),
      'only printable characters',
    );
  }
  for (const place of [folder, gate.data, agent]) assert.ok(!existsSync(join(place, 'PWNED')));
});

test('hostile names of refs are refused or passed, never run', async (t) => {
  const { agent, upstream, gate, folder } = await makeWorld(t);
  await commit(agent, { 'a.txt': 'a' });
  for (const name of ["it's", 'a;touch$IFS', 'a`touch$IFS`', '$(touch$IFS)', 'a|b', 'a&b', '"x"']) {
    const pushed = await git(agent, ['push', 'origin', `HEAD:refs/heads/${name}`]);
    assert.equal(pushed.code, 0, pushed.said);
  }
  for (const place of [folder, gate.data, agent, upstream, join(gate.data, 'mirrors', 'demo.git')])
    assert.ok(!existsSync(join(place, 'PWNED')));
});

test('a name of a ref with a line feed cannot end the list of refs early', async (t) => {
  const { agent, upstream, gate } = await makeWorld(t);
  const id = await commit(agent, { 'a.txt': fakeToken() });
  const clean = (await must(agent, 'rev-parse', 'origin/main')).trim();
  const none = '0'.repeat(40);
  const pack = await execa('git', ['pack-objects', '--revs', '--stdout'], {
    cwd: agent,
    input: `${id}\n`,
    encoding: 'buffer',
  });
  for (const trick of [
    'refs/heads/a\nend',
    'refs/heads/a\nend 0123456789abcdef0123456789abcdef\n',
    `refs/heads/a\n\nend\n`,
  ]) {
    const lines = [`${none} ${clean} ${trick}\0report-status`, `${none} ${id} refs/heads/evil`];
    const body = Buffer.concat([
      ...lines.map((line) => Buffer.from(`${(line.length + 4).toString(16).padStart(4, '0')}${line}`)),
      Buffer.from('0000'),
      pack.stdout,
    ]);
    const response = await fetch(`${gate.http}/demo.git/git-receive-pack`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-git-receive-pack-request' },
      body: new Uint8Array(body),
    });
    await response.text();
    assert.equal((await refsOf(upstream))['refs/heads/evil'], undefined);
    assert.equal((await refsOf(join(gate.data, 'mirrors', 'demo.git')))['refs/heads/evil'], undefined);
  }
});

test('the hook says no to a push that did not come through the gate', async (t) => {
  const { agent, gate } = await makeWorld(t);
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', join(gate.data, 'mirrors', 'demo.git'), 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 1);
  assert.match(pushed.said, /this push did not come through the gate/);
});

test('half a request, a slow one and rubbish do not keep others out', async (t) => {
  const { agent, gate } = await makeWorld(t);
  const open = [gate.http, gate.git].flatMap((url) =>
    Array.from({ length: 20 }, () => {
      const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(url.replace(/^git/, 'http')).port) });
      socket.on('error', () => {});
      socket.write('00');
      return socket;
    }),
  );
  t.after(() => open.forEach((socket) => void socket.destroy()));
  assert.equal((await git(agent, ['ls-remote', `${gate.http}/demo.git`])).code, 0);
  assert.equal((await git(agent, ['ls-remote', `${gate.git}/demo.git`])).code, 0);
});

test('no path that is not /<name>/<service> names a repository', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (path) => {
      const question = parseHttpRequest('GET', `/${path}`, undefined);
      if (question.kind !== 'refs' && question.kind !== 'rpc') return true;
      return /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(question.name) && !question.name.includes('..');
    }),
  );
});

test('what the hook says counts only with the nonce of this push, and only as git writes it', () => {
  const nonce = 'f'.repeat(32);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (noise) => {
      const whole = `quarantine /q\n${noise}\nend ${nonce}\n`;
      assert.ok(isWhole(whole, nonce));
      const question = parseQuestion(whole, nonce);
      return (
        !question.ok ||
        question.changes.every(({ old, new: next }) => /^[0-9a-f]{40,64}$/.test(old) && /^[0-9a-f]{40,64}$/.test(next))
      );
    }),
  );
});

test('printable text holds no character that moves a cursor or hides a word', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(printable(text))),
  );
});

test('a name of a ref that the gate takes, git takes too', async (t) => {
  const folder = scratch(t);
  const names = fc.sample(
    fc.string({ unit: fc.constantFrom(...'ab/.-@{~^: *[\\?_é\u0007'), minLength: 1, maxLength: 12 }),
    150,
  );
  for (const name of names) {
    if (isRefName(`refs/heads/${name}`))
      assert.equal((await git(folder, ['check-ref-format', `refs/heads/${name}`])).code, 0, JSON.stringify(name));
  }
});

test('no address of an upstream holds anything that a shell, ssh or git reads as more than a place', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('ssh://git@', 'git@h:', 'https://', 'file:///', ''),
      (noise, start) => {
        const parsed = parseUpstream(`${start}${noise}`);
        return !parsed.ok || /^[A-Za-z0-9@:/._~+[\]-]+$/.test(parsed.upstream.url);
      },
    ),
  );
});
