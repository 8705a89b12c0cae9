import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { commit, fakeToken, git, makeWorld, must, refsOf, type World } from './world.ts';

/** Ways to take a secret past the gate. Each prepares something in the agent's clone and says what is pushed. */
interface Way {
  readonly name: string;
  readonly prepare: (agent: string, token: string) => Promise<readonly string[]>;
  /** What the agent must read about the place. */
  readonly place: RegExp;
}

const HEAD = ['HEAD:refs/heads/work'];

const WAYS: readonly Way[] = [
  {
    name: 'a token in a new file',
    prepare: async (agent, token) => {
      await commit(agent, { 'src/config.ts': `const a = 1;\nconst key = '${token}';\n` });
      return HEAD;
    },
    place: /in src\/config\.ts, line 2, commit [0-9a-f]{10}/,
  },
  {
    name: 'a token in an intermediate commit only, deleted later',
    prepare: async (agent, token) => {
      await commit(agent, { 'key.txt': token });
      await must(agent, 'rm', '--quiet', 'key.txt');
      await commit(agent, {}, 'Tidy');
      return HEAD;
    },
    place: /in key\.txt, line 1/,
  },
  {
    name: 'a token that only a merge commit brings',
    prepare: async (agent, token) => {
      await must(agent, 'checkout', '--quiet', '-b', 'side');
      await commit(agent, { 'side.txt': 'side' });
      await must(agent, 'checkout', '--quiet', 'main');
      await commit(agent, { 'main.txt': 'main' });
      await must(agent, 'merge', '--quiet', '--no-ff', '--no-commit', 'side');
      await commit(agent, { 'evil.txt': token }, 'Merge');
      return HEAD;
    },
    place: /in evil\.txt, line 1, commit/,
  },
  {
    name: 'a token in a file that is renamed in the next commit',
    prepare: async (agent, token) => {
      await commit(agent, { 'a.txt': `${'x\n'.repeat(100)}${token}\n` });
      renameSync(join(agent, 'a.txt'), join(agent, 'b.txt'));
      await commit(agent, {}, 'Rename');
      return HEAD;
    },
    place: /line 101/,
  },
  {
    name: 'a token within a binary file',
    prepare: async (agent, token) => {
      await commit(agent, {
        'image.bin': Buffer.concat([
          randomBytes(5000),
          Buffer.from([0]),
          Buffer.from(token),
          Buffer.from([0]),
          randomBytes(5000),
        ]),
      });
      return HEAD;
    },
    place: /in image\.bin/,
  },
  {
    name: 'a token in the message of a commit',
    prepare: async (agent, token) => {
      await commit(agent, { 'a.txt': 'a' }, `Work\n\nsee ${token}`);
      return HEAD;
    },
    place: /the message of a commit, line 3/,
  },
  {
    name: 'a token as the name of the author',
    prepare: async (agent, token) => {
      await git(agent, ['commit', '--quiet', '--allow-empty', '-m', 'Work'], { env: { GIT_AUTHOR_NAME: token } });
      return HEAD;
    },
    place: /the field "author" of a commit/,
  },
  {
    name: 'a token as the address of the committer',
    prepare: async (agent, token) => {
      await git(agent, ['commit', '--quiet', '--allow-empty', '-m', 'Work'], {
        env: { GIT_COMMITTER_EMAIL: `${token}@example.com` },
      });
      return HEAD;
    },
    place: /the field "committer" of a commit/,
  },
  {
    name: 'a token in a header of a commit that git does not show',
    prepare: async (agent, token) => {
      const plain = await must(agent, 'cat-file', 'commit', 'HEAD');
      const file = join(agent, '.git', 'forged');
      writeFileSync(file, `${plain.replace('\n\n', `\nx-note ${token}\n\n`)}\n`);
      const id = (await must(agent, 'hash-object', '-t', 'commit', '-w', '--literally', file)).trim();
      return [`${id}:refs/heads/work`];
    },
    place: /the field "x-note" of a commit/,
  },
  {
    name: 'a token in the message of a tag',
    prepare: async (agent, token) => {
      await must(agent, 'tag', '-a', '-m', `Release\n\n${token}`, 'v1');
      return ['refs/tags/v1'];
    },
    place: /the message of a tag, line 3/,
  },
  {
    name: 'a token in a tag that another tag points to',
    prepare: async (agent, token) => {
      await must(agent, 'tag', '-a', '-m', token, 'inner');
      await must(agent, 'tag', '-a', '-m', 'outer', 'outer', 'inner');
      return ['refs/tags/outer'];
    },
    place: /the message of a tag/,
  },
  {
    name: 'a tag that points to a file without any commit',
    prepare: async (agent, token) => {
      writeFileSync(join(agent, 'loose.txt'), token);
      const id = (await must(agent, 'hash-object', '-w', 'loose.txt')).trim();
      await must(agent, 'tag', 'loose', id);
      return ['refs/tags/loose'];
    },
    place: /the object [0-9a-f]{10}, line 1/,
  },
  {
    name: 'a token as the name of a file',
    prepare: async (agent, token) => {
      await commit(agent, { [`notes/${token}.txt`]: 'nothing' });
      return HEAD;
    },
    place: /the name of a file or directory: notes\/…/,
  },
  {
    name: 'a token as the name of a directory that an old directory is moved to',
    prepare: async (agent, token) => {
      await must(agent, 'rm', '--quiet', '--cached', 'README.md');
      const blob = (await must(agent, 'rev-parse', 'HEAD:README.md')).trim();
      await must(agent, 'update-index', '--add', '--cacheinfo', `100644,${blob},${token}/README.md`);
      await must(agent, 'commit', '--quiet', '-m', 'Move');
      return HEAD;
    },
    place: /the name of a file or directory: …/,
  },
  {
    name: 'a token as the name of a branch',
    prepare: async (agent, token) => {
      await commit(agent, { 'a.txt': 'a' });
      return [`HEAD:refs/heads/named/${token}`];
    },
    place: /the name of a ref: refs\/heads\/named\/…/,
  },
  {
    name: 'a token as the target of a symbolic link',
    prepare: async (agent, token) => {
      writeFileSync(join(agent, 'link-target'), token);
      const id = (await must(agent, 'hash-object', '-w', 'link-target')).trim();
      await must(agent, 'update-index', '--add', '--cacheinfo', `120000,${id},link`);
      await must(agent, 'commit', '--quiet', '-m', 'Link');
      return HEAD;
    },
    place: /in link, line 1/,
  },
  {
    name: 'the comment gitleaks:allow beside a token',
    prepare: async (agent, token) => {
      await commit(agent, {
        'a.js': `const key = '${token}'; // gitleaks:allow\n`,
        '.gitleaksignore': 'a.js:github-pat:1\n',
        '.gitleaks.toml': '[allowlist]\npaths = [".*"]\n',
      });
      return HEAD;
    },
    place: /in a\.js, line 1/,
  },
  {
    name: 'the comment secretlint-disable before a token',
    prepare: async (agent, token) => {
      await commit(agent, {
        'a.js': `/* secretlint-disable */\nconst key = '${token}';\n`,
        '.secretlintignore': '*\n',
      });
      return HEAD;
    },
    place: /in a\.js, line 2/,
  },
  {
    name: 'attributes that call a file binary, or filter it',
    prepare: async (agent, token) => {
      await commit(agent, { '.gitattributes': '*.txt binary -diff -text export-ignore\n' });
      await commit(agent, { 'a.txt': `${token}\n` });
      return HEAD;
    },
    place: /in a\.txt, line 1/,
  },
  {
    name: 'a token packed with gzip',
    prepare: async (agent, token) => {
      await commit(agent, { 'log.gz': gzipSync(`first\n${token}\n`) });
      return HEAD;
    },
    place: /in log\.gz/,
  },
  {
    name: 'a token in UTF-16, beside a thousand small files',
    prepare: async (agent, token) => {
      const many = Object.fromEntries(
        Array.from({ length: 1000 }, (_, index) => [`many/${index}.txt`, `file ${index}\n`]),
      );
      await commit(agent, { ...many, 'aaa.txt': Buffer.from(`\uFEFF${token}\r\n`, 'utf16le') });
      return HEAD;
    },
    place: /in aaa\.txt/,
  },
  {
    name: 'a second branch in the same push',
    prepare: async (agent, token) => {
      await commit(agent, { 'good.txt': 'good' });
      await must(agent, 'branch', 'good');
      await commit(agent, { 'bad.txt': token });
      await must(agent, 'branch', 'bad');
      return ['good', 'bad'];
    },
    place: /in bad\.txt, line 1/,
  },
];

