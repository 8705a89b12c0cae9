import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer as createHttpsServer, request } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify, styleText } from 'node:util';
import { openCertificateAuthority } from '../../daemons/egress/certificate-authority.ts';

/**
 * `npm run demo`: starts the bundle of a bottle, does what an agent does, and shows what the daemons say to it. The service and
 * the repository that the agent wants to reach are on this machine; nothing leaves it.
 */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
/** What egress puts into the agent's requests, and the agent never sees. */
const CREDENTIAL = ['demo', 'credential', 'of', 'the', 'operator'].join('-');
/** Looks like a GitHub token, and is none. */
const LEAK = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;

const directory = mkdtempSync(join(tmpdir(), 'bottled-demo-'));
const config = join(directory, 'config');
const data = join(directory, 'data');
const upstream = join(directory, 'upstream.git');
const work = join(directory, 'work');

function say(text: string): void {
  process.stdout.write(`\n${styleText('bold', text)}\n`);
}

function tell(who: string, text: string): void {
  for (const line of text.trimEnd().split('\n')) process.stdout.write(`  ${styleText('dim', who.padEnd(9))} ${line}\n`);
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(portOf(server)));
  });
}

/** Ports that are free now. */
async function freePorts(names: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const servers = names.map(() => createServer());
  const ports = await Promise.all(servers.map(listening));
  for (const server of servers) server.close();
  return Object.fromEntries(names.map((name, index) => [name, String(ports[index])]));
}

/** The service that the agent uses: says what it was sent, and whether it came with the credential. */
async function startService(): Promise<{ readonly port: number; readonly certificateFile: string; close(): void }> {
  const authority = await openCertificateAuthority(join(directory, 'service-ca'));
  const server = createHttpsServer(
    { SNICallback: (name, done) => done(null, authority.contextFor(name)) },
    (incoming, answer) => {
      const isKnown = incoming.headers.authorization === `Bearer ${CREDENTIAL}`;
      incoming.resume();
      incoming.on('end', () => answer.end(`hello ${isKnown ? 'operator, your credential is good' : 'stranger'}\n`));
    },
  );
  return { port: await listening(server), certificateFile: authority.certificateFile, close: () => server.close() };
}

/** The bundle, and what its daemons have said since last asked. */
async function startBundle(env: Readonly<Record<string, string>>) {
  const socket = join(directory, 'control.sock');
  const bottled = join(root, 'bin/bottled');
  const args = ['run', '-f', join(root, 'daemons/bundle.yaml'), '--socket', socket, '--log-format', 'text'];
  const child = spawn(bottled, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let unseen = '';
  let wake = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    unseen += text;
    wake();
  });
  const fresh = (): string => {
    const text = unseen;
    unseen = '';
    return text;
  };
  /** All until a line matches. */
  const until = async (pattern: RegExp): Promise<string> => {
    const deadline = AbortSignal.timeout(60_000);
    while (!pattern.test(unseen)) {
      const isOver = await Promise.race([
        exit.then(() => true),
        new Promise<boolean>((resolve, reject) => {
          wake = () => resolve(false);
          deadline.addEventListener('abort', () => reject(new Error(`not seen: ${pattern}, but:\n${unseen}`)));
        }),
      ]);
      if (isOver && !pattern.test(unseen)) throw new Error(`the bundle has ended:\n${unseen}`);
    }
    return fresh();
  };
  return { until, fresh, exit, stop: () => void child.kill('SIGTERM') };
}

/** One request as an agent makes it, by the proxy that its environment names. */
function ask(
  url: string,
  agent: Agent,
  options: { readonly method?: string; readonly body?: string } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const asked = request(url, { agent, method: options.method ?? 'GET' }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve(`${answer.statusCode} ${body.trim()}`));
    });
    asked.on('error', (error) => resolve(error.message));
    asked.end(options.body);
  });
}

