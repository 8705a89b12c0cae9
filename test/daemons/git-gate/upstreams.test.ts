import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { commit, freePort, git, makeUpstream, must, refsOf, scratch, startGate } from './world.ts';

const SSHD = '/usr/sbin/sshd';
const NO_SSHD = existsSync(SSHD) ? false : `${SSHD} is not installed`;

interface SshUpstream {
  readonly url: string;
  readonly port: number;
  readonly credentials: string;
  readonly hostKey: string;
}

/** A real sshd that lets the key `id` in $CREDENTIALS_DIRECTORY in. */
async function startSshd(t: TestContext, folder: string, upstream: string): Promise<SshUpstream> {
  const ssh = join(folder, 'sshd');
  const credentials = join(folder, 'credentials');
  mkdirSync(ssh);
  mkdirSync(credentials);
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
  for (const path of [join(ssh, 'host'), join(credentials, 'id')]) {
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path]);
  }
  const port = await freePort();
  const config = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: join(ssh, 'host'),
    AuthorizedKeysFile: join(credentials, 'id.pub'),
    PidFile: 'none',
    StrictModes: 'no',
    UsePAM: 'no',
    PasswordAuthentication: 'no',
  };
  writeFileSync(
    join(ssh, 'config'),
    Object.entries(config)
      .map((entry) => `${entry.join(' ')}\n`)
      .join(''),
  );
  const sshd = spawn(SSHD, ['-D', '-e', '-f', join(ssh, 'config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => sshd.kill('SIGKILL'));
  await once(sshd.stderr, 'data');
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${port}${upstream}`,
    port,
    credentials,
    hostKey: readFileSync(join(ssh, 'host.pub'), 'utf8').trim(),
  };
}

test('over ssh: clone, push and refusal with a pinned key', { skip: NO_SSHD }, async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  const ssh = await startSshd(t, folder, upstream);
  const yaml = `repos:\n  demo:\n    url: ${ssh.url}\n    identity: id\n    host_key: |\n      ${ssh.hostKey}\n`;
  const gate = await startGate(t, { folder, yaml, env: { CREDENTIALS_DIRECTORY: ssh.credentials } });
  const agent = join(folder, 'agent');
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, agent);
  const id = await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 0, pushed.said);
  assert.equal((await refsOf(upstream))['refs/heads/work'], id);

  await commit(agent, { 'key.txt': readFileSync(join(ssh.credentials, 'id'), 'utf8') });
  const own = await git(agent, ['push', 'origin', 'HEAD:refs/heads/own-key']);
  assert.equal(own.code, 1, "the gate's own key does not pass");
  assert.match(own.said, /in key\.txt/);
});

test('over ssh: a host that shows another key than the pinned one is refused', { skip: NO_SSHD }, async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  const ssh = await startSshd(t, folder, upstream);
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, 'other')]);
  const other = readFileSync(join(folder, 'other.pub'), 'utf8').trim();
  const yaml = `repos:\n  demo:\n    url: ${ssh.url}\n    identity: id\n    host_key: "[127.0.0.1]:${ssh.port} ${other}"\n`;
  const gate = await startGate(t, { folder, yaml, env: { CREDENTIALS_DIRECTORY: ssh.credentials } });
  const cloned = await git(folder, ['clone', '--quiet', `${gate.http}/demo.git`, 'agent']);
  assert.equal(cloned.code, 128);
  assert.match(cloned.said, /remote error: git-gate: demo: the host shows another key than the one pinned as host_key/);
});

test('over ssh: a key that others may read, or that is not there, is told as such', { skip: NO_SSHD }, async (t) => {
  const folder = scratch(t);
  const upstream = await makeUpstream(folder);
  const ssh = await startSshd(t, folder, upstream);
  const yaml = `repos:\n  demo:\n    url: ${ssh.url}\n    identity: id\n    host_key: ${ssh.hostKey}\n`;
  chmodSync(join(ssh.credentials, 'id'), 0o644);
  const gate = await startGate(t, { folder, yaml, env: { CREDENTIALS_DIRECTORY: ssh.credentials } });
  assert.match((await git(folder, ['ls-remote', `${gate.http}/demo.git`])).said, /others may read the key/);
});

test('over https: the token is used, and shown to nobody', async (t) => {
  const folder = scratch(t);
  await makeUpstream(folder);
  const credentials = join(folder, 'credentials');
  mkdirSync(credentials);
  const token = `made-up-${crypto.randomUUID()}`;
  writeFileSync(join(credentials, 'token'), `${token}\n`);
  const https = await startHttps(t, folder, token);
  const yaml = (name: string) =>
    `repos:\n  demo:\n    url: ${https.url}/upstream.git\n    token: ${name}\n    ca_file: ${https.caFile}\nlimits: { fetch_fresh: 0 }\n`;
  const gate = await startGate(t, { folder, yaml: yaml('token'), env: { CREDENTIALS_DIRECTORY: credentials } });
  const agent = join(folder, 'agent');
  await must(folder, 'clone', '--quiet', `${gate.http}/demo.git`, agent);
  await commit(agent, { 'a.txt': 'a' });
  const pushed = await git(agent, ['push', 'origin', 'HEAD:refs/heads/work']);
  assert.equal(pushed.code, 0, pushed.said);
  assert.deepEqual(
    new Set(https.seen),
    new Set([`Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`]),
  );

  await commit(agent, { 'token.txt': `curl -H "token: ${token}"\n` });
  const own = await git(agent, ['push', 'origin', 'HEAD:refs/heads/own-token']);
  assert.equal(own.code, 1, "the gate's own token does not pass");

  writeFileSync(join(credentials, 'wrong'), 'wrong-token');
  gate.write(yaml('wrong'));
  gate.signal('SIGHUP');
  await gate.logged('reloaded');
  const refused = await git(agent, ['fetch', `${gate.git}/demo.git`]);
  assert.match(refused.said, /upstream does not accept the credentials of the gate/);
  for (const said of [pushed.said, own.said, refused.said, JSON.stringify(gate.log)]) assert.ok(!said.includes(token));
});

/** An HTTPS server with its own certificate that wants a token, before git's own http-backend. */
async function startHttps(t: TestContext, folder: string, token: string) {
  const key = join(folder, 'tls.key');
  const caFile = join(folder, 'tls.crt');
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await execa('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    caFile,
    ...subject,
  ]);
  const seen: (string | undefined)[] = [];
  const expected = `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  const server = createServer({ key: readFileSync(key), cert: readFileSync(caFile) }, (request, response) => {
    seen.push(request.headers.authorization);
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="here"' }).end();
      return;
    }
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const backend = spawn('git', ['-c', 'http.receivepack=true', 'http-backend'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: folder,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'],
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
        GIT_PROTOCOL: request.headers['git-protocol']?.toString(),
      },
    });
    request.pipe(backend.stdin);
    const chunks: Buffer[] = [];
    backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    backend.stdout.on('end', () => {
      const all = Buffer.concat(chunks);
      const end = all.indexOf('\r\n\r\n');
      const type = /^Content-Type: (.*)\r$/m.exec(all.toString('latin1', 0, end + 2))?.[1] ?? '';
      response.writeHead(200, { 'content-type': type }).end(all.subarray(end + 4));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  return { url: `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, caFile, seen };
}
