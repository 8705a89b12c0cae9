import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { parse } from 'yaml';
import { eventually, type Launched, launchHealthy, launchPipelock, type Setup, untilHealthy } from './launcher.ts';

const fake = { PIPELOCK_ENGINE: 'pipelock', PIPELOCK_BINARY: join(import.meta.dirname, 'fixtures/pipelock') };

const withFake = (setup: Setup = {}): Setup => ({ ...setup, environment: { ...fake, ...setup.environment } });

interface Entry {
  readonly verb?: string;
  readonly pid?: number;
  readonly signal?: string;
  readonly hosts?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** What happened to the fake pipelock. */
function record({ home }: Launched): Entry[] {
  const file = join(home, 'record.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

function recorded(launched: Launched, wanted: (entry: Entry) => boolean): Promise<Entry> {
  return eventually(
    () => record(launched).find(wanted),
    () => JSON.stringify(record(launched)),
  );
}

function order({ home }: Launched, orders: object): void {
  writeFileSync(join(home, 'orders.json'), JSON.stringify(orders));
}

const routesTo = (...hosts: string[]) => ({ routes: hosts.map((host) => ({ host })) });

it('the configuration is checked before pipelock starts, and lies where only its user can read it', async () => {
  await using launched = await launchHealthy(withFake({ routes: routesTo('api.example.com') }));
  assert.deepEqual(
    record(launched).map(({ verb }) => verb),
    ['check', 'run'],
  );
  const file = join(launched.directory, 'data/pipelock.yaml');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(parse(readFileSync(file, 'utf8')).api_allowlist, ['api.example.com']);
});

it('a configuration that pipelock refuses at the start ends the launcher with 2 and says why', async () => {
  await using launched = await launchPipelock(
    withFake({ routes: routesTo('bad.example.com'), orders: { refuses: 'bad.example.com' } }),
  );
  assert.equal((await launched.child).exitCode, 2);
  assert.match(String((await launched.event('pipelock.check-failed')).message), /invalid config: bad\.example\.com/);
  assert.ok(!record(launched).some(({ verb }) => verb === 'run'));
});

for (const code of [1, 2, 3]) {
  it(`when pipelock exits with ${code}, so does the launcher`, async () => {
    await using launched = await launchPipelock(withFake({ orders: { exit: code } }));
    assert.equal((await launched.child).exitCode, code);
  });
}

it('when a signal kills pipelock, the launcher exits with 128 and its number', async () => {
  await using launched = await launchPipelock(withFake({ orders: { signal: 'SIGKILL' } }));
  assert.equal((await launched.child).exitCode, 137);
});

it('SIGTERM is passed on, and the launcher ends with what pipelock ends with', async () => {
  for (const exitOnTerm of [0, 3]) {
    await using launched = await launchHealthy(withFake({ orders: { exitOnTerm } }));
    launched.child.kill('SIGTERM');
    assert.equal((await launched.child).exitCode, exitOnTerm);
    await recorded(launched, ({ signal }) => signal === 'SIGTERM');
  }
});

it('a changed routes file becomes a new allow-list and one SIGHUP, without a restart', async () => {
  await using launched = await launchHealthy(withFake({ routes: routesTo('one.example.com') }));
  launched.write('routes.yaml', routesTo('one.example.com', 'two.example.com'));
  const { hosts } = await recorded(launched, ({ signal }) => signal === 'SIGHUP');
  assert.deepEqual(hosts, ['one.example.com', 'two.example.com']);
  await launched.event('pipelock.reloaded');
  assert.equal(record(launched).filter(({ verb }) => verb === 'run').length, 1);
});

it('SIGHUP to the launcher regenerates at once; without a change nothing is sent on', async () => {
  await using launched = await launchHealthy(withFake());
  launched.child.kill('SIGHUP');
  await launched.event('pipelock.unchanged');
  assert.ok(!record(launched).some(({ signal }) => signal === 'SIGHUP'));
});

it('a change that pipelock takes only at a start restarts it, and the launcher lives on', async () => {
  await using launched = await launchHealthy(withFake());
  launched.write('settings.yaml', { ip_allowlist: ['172.18.0.0/16'] });
  await launched.event('pipelock.restarted');
  const first = record(launched).find(({ verb }) => verb === 'run');
  await recorded(launched, ({ verb, pid }) => verb === 'run' && pid !== first?.pid);
  await untilHealthy(launched);
});

it('routes that change, or a SIGHUP that comes, while pipelock is still starting are not missed', async () => {
  const release = join(mkdtempSync(join(tmpdir(), 'release-')), 'go');
  await using launched = await launchPipelock(
    withFake({ routes: routesTo('one.example.com', 'two.example.com'), orders: { checkWaitsFor: release } }),
  );
  await recorded(launched, ({ verb }) => verb === 'check');
  launched.write('routes.yaml', routesTo('one.example.com'));
  launched.child.kill('SIGHUP');
  writeFileSync(release, '');
  const { hosts } = await launched.event('pipelock.reloaded');
  assert.deepEqual(hosts, ['one.example.com']);
});

it('one change of a file is one reload, although routes and settings lie in one directory', async () => {
  await using launched = await launchHealthy(withFake({ routes: routesTo('one.example.com') }));
  launched.write('routes.yaml', 'routes: none\n');
  await launched.event('pipelock.bad-routes');
  launched.write('routes.yaml', routesTo('two.example.com'));
  await launched.event('pipelock.reloaded');
  const told = launched.lines.filter(({ event }) => event === 'pipelock.bad-routes' || event === 'pipelock.unchanged');
  assert.equal(told.length, 1, JSON.stringify(told));
});

it('settings that cannot be looked at are an error, not the defaults', async () => {
  await using launched = await launchHealthy(withFake({ settings: { requests_per_minute: 7 } }));
  const file = join(launched.directory, 'settings.yaml');
  rmSync(file);
  symlinkSync(file, file);
  launched.child.kill('SIGHUP');
  const { message } = await launched.event('pipelock.bad-settings');
  assert.match(String(message), /settings\.yaml: is a circle of symbolic links/);
  assert.match(readFileSync(join(launched.directory, 'data/pipelock.yaml'), 'utf8'), /max_requests_per_minute: 7/);
});

it('a configuration that cannot be written ends the launcher with 1: there may be room at the next try', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pipelock-data-'));
  // In the way of the candidate, as a full disk is.
  mkdirSync(join(directory, 'candidate', 'pipelock.yaml'), { recursive: true });
  await using launched = await launchPipelock(withFake({ environment: { PIPELOCK_DATA: directory } }));
  assert.equal((await launched.child).exitCode, 1);
  assert.match(String((await launched.event('pipelock.bad-data')).message), /cannot write the configuration/);
});

it('a bad routes file keeps the configuration that is in force, and is told with its place', async () => {
  await using launched = await launchHealthy(withFake({ routes: routesTo('one.example.com') }));
  const file = join(launched.directory, 'data/pipelock.yaml');
  const before = readFileSync(file, 'utf8');
  launched.write('routes.yaml', 'routes:\n  - hots: two.example.com\n');
  const line = await launched.line(
    ({ event, message }) => event === 'pipelock.bad-routes' && /hots/.test(String(message)),
  );
  assert.match(String(line.message), /routes\.yaml:2:5: .*; the routes that were in force stay in force/);
  assert.equal(readFileSync(file, 'utf8'), before);
  assert.equal((await launched.health()).status, 200);
});

it('a configuration that pipelock refuses at a reload keeps the old one', async () => {
  await using launched = await launchHealthy(withFake({ routes: routesTo('one.example.com') }));
  order(launched, { refuses: 'two.example.com' });
  launched.write('routes.yaml', routesTo('two.example.com'));
  await launched.event('pipelock.check-failed');
  const kept = parse(readFileSync(join(launched.directory, 'data/pipelock.yaml'), 'utf8'));
  assert.deepEqual(kept.api_allowlist, ['one.example.com']);
  assert.ok(!record(launched).some(({ signal }) => signal === 'SIGHUP'));
});

it('a bad routes file at the start lets nothing out until it is mended', async () => {
  await using launched = await launchHealthy(withFake({ routes: 'routes: [' }));
  await launched.event('pipelock.bad-routes');
  const file = join(launched.directory, 'data/pipelock.yaml');
  assert.deepEqual(parse(readFileSync(file, 'utf8')).api_allowlist, ['none.invalid']);
  launched.write('routes.yaml', routesTo('one.example.com'));
  const { hosts } = await recorded(launched, ({ signal }) => signal === 'SIGHUP');
  assert.deepEqual(hosts, ['one.example.com']);
});

it('SIGTERM while pipelock is being restarted ends the launcher', async () => {
  await using launched = await launchHealthy(withFake());
  launched.write('settings.yaml', { ip_allowlist: ['172.18.0.0/16'] });
  await recorded(launched, ({ signal }) => signal === 'SIGTERM');
  launched.child.kill('SIGTERM');
  const { exitCode } = await launched.child;
  assert.ok(
    exitCode === 0 || exitCode === 143,
    `${exitCode}: it ended by itself, or by the signal while it was starting`,
  );
});

it('SIGUSR1 never reaches pipelock', async () => {
  await using launched = await launchHealthy(withFake());
  launched.child.kill('SIGUSR1');
  await launched.event('pipelock.usr1-ignored');
  launched.child.kill('SIGHUP');
  await launched.event('pipelock.unchanged');
  assert.ok(!record(launched).some(({ signal }) => signal === 'SIGUSR1'));
});

it('an active kill switch is unhealthy although pipelock says healthy', async () => {
  await using launched = await launchHealthy(withFake());
  order(launched, { killSwitch: true });
  const { status, body } = await launched.health();
  assert.equal(status, 503);
  assert.deepEqual(body, {
    engine: 'pipelock',
    version: '2.3.0-fake',
    status: 'unhealthy',
    reason: 'the kill switch is active: every request is refused',
  });
});

it('a pipelock that does not answer is unhealthy within seconds', async () => {
  await using launched = await launchHealthy(withFake());
  order(launched, { silent: true });
  const { status, body } = await launched.health();
  assert.equal(status, 503);
  assert.match(String(body.reason), /no answer within 2 s/);
});

it("pipelock's environment holds none of the launcher's and nobody's secret", async () => {
  const token = `token-${process.pid}-of-somebody-else`;
  await using launched = await launchHealthy(
    withFake({ environment: { EGRESS_TOKEN_0: token, VAULT_TOKEN: token, HTTPS_PROXY: 'http://x', TZ: 'UTC' } }),
  );
  for (const { environment } of record(launched).filter(({ verb }) => verb !== undefined)) {
    assert.deepEqual(Object.keys(environment ?? {}).sort(), ['HOME', 'PATH', 'TZ']);
  }
  assert.ok(!launched.lines.some((line) => JSON.stringify(line).includes(token)));
});

it("pipelock's log lines pass through as they are", async () => {
  await using launched = await launchHealthy(withFake());
  assert.deepEqual(await launched.event('startup'), { component: 'pipelock', event: 'startup' });
});

it('where pipelock must run and is not there, the launcher ends with 2 and says what to do', async () => {
  await using launched = await launchPipelock({
    environment: { PIPELOCK_ENGINE: 'pipelock', PIPELOCK_BINARY: '/nowhere/pipelock' },
  });
  assert.equal((await launched.child).exitCode, 2);
  const { message } = await launched.event('pipelock.no-binary');
  assert.match(String(message), /\/nowhere\/pipelock is not an executable program; install pipelock/);
});

it('where pipelock is not there and need not be, the stand-in runs and says loudly that it is one', async () => {
  await using launched = await launchHealthy({
    environment: { PIPELOCK_ENGINE: 'auto', PIPELOCK_BINARY: '/nowhere/pipelock' },
  });
  const line = await launched.event('pipelock.stand-in');
  assert.equal(line.level, 'warn');
  assert.match(String(line.message), /pipelock is NOT running/);
  const { body } = await launched.health();
  assert.equal(body.engine, 'embedded');
  assert.match(String(body.warning), /embedded stand-in, not pipelock/);
});

it('the stand-in ends with 0 on SIGTERM', async () => {
  await using launched = await launchHealthy({ environment: { PIPELOCK_ENGINE: 'embedded' } });
  launched.child.kill('SIGTERM');
  assert.equal((await launched.child).exitCode, 0);
});

it('what the stand-in cannot do is refused at the start', async () => {
  await using launched = await launchPipelock({
    settings: { response_scanning: 'block' },
    environment: { PIPELOCK_ENGINE: 'embedded' },
  });
  assert.equal((await launched.child).exitCode, 2);
  assert.match(String((await launched.event('pipelock.check-failed')).message), /cannot scan answers/);
});

it('without a settings file the defaults hold', async () => {
  await using launched = await launchPipelock(
    withFake({ environment: { PIPELOCK_SETTINGS: join(tmpdir(), `no-settings-${process.pid}.yaml`) } }),
  );
  await launched.event('pipelock.default-settings');
  await untilHealthy(launched);
});

it('bad settings are all told, with exit code 2', async () => {
  await using launched = await launchPipelock({
    settings: { requests_per_minut: 1, ip_allowlist: ['10.0.0.1/8'] },
    environment: { PIPELOCK_ENGINE: 'embedded' },
  });
  assert.equal((await launched.child).exitCode, 2);
  const told = launched.lines
    .filter(({ event }) => event === 'pipelock.bad-settings')
    .map(({ message }) => String(message));
  assert.equal(told.length, 2);
  assert.match(told.join('\n'), /did you mean "requests_per_minute"\?/);
  assert.match(told.join('\n'), /not a network in canonical form/);
});

it('a port that somebody else has ends the launcher with 1 and one clear line', async () => {
  await using first = await launchHealthy({ environment: { PIPELOCK_ENGINE: 'embedded' } });
  await using second = await launchPipelock({
    environment: { PIPELOCK_ENGINE: 'embedded', PIPELOCK_LISTEN: `127.0.0.1:${first.port}` },
  });
  assert.equal((await second.child).exitCode, 1);
  assert.match(String((await second.event('pipelock.start-failed')).message), /EADDRINUSE/);
});