async function git(...args: string[]): Promise<string> {
  const identity = ['-c', 'user.name=agent', '-c', 'user.email=agent@localhost', '-c', 'advice.detachedHead=false'];
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', LC_ALL: 'C' };
  const result = await run('git', [...identity, ...args], { env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${result.stdout}${result.stderr}`.trim();
}

async function demo(): Promise<void> {
  mkdirSync(config);
  mkdirSync(data);
  const service = await startService();
  const origin = `https://localhost:${service.port}`;
  writeFileSync(
    join(config, 'routes.yaml'),
    `log: 1
routes:
  - host: localhost
    ports: [${service.port}]
    matches:
      - paths: [{ type: Prefix, value: /v1 }]
    auth_scheme: Bearer
    token_env: EGRESS_TOKEN_0
`,
  );
  writeFileSync(join(config, 'pipelock.yaml'), 'internal_hosts: [localhost]\nip_allowlist: [127.0.0.0/8, "::1/128"]\n');
  writeFileSync(join(config, 'git-gate.yaml'), `repos:\n  example: { url: "file://${upstream}" }\n`);
  writeFileSync(
    join(config, 'polis-policy.yaml'),
    'apiVersion: polis.io/v1\nkind: Policy\nmetadata: { name: demo }\nspec: { governance: { mode: blocking }, tools: [] }\n',
  );
  await git('init', '--quiet', '--bare', '--initial-branch=main', upstream);
  const ports = await freePorts([
    'PIPELOCK_PORT',
    'PIPELOCK_HEALTH_PORT',
    'PIPELOCK_METRICS_PORT',
    'EGRESS_PORT',
    'EGRESS_METRICS_PORT',
    'GIT_GATE_HTTP_PORT',
    'GIT_GATE_GIT_PORT',
    'SUPERVISE_PORT',
    'SUPERVISE_METRICS_PORT',
    'MCP_BRIDGE_PORT',
    'MCP_BRIDGE_METRICS_PORT',
  ]);

  say('1. The bundle starts: pipelock, then egress, then git-gate.');
  const bundle = await startBundle({
    ...ports,
    BOTTLED_CONFIG: config,
    BOTTLED_DATA: data,
    BOTTLED_READ_SOCKET: join(directory, 'read.sock'),
    EGRESS_TOKEN_0: CREDENTIAL,
    LOG_FORMAT: 'text',
    SSL_CERT_FILE: service.certificateFile,
    NODE_EXTRA_CA_CERTS: service.certificateFile,
  });
  try {
    process.stdout.write((await bundle.until(/\| healthy: /)).replace(/^/gm, '  '));
    const agent = new Agent({
      proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${ports.EGRESS_PORT}` },
      ca: readFileSync(join(data, 'egress/ca/certificate.pem')),
    });
    const show = async (wanted: string, pattern: RegExp, answer: Promise<string>): Promise<void> => {
      tell('agent', wanted);
      tell('answer', await answer);
      for (const line of (await bundle.until(pattern)).trimEnd().split('\n')) {
        const [who = '', text = ''] = line.split(/ +\| /, 2);
        tell(who, text);
      }
    };

    say('2. An allowed request: egress adds the credential, pipelock looks at it and lets it pass.');
    await show(`GET ${origin}/v1/hello`, /pipelock +\|/, ask(`${origin}/v1/hello`, agent));

    say('3. A host that is in no route.');
    await show('GET https://attacker.example/', /egress +\|/, ask('https://attacker.example/', agent));

    say('4. A path that the route does not allow.');
    await show(`GET ${origin}/admin`, /egress +\|/, ask(`${origin}/admin`, agent));

    say('5. A secret in a body, to an allowed host.');
    const body = JSON.stringify({ note: `my token is ${LEAK}` });
    await show(
      `POST ${origin}/v1/notes {"note":"my token is ghp_…"}`,
      /pipelock +\|/,
      ask(`${origin}/v1/notes`, agent, { method: 'POST', body }),
    );

    const remote = `http://127.0.0.1:${ports.GIT_GATE_HTTP_PORT}/example.git`;
    await git('init', '--quiet', '--initial-branch=main', work);
    await git('-C', work, 'remote', 'add', 'origin', remote);

    say('6. A push with a secret, added in one commit and removed in the next.');
    writeFileSync(join(work, 'settings.env'), `GITHUB_TOKEN=${LEAK}\n`);
    await git('-C', work, 'add', '.');
    await git('-C', work, 'commit', '--quiet', '-m', 'Add settings');
    writeFileSync(join(work, 'settings.env'), 'GITHUB_TOKEN=\n');
    await git('-C', work, 'commit', '--quiet', '-am', 'Leave the token out');
    await show('git push origin main', /git-gate +\|/, git('-C', work, 'push', 'origin', 'main'));

    say('7. The same work without the secret in its history.');
    await git('-C', work, 'reset', '--quiet', '--soft', 'HEAD~1');
    await git('-C', work, 'commit', '--quiet', '--amend', '-m', 'Add settings');
    await show('git push origin main', /git-gate +\|/, git('-C', work, 'push', 'origin', 'main'));
    tell('upstream', await git('-C', upstream, 'log', '--oneline', 'main'));

    say('8. The end.');
    bundle.stop();
    process.stdout.write((await bundle.until(/\| exit code /)).replace(/^/gm, '  '));
    const code = await bundle.exit;
    process.stdout.write(`  exit code ${code}\n`);
  } finally {
    bundle.stop();
    await bundle.exit;
    service.close();
  }
}

try {
  await demo();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
