import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Bottle, type BottleOptions, startBottle as startBottleOf } from './bottle.ts';
import { agentOf, LOCAL_SETTINGS, startService, trusting } from './world.ts';

/** What an agent may try on a whole bundle, and what may go wrong around it. The stand-in does pipelock's work here. */

const TOKEN = ['attack', 'test', 'credential', '0123456789abcdef'].join('-');
const GITHUB = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;
const FAKE_PIPELOCK = fileURLToPath(new URL('pipelock/fixtures/pipelock', import.meta.url));

const routeTo = (port: number, path: string): string =>
  `  - { host: localhost, ports: [${port}], matches: [{ paths: [{ type: Prefix, value: ${path} }] }], auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }\n`;

/** A bottle that is asked to end before its init is killed, so that no daemon outlives the test. */
async function startBottle(t: TestContext, options: BottleOptions): Promise<Bottle> {
  let bottle: Bottle | undefined;
  t.after(async () => {
    bottle?.signal('SIGTERM');
    await bottle?.ended();
  });
  bottle = await startBottleOf(t, options);
  return bottle;
}

async function bottleWithService(t: TestContext, options: BottleOptions = {}, moreRoutes = '') {
  const received: string[] = [];
  const service = await startService(t, (request, response) => {
    let body = '';
    request.setEncoding('latin1').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      received.push(`${request.method} ${request.url} ${request.rawHeaders.join(' ')} ${body}`);
      response.end('ok');
    });
  });
  const routes = (path: string) => `log: 2\nroutes:\n${routeTo(service.port, path)}${moreRoutes}`;
  const bottle = await startBottle(t, {
    ...options,
    files: { 'routes.yaml': routes('/v1'), 'pipelock.yaml': LOCAL_SETTINGS, 'git-gate.yaml': 'repos: {}\n' },
    env: { EGRESS_TOKEN_0: TOKEN, PIPELOCK_ENGINE: 'embedded', ...trusting(service), ...options.env },
  });
  const agent = agentOf(bottle);
  const statusOf = async (path: string) => (await agent.ask(`${service.origin}${path}`)).status;
  return { service, received, routes, bottle, agent, statusOf };
}

async function pidOf(bottle: Bottle, daemon: string): Promise<number> {
  const pid = (await bottle.status()).daemons.find(({ name }) => name === daemon)?.pid;
  assert.ok(typeof pid === 'number', `${daemon} runs`);
  return pid;
}

test('a secret in any dress that a server would undo is refused, and nobody sees it', async (t) => {
  const { service, received, agent, bottle } = await bottleWithService(t);
  const escaped = [...GITHUB].map((letter) => `\\u00${letter.charCodeAt(0).toString(16)}`).join('');
  const percents = [...GITHUB].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
  const base64 = btoa(`token=${GITHUB}`);
  const bodies = {
    plain: GITHUB,
    'escapes of JSON': `{"a":"${escaped}"}`,
    form: `a=${percents}`,
    'name of a file': `--x\r\nContent-Disposition: form-data; name="a"; filename="${GITHUB}"\r\n\r\nhi\r\n--x--\r\n`,
    base64,
    'base64 twice': btoa(base64),
    'base64 in lines': btoa(`a text that is long enough for lines ${GITHUB}`).replace(/.{20}/g, '$&\r\n'),
    'gzip in base64': gzipSync(`token=${GITHUB}`).toString('base64'),
    credential: btoa(TOKEN),
  };
  const url = `${service.origin}/v1`;
  for (const [what, body] of Object.entries(bodies)) {
    for (const method of ['POST', 'DELETE', 'GET', 'HEAD']) {
      const headers = { 'content-length': String(Buffer.byteLength(body)) };
      assert.equal((await agent.ask(url, { method, body, headers })).status, 403, `${method} ${what}`);
    }
  }
  for (const name of ['x-a', 'user-agent', 'cookie', 'range', 'accept']) {
    assert.equal((await agent.ask(url, { headers: { [name]: GITHUB } })).status, 403, name);
  }
  assert.equal((await agent.ask(url, { headers: { [GITHUB]: '1' } })).status, 403, 'name of a header');
  for (const path of [`/${GITHUB}`, `/?a=${percents}`, `/?a=${base64}`]) {
    assert.equal((await agent.ask(`${url}${path}`)).status, 403, path);
  }
  assert.equal(received.length, 0);
  // These end at egress: the request goes, what is in them does not.
  for (const name of ['authorization', 'te', 'keep-alive', 'proxy-authenticate', 'connection', 'upgrade']) {
    assert.equal((await agent.ask(url, { headers: { [name]: GITHUB } })).status, 200, name);
  }
  assert.equal((await agent.ask(url, { headers: { connection: 'x-n', 'x-n': GITHUB } })).status, 200);
  assert.equal(received.length, 7);
  assert.ok(!received.some((text) => text.includes(GITHUB)));
  const told = [bottle.output(), JSON.stringify(await bottle.status()), (await bottle.bottled('logs')).stdout];
  for (const text of told) assert.ok(!text.includes(TOKEN));
  const own = bottle.output().split('\n');
  assert.ok(!own.some((line) => line.startsWith('pipelock') && line.includes(GITHUB)));
});