test('no way to take a secret past the gate', async (t) => {
  const world = await makeWorld(t);
  const before = await refsOf(world.upstream);
  for (const { name, prepare, place } of WAYS) {
    await t.test(`${name} is refused`, async () => {
      await startOver(world);
      const token = fakeToken();
      const refspecs = await prepare(world.agent, token);
      const pushed = await git(world.agent, ['push', 'origin', ...refspecs]);
      assert.equal(pushed.code, 1, pushed.said);
      assert.match(pushed.said, /remote: git-gate: refused; nothing was pushed/);
      assert.match(pushed.said, place);
      assert.match(pushed.said, /fingerprint [0-9a-f]{64}/);
      const told = pushed.said.split('\n').filter((line) => line.startsWith('remote:'));
      assert.ok(!told.join('\n').includes(token), 'the secret is not repeated');
      assert.ok(!JSON.stringify(world.gate.log).includes(token), 'the secret is not logged');
      assert.deepEqual(await refsOf(world.upstream), before);
    });
  }
  assert.equal((await git(join(world.gate.data, 'mirrors', 'demo.git'), ['fsck', '--strict'])).code, 0);
});

test('the same ways without a secret are open', async (t) => {
  const world = await makeWorld(t, { repo: 'allow_force: true' });
  for (const { name, prepare } of WAYS) {
    await t.test(name, async () => {
      await startOver(world);
      const refspecs = await prepare(world.agent, `harmless-${randomBytes(4).toString('hex')}`);
      const pushed = await git(world.agent, ['push', '--force', 'origin', ...refspecs]);
      assert.equal(pushed.code, 0, pushed.said);
    });
  }
});

/** The clone as it was at first. */
async function startOver({ agent }: World): Promise<void> {
  await must(agent, 'fetch', '--quiet', '--prune', 'origin');
  await must(agent, 'checkout', '--quiet', '--force', '--detach', 'origin/main');
  await must(agent, 'clean', '--quiet', '-fdx');
  const refs = Object.keys(await refsOf(agent)).filter((ref) => /^refs\/(?:heads|tags)\//.test(ref));
  for (const ref of refs) await must(agent, 'update-ref', '-d', ref);
  await must(agent, 'checkout', '--quiet', '-B', 'main', 'origin/main');
}
