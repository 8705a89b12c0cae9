import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { askThrough, authorityOf } from './agent.ts';
import { startEgress, startFakePipelock, until } from './egress-process.ts';

const routes = 'routes: [{ host: api.example.com, auth_scheme: Bearer, token_env: EGRESS_TOKEN_0 }]\n';

interface Health {
  readonly status: string;
  readonly routes: number;
  readonly upstream: string;
  readonly routes_problem?: string;
}

async function healthOf(port: number): Promise<Health> {
  const response = await fetch(`http://127.0.0.1:${port}/__health`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  const health: Health = JSON.parse(await response.text());
  return health;
}

describe('egress at its start', () => {
  it('tells its routes, the certificate to trust, and that it is ready', async () => {
    await using egress = await startEgress({ routes: `${routes}log: 1\n` });
    const loaded = await egress.line('egress_loaded');
    assert.equal(loaded.message, 'egress: loaded 1 route(s): api.example.com [log=blocks]');
    const pem = await authorityOf(egress.port);
    assert.equal((await egress.line('egress_authority')).sha256, new X509Certificate(pem).fingerprint256);
  });

  it('A.9-1: keeps its authority in EGRESS_DATA whatever HOME says, and is the same one after a restart', async () => {
    const data = await mkdtemp(join(tmpdir(), 'egress-data-'));
    const homes = [await mkdtemp(join(tmpdir(), 'home-')), await mkdtemp(join(tmpdir(), 'home-'))];
    try {
      const seen: string[] = [];
      for (const HOME of homes) {
        await using egress = await startEgress({ routes, env: { HOME, EGRESS_DATA: data } });
        seen.push(await authorityOf(egress.port));
        assert.deepEqual(await readdir(HOME), []);
      }
      assert.equal(seen[0], seen[1]);
    } finally {
      for (const path of [data, ...homes]) await rm(path, { recursive: true });
    }
  });

  it('refuses wrong settings and bad credentials with every problem and exit code 2', async () => {
    const env = { EGRESS_PORT: 'many', EGRESS_UPSTREAM_PROXY: 'http://10.0.0.1:8888' };
    await using wrong = await startEgress({ routes, env });
    assert.equal(await wrong.ended(), 2);
    assert.deepEqual(
      wrong.lines().map(({ problem }) => String(problem).split(':', 1)[0]),
      ['EGRESS_PORT', 'EGRESS_UPSTREAM_PROXY'],
    );
    await using bad = await startEgress({ routes, credentials: { EGRESS_TOKEN_0: 'made\nup', EGRESS_TOKEN_1: '' } });
    assert.equal(await bad.ended(), 2);
    assert.deepEqual(
      bad.lines().map(({ problem }) => /EGRESS_TOKEN_\d/.exec(String(problem))?.[0]),
      ['EGRESS_TOKEN_0', 'EGRESS_TOKEN_1'],
    );
  });

  for (const name of ['EGRESS_PORT', 'EGRESS_METRICS_PORT']) {
    it(`ends with code 1 and one clear line where ${name} is taken`, async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const address = other.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      try {
        await using egress = await startEgress({ routes, env: { [name]: String(port) } });
        assert.equal(await egress.ended(), 1);
        const problem = `${name}: port ${port} is taken by another program; stop it or give another port`;
        assert.equal(egress.lines().at(-1)?.problem, problem);
        assert.ok(!egress.output().includes('    at '));
      } finally {
        other.close();
      }
    });
  }

  for (const [what, text] of [
    ['is missing', undefined],
    ['is bad', 'routes: [{ hots: a.example }]\n'],
    ['is no YAML', 'routes: [\n'],
  ] as const) {
    it(`denies all where routes.yaml ${what}, says why, lives on, and takes the file once it is good`, async () => {
      await using egress = await startEgress({ routes: text });
      assert.ok(String((await egress.line('egress_problem')).problem).includes('routes.yaml'));
      assert.match((await egress.line('egress_kept')).message, /no route is in force and every request is refused/);
      assert.equal((await askThrough(egress.port, 'http://api.example.com/')).status, 403);
      assert.match((await askThrough(egress.port, 'http://egress.internal/routes')).body, /^routes: \[\]$/m);
      const health = await healthOf(egress.port);
      assert.deepEqual([health.status, health.routes], ['healthy', 0]);
      assert.match(health.routes_problem ?? '', /the log of egress says why/);
      await writeFile(egress.routesFile, routes);
      await egress.line('egress_loaded');
      assert.deepEqual((await healthOf(egress.port)).routes_problem, undefined);
    });
  }

  it('writes fingerprints of its credentials, and no credential, before it listens', async () => {
    const token = `made-up-${randomBytes(18).toString('base64url')}`;
    const directory = await mkdtemp(join(tmpdir(), 'egress-known-'));
    const file = join(directory, 'known-secrets', 'egress.json');
    try {
      await using egress = await startEgress({ routes, env: { EGRESS_KNOWN_SECRETS: file, EGRESS_TOKEN_0: token } });
      const text = await readFile(file, 'utf8');
      assert.ok(text.includes('EGRESS_TOKEN_0') && !text.includes(token));
      assert.ok((await stat(file)).mtimeMs <= Date.parse(String((await egress.line('egress_ready')).time)));
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  for (const [setting, path] of [
    ['EGRESS_DATA', '/dev/null/data'],
    ['EGRESS_KNOWN_SECRETS', '/dev/null/known/egress.json'],
  ] as const) {
    it(`ends with code 1 and one line, no stack trace, where ${setting} cannot be written`, async () => {
      await using egress = await startEgress({ routes, env: { [setting]: path } });
      assert.equal(await egress.ended(), 1);
      const last = egress.lines().at(-1);
      assert.equal(last?.event, 'egress_failed');
      assert.match(String(last?.reason), /\/dev\/null/);
      assert.ok(!egress.output().includes('    at '));
    });
  }

  it('warns of a credential that is not set, is not used, or is too short to be recognised', async () => {
    await using egress = await startEgress({ routes, credentials: { EGRESS_TOKEN_1: 'short' } });
    const warnings = egress.lines().filter(({ event }) => event === 'egress_warning');
    const words = warnings.map(({ warning }) => String(warning).split(' ').slice(0, 3).join(' '));
    assert.deepEqual(words, ['EGRESS_TOKEN_0 is not', 'EGRESS_TOKEN_1 is not', 'EGRESS_TOKEN_1 is too']);
  });
});

describe('egress while it runs', () => {
  it('is healthy without pipelock, tells that it is not there, and sees it come', async () => {
    await using pipelock = await startFakePipelock();
    await using alone = await startEgress({ routes });
    assert.deepEqual(await healthOf(alone.port).then(({ status, upstream }) => [status, upstream]), [
      'healthy',
      'unreachable',
    ]);
    assert.match((await alone.line('egress_upstream')).message, /does not answer/);
    await using egress = await startEgress({ routes, upstream: pipelock.url });
    assert.deepEqual(await healthOf(egress.port).then(({ upstream, routes }) => [upstream, routes]), ['ok', 1]);
    await pipelock.stop();
    await until('its absence', async () =>
      (await healthOf(egress.port)).upstream === 'unreachable' ? true : undefined,
    );
  });

  it('ends with code 0 at SIGTERM, after what is under way', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<() => void>();
    await using pipelock = await startFakePipelock((_, response) => {
      response.write('one ');
      reach(() => response.end('two'));
    });
    await using egress = await startEgress({
      routes: 'routes: [{ host: plain.example.com, schemes: [http] }]',
      upstream: pipelock.url,
    });
    const answer = askThrough(egress.port, 'http://plain.example.com/');
    const finish = await reached;
    egress.signal('SIGTERM');
    await egress.line('egress_stopping');
    finish();
    assert.equal((await answer).body, 'one two');
    assert.equal(await egress.ended(), 0);
  });

  it('ends at SIGTERM also where a request never ends', async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    await using pipelock = await startFakePipelock((_, response) => {
      response.write('one ');
      reach();
    });
    await using egress = await startEgress({
      routes: 'routes: [{ host: plain.example.com, schemes: [http] }]',
      upstream: pipelock.url,
    });
    const answer = askThrough(egress.port, 'http://plain.example.com/').catch(() => 'broken off');
    await reached;
    egress.signal('SIGTERM');
    assert.equal(await egress.ended(), 0);
    assert.equal(await answer, 'broken off');
  });
});