test('a body over the limit is refused with the reason, whether its length is told before or not', async (t) => {
  const { service, agent } = await bottleWithService(t);
  const body = 'a b '.repeat(9 * 1024 * 1024);
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const { status, text } = await agent.ask(`${service.origin}/v1`, { method: 'POST', body, headers });
    assert.equal(status, 403);
    assert.match(text, /request body exceeds max_body_bytes/);
  }
});

test('a route to an inner address in any spelling leads nowhere', async (t) => {
  const inner = [
    '10.1.2.3',
    '127.0.0.1',
    "'[::1]'",
    "'[fd00:ec2::1]'",
    "'[64:ff9b::7f00:1]'",
    "'[2002:7f00:1::]'",
    "'[::ffff:0:7f00:1]'",
  ];
  const { bottle } = await bottleWithService(
    t,
    {},
    inner.map((host) => `  - { host: ${host}, schemes: [http] }\n`).join(''),
  );
  writeFileSync(join(bottle.config, 'pipelock.yaml'), 'requests_per_minute: 5000\n');
  await bottle.saw(/pipelock +\| reloaded: /);
  for (const spelling of [
    ...inner.map((host) => host.replaceAll("'", '')),
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '127.1',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '①②⑦.⓪.⓪.①',
    '169.254.169.254',
    '0.0.0.0',
    '[::]',
    '[fd00:ec2::254]',
  ]) {
    const answer = await spoken(
      bottle.ports.EGRESS_PORT,
      `GET http://${spelling}/ HTTP/1.1\r\nHost: ${spelling}\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 40[03] /, `${spelling}: ${answer}`);
  }
  assert.match(bottle.output(), /SSRF blocked: 10\.1\.2\.3 /);
});

/** Says it as bytes and returns what comes back until the other side or a second of silence ends it. */
async function spoken(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'utf8')));
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answer += part;
    if (answer.includes('\r\n\r\n')) socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return answer;
}

test('whatever becomes of routes.yaml, the old routes hold, all stay up, and the file is taken when it is back', async (t) => {
  const { routes, bottle, statusOf } = await bottleWithService(t);
  const file = join(bottle.config, 'routes.yaml');
  const wrongs: Record<string, () => void> = {
    'half written': () => writeFileSync(file, routes('/v2').slice(0, 25)),
    removed: () => rmSync(file),
    'a directory': () => mkdirSync(file),
    'no text': () => writeFileSync(file, Buffer.from([0xff, 0xfe, 0])),
    'a device': () => symlinkSync('/dev/zero', file),
    'a circle': () => symlinkSync(file, file),
  };
  let told = 0;
  for (const [what, wrong] of Object.entries(wrongs)) {
    if (what !== 'half written' && what !== 'removed') rmSync(file, { recursive: true, force: true });
    wrong();
    told += 1;
    await bottle.saw(/egress +\| error: egress: the 1 route\(s\) and the credentials of before stay in force/, told);
    assert.equal(await statusOf('/v1'), 200, what);
    assert.equal(await statusOf('/v2'), 403, what);
  }
  rmSync(file);
  for (const version of ['/v2', '/v3']) {
    mkdirSync(join(bottle.config, version));
    writeFileSync(join(bottle.config, version, 'routes.yaml'), routes(version));
  }
  symlinkSync('v2', join(bottle.config, '..data'));
  symlinkSync('..data/routes.yaml', file);
  await bottle.saw(/egress +\| egress: loaded 1 route/, 2);
  assert.deepEqual([await statusOf('/v1'), await statusOf('/v2')], [403, 200]);
  symlinkSync('v3', join(bottle.config, '..next'));
  renameSync(join(bottle.config, '..next'), join(bottle.config, '..data'));
  await bottle.saw(/egress +\| egress: loaded 1 route/, 3);
  assert.deepEqual([await statusOf('/v2'), await statusOf('/v3')], [403, 200]);
  assert.ok((await bottle.status()).daemons.every(({ restarts }) => restarts === 0));
});

test('a daemon that is killed is back by itself, nothing goes around it meanwhile, and egress is who it was', async (t) => {
  const { received, bottle, statusOf, service, agent } = await bottleWithService(t);
  const certificate = readFileSync(join(bottle.data, 'egress/ca/certificate.pem'), 'utf8');
  for (const daemon of ['pipelock', 'egress', 'git-gate']) {
    const pid = await pidOf(bottle, daemon);
    const running = new RegExp(`${daemon}: starting → running`);
    process.kill(pid, 'SIGKILL');
    if (daemon === 'pipelock') {
      received.length = 0;
      const answers = await Promise.all(Array.from({ length: 20 }, () => statusOf('/v1').catch(() => 0)));
      for (const status of answers) assert.ok(status === 502 || status === 200, String(status));
      assert.equal(received.length, answers.filter((status) => status === 200).length);
    }
    await bottle.saw(running, 2);
    const { status, text } = await agent.ask(`${service.origin}/v1`);
    assert.equal(status, 200, text);
  }
  assert.equal(readFileSync(join(bottle.data, 'egress/ca/certificate.pem'), 'utf8'), certificate);
  assert.equal((await agent.ask(`${service.origin}/v1`, { method: 'POST', body: btoa(TOKEN) })).status, 403);
});

test('many restarts of pipelock at once, and storms of SIGHUP, leave a bundle that works', async (t) => {
  const { bottle, statusOf } = await bottleWithService(t);
  const answers = await Promise.all(Array.from({ length: 20 }, () => bottle.bottled('restart', 'pipelock')));
  assert.ok(answers.every(({ exitCode }) => exitCode === 0));
  for (let i = 0; i < 200; i += 1) {
    bottle.signal('SIGHUP');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await bottle.saw(/pipelock +\| reload: nothing has changed/);
  assert.equal(await statusOf('/v1'), 200);
  assert.deepEqual(
    (await bottle.status()).daemons.filter(({ restarts }) => restarts > 0),
    [],
  );
});

test('a launcher that is killed takes its pipelock along before the next one starts; SIGUSR1 reaches none', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fake-pipelock-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  // Where the fake writes what happened to it; the init gives each daemon the HOME of its user.
  writeFileSync(join(directory, 'pipelock'), `#!/bin/sh\nHOME=${directory} exec ${FAKE_PIPELOCK} "$@"\n`);
  chmodSync(join(directory, 'pipelock'), 0o755);
  const bottle = await startBottle(t, {
    files: { 'routes.yaml': 'routes: [{ host: one.example }]\n', 'git-gate.yaml': 'repos: {}\n' },
    env: { PATH: `${directory}:${process.env.PATH}`, PIPELOCK_ENGINE: 'pipelock' },
  });
  const record = () => readFileSync(join(directory, 'record.jsonl'), 'utf8');
  const runs = () =>
    record()
      .trim()
      .split('\n')
      .map((line): { verb?: string; pid?: number } => JSON.parse(line))
      .filter(({ verb }) => verb === 'run');
  assert.equal((await bottle.bottled('signal', 'SIGUSR1', 'pipelock')).exitCode, 0);
  await bottle.saw(/SIGUSR1 is ignored/);
  const [first] = runs();
  process.kill(await pidOf(bottle, 'pipelock'), 'SIGKILL');
  await bottle.saw(/pipelock: starting → running/, 2);
  assert.equal(runs().length, 2);
  assert.throws(() => process.kill(first?.pid ?? 0, 0), { code: 'ESRCH' });
  assert.doesNotMatch(record(), /SIGUSR1/);
});

test('text of an agent forges no line of a log, in text or in JSON', async (t) => {
  for (const format of ['text', 'json']) {
    const { service, bottle } = await bottleWithService(t, { env: { LOG_FORMAT: format } });
    const host = `localhost:${service.port}`;
    for (const head of [
      `GET http://${host}/v1/%0aforged%0a\u009b31m HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      `GET http://evil\u001b[2J.example/ HTTP/1.1\r\nHost: evil\r\n\r\n`,
      `CONNECT "evil\u009b\u0085.example:443 HTTP/1.1\r\nHost: evil\r\n\r\n`,
      `POST http://${host}/v1 HTTP/1.1\r\nHost: ${host}\r\nContent-Encoding: g\u009bz"}\r\nContent-Length: 1\r\n\r\nx`,
      `GET http://${host}/v1 HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: a\u009b31m\u0085b"}\r\n\r\n`,
      `GET http://${host}/v1/${'A'.repeat(7000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    ]) {
      await spoken(bottle.ports.EGRESS_PORT, head);
    }
    await spoken(
      bottle.ports.GIT_GATE_HTTP_PORT,
      'GET /x%0aforged\u009b.git/info/refs?service=git-upload-pack HTTP/1.1\r\nHost: a\r\n\r\n',
    );
    await bottle.saw(/A{200}/);
    const lines = bottle.output().split('\n');
    assert.ok(
      lines.every(
        (line) => line === '' || /^(bottled|pipelock|egress|git-gate|supervise|mcp-bridge) +\| (?!forged)/.test(line),
      ),
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
    assert.doesNotMatch(bottle.output(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  }
});

test('the status says that the stand-in runs', async (t) => {
  const { bottle } = await bottleWithService(t);
  const { stdout } = await bottle.bottled('status');
  assert.match(stdout, /^pipelock .*this is the embedded stand-in, not pipelock/m);
  assert.match(bottle.output(), /pipelock +\| warn: pipelock is NOT running/);
});
