import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundleOf, directory, load, parse, problemsOf } from './files.ts';

const daemon = (lines: string): string => `daemons:\n  a:\n    command: [./run, x/y]\n${lines}`;

test('relative paths count from the directory of the bundle file, which is also where daemons run', () => {
  const text = `secrets: { s: { file: keys/s } }
daemons:
  a: { command: [./run], working_dir: sub, secrets: [s], pre_stop: [{ command: x, working_dir: ../h }, { command: y }] }
  b: { command: [./run], working_dir: /abs }
  c: { command: [./run] }
`;
  const { daemons, secrets } = bundleOf(parse(text, { files: { '/etc/keys/s': 'x' } }));
  assert.deepEqual(
    [daemons.a?.working_dir, daemons.b?.working_dir, daemons.c?.working_dir],
    ['/etc/sub', '/abs', '/etc'],
  );
  assert.deepEqual(
    daemons.a?.pre_stop.map((hook) => hook.working_dir),
    ['/h', undefined],
  );
  assert.equal(secrets.s?.file, '/etc/keys/s');
  assert.deepEqual(daemons.a?.command, ['./run']);
});

test('an empty user is none, so that a variable can leave it out', () => {
  assert.equal(bundleOf(parse(daemon('    user: ""\n'))).daemons.a?.user, undefined);
  assert.equal(bundleOf(parse(daemon('    user: web\n'))).daemons.a?.user, 'web');
});

test('the paths of data and of directories of secrets count from there, too, and an empty one is none', () => {
  const text = `secrets: { s: { directory: keys }, none: { directory: "" } }
daemons: { a: { command: x, secrets: [s, none], data: [here, { path: /abs, mode: 0711 }, "", { path: "" }] } }
`;
  const { daemons, secrets } = bundleOf(parse(text));
  assert.deepEqual(secrets, { s: { directory: '/etc/keys' }, none: { directory: '' } });
  assert.deepEqual(daemons.a?.data, [
    { path: '/etc/here', mode: 0o700, backup: 'must-back-up', purpose: '' },
    { path: '/abs', mode: 0o711, backup: 'must-back-up', purpose: '' },
  ]);
});

test('an empty address to listen on is none, so that a variable can switch it on', () => {
  const listenOf = (written: string) =>
    bundleOf(parse(`control: { listen: "${written}" }\n${daemon('')}`)).control.listen;
  assert.deepEqual([listenOf(''), listenOf(':9180')], [undefined, ':9180']);
});

test('tokens know where they come from, and one whose source a variable left empty is none', () => {
  const vault = 'address: "https://vault:8200/", prefix: /secret/data/agent/, deployment_hash: 42, ca: ca.pem';
  const text = `control:
  listen: ":9180"
  tokens:
    read: { file: keys/read }
    operate: { vault: { ${vault}, token: { file: keys/vault } }, refresh: 30s }
${daemon('')}`;
  assert.deepEqual(bundleOf(parse(text)).control.tokens, {
    read: { refresh: 60_000, file: '/etc/keys/read' },
    operate: {
      refresh: 30_000,
      vault: {
        address: 'https://vault:8200',
        prefix: 'secret/data/agent',
        deployment_hash: '42',
        token_key: 'compose_agent_token',
        token: { file: '/etc/keys/vault' },
        ca: '/etc/ca.pem',
      },
    },
  });
  for (const none of [
    'file: ""',
    'environment: ""',
    `vault: { ${vault.replace('https://vault:8200/', '')}, token: { file: x } }`,
  ]) {
    assert.deepEqual(
      bundleOf(parse(`control: { tokens: { read: { ${none} } } }\n${daemon('')}`)).control.tokens,
      undefined,
    );
  }
});

test('a token has one source, and a warning says where it would be of no use or be seen by others', () => {
  const token = (written: string, listen = 'listen: ":1", ') =>
    parse(`control: { ${listen}tokens: { read: { ${written} } } }\n${daemon('')}`);
  for (const [written, words] of [
    ['file: a, environment: B', /needs exactly one of file, environment, vault/],
    ['refresh: 60s', /needs exactly one of/],
    ['file: a, refresh: 10ms', /is less than 1s/],
    [
      'vault: { address: "https://v", prefix: p, deployment_hash: h, token: { file: t }, client_cert: c }',
      /needs both client_cert and client_key/,
    ],
    ['vault: { address: "v:8200", prefix: p, deployment_hash: h, token: { file: t } }', /is not an address/],
  ] as const) {
    const loaded = token(written);
    assert.match(loaded.ok ? '' : loaded.problems.map(({ message }) => message).join('\n'), words, written);
  }
  const warnings = (loaded: ReturnType<typeof parse>) =>
    loaded.ok ? loaded.warnings.map(({ message }) => message) : ['not valid'];
  assert.deepEqual(warnings(token('file: a', '')), ['has no effect without control.listen']);
  const inClear = 'vault: { address: "http://vault:8200", prefix: p, deployment_hash: h, token: { file: t } }';
  assert.deepEqual(warnings(token(inClear)), ['sends tokens over the network in clear text']);
  assert.deepEqual(warnings(token(inClear.replace('//vault', '//127.0.0.1'))), []);
});

test('the audit trail has an absolute path; an empty one is none', () => {
  const auditOf = (path: string) =>
    bundleOf(parse(`control: { audit: { path: "${path}" } }\n${daemon('')}`)).control.audit;
  assert.deepEqual(auditOf('log/audit.jsonl'), { path: '/etc/log/audit.jsonl', max_size: 10_485_760, keep: 5 });
  assert.equal(auditOf(''), undefined);
});

test('variables without a value come from the environment of the init, and are left out where it has none', () => {
  const text = daemon('    environment: [HOME, NONE, EMPTY=, A=b=c]\n');
  assert.deepEqual(bundleOf(parse(text, { environment: { HOME: '/root' } })).daemons.a?.environment, {
    HOME: '/root',
    EMPTY: '',
    A: 'b=c',
  });
});

test('env files are merged into the environment: a later file wins over an earlier, the environment over both', () => {
  const text = daemon(
    '    env_file: [one.env, { path: /two.env, format: raw }, { path: none.env, required: false }]\n    environment: { C: own }\n',
  );
  const files = { '/etc/one.env': 'A=1\nB=1\nC=1\n', '/two.env': 'B="2"\nC=2\n' };
  const { a } = bundleOf(parse(text, { files })).daemons;
  assert.deepEqual(a?.environment, { A: '1', B: '"2"', C: 'own' });
  assert.deepEqual(a?.env_file, []);
});

test('an env file that is missing, or wrong inside, is told, and never what it holds', () => {
  const text = daemon('    env_file: [none.env, bad.env]\n');
  assert.deepEqual(problemsOf(parse(text, { files: { '/etc/bad.env': 'A=1\nB="secret\n' } })), [
    ':4:16: daemons.a.env_file[0]: the file "none.env" does not exist',
    'bad.env:2:1: B has an opening " without a closing one',
  ]);
});

test('a secret that a daemon uses must be there; one that nobody uses need not', () => {
  const text = `secrets:
  used: { file: used.key }
  unused: { file: unused.key }
  variable: { environment: TOKEN }
daemons:
  a: { command: x, secrets: [used, variable] }
`;
  assert.deepEqual(problemsOf(parse(text)), [
    ':2:17: secrets.used.file: the file "used.key" does not exist',
    ':4:28: secrets.variable.environment: the variable "TOKEN" is not set; set TOKEN in the environment of bottled',
  ]);
  assert.ok(parse(text, { files: { '/etc/used.key': '' }, environment: { TOKEN: '' } }).ok);
});

test('a directory of secrets need not be there: it is read at each start', () => {
  const text = `secrets: { s: { directory: none } }\n${daemon('    secrets: [s]\n')}`;
  assert.ok(parse(text).ok);
});

test('a secret may hold any bytes, and its value is not in the bundle', async () => {
  using files = directory();
  files.write('key.bin', Buffer.from([0xff, 0xfe, 0x00, 0x01]));
  const bundle = bundleOf(
    await load(
      files.write('bundle.yaml', 'secrets: { k: { file: key.bin } }\ndaemons: { a: { command: x, secrets: [k] } }\n'),
    ),
  );
  assert.deepEqual(bundle.secrets, { k: { file: `${files.path}/key.bin` } });
});

test('the number of on-failure:n is the number of attempts, whatever backoff says', () => {
  const loaded = parse(daemon('    restart: on-failure:2\n    backoff: { max_attempts: 9 }\n'));
  assert.equal(bundleOf(loaded).daemons.a?.backoff.max_attempts, 2);
  assert.ok(loaded.ok);
  assert.deepEqual(
    loaded.warnings.map(({ path, line, message }) => [path, line, message]),
    [['daemons.a.backoff.max_attempts', 5, 'has no effect beside restart: "on-failure:2"']],
  );
});

test('a grace period longer than the whole bundle has is a warning, if someone wrote it', () => {
  const loaded = parse(daemon('    stop_grace_period: 1m\n'));
  assert.ok(loaded.ok);
  assert.deepEqual(
    loaded.warnings.map(({ line, message }) => [line, message]),
    [[4, '1m is longer than the 8s of the whole bundle']],
  );
  const without = parse(daemon(''));
  assert.ok(without.ok);
  assert.deepEqual(without.warnings, []);
});

test('test: [NONE] is the same as disable: true', () => {
  const bundle = bundleOf(parse(daemon('    healthcheck: { test: [NONE] }\n')));
  assert.equal(bundle.daemons.a?.healthcheck?.disable, true);
});
