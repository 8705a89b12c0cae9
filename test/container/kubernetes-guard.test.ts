import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { execa } from 'execa';
import type { IPodSpec } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { renderKubernetes } from '../../compose/kubernetes/render.ts';
import { MODEL_SERVICE } from '../../compose/model/names.ts';
import { USERS } from '../../compose/plan.ts';
import { until } from './container.ts';
import { docker, noEngine, sidecarsImage } from './engine.ts';
import { makePod, type Pod } from './kubernetes-pod.ts';
import { askScript, originBottle } from './origin-bottle.ts';

/** Outside the pod: a server on IPv4 and IPv6 that tells the credential of a request, and an echo on UDP. */
const ORIGIN = `
require('node:http').createServer((q, s) => s.end('origin saw ' + q.headers.authorization)).listen(8000, '::');
const echo = require('node:dgram').createSocket('udp6');
echo.on('message', (data, { port, address }) => echo.send(data, port, address)).bind(53, '::');`;

/** Tries [protocol, host, port] each, and prints for each "open", the error, or "timeout". */
const TRY = `
const wait = 1500;
const tcp = (host, port) => new Promise((done) => {
  const socket = require('node:net').connect({ host, port, timeout: wait });
  socket.on('connect', () => done('open')).on('error', (e) => done(e.code)).on('timeout', () => done('timeout'));
});
const udp = (host, port) => new Promise((done) => {
  const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', () => done('open')).on('error', (e) => done(e.code));
  socket.send('ask', port, host, (e) => e && done(e.code));
  setTimeout(() => done('timeout'), wait);
});
const all = JSON.parse(process.argv[1]).map(([protocol, host, port]) => ({ tcp, udp })[protocol](host, port));
Promise.all(all).then((results) => { console.log(JSON.stringify(results)); process.exit(); });`;

type Attempt = readonly [protocol: 'tcp' | 'udp', host: string, port: number];

const { name, credential, plan } = originBottle('pod');
const agentImage = `${name}-agent`;
const SECTIONS = {
  agent: {
    image: agentImage,
    entrypoint: ['sleep'],
    command: ['infinity'],
    restart: 'always',
    volumes: ['work:/work'],
  },
  sidecars: { environment: { LOG_FORMAT: 'text' } },
  model: { model: 'acme/small', mock: true },
};
const cleanup: (() => unknown)[] = [];
const suite = { after: (action: () => unknown) => cleanup.push(action) };

let origin = { id: '', ipv4: '', ipv6: '' };
let guarded: Pod;
let model: Pod;
let agent = '';
let bundle = '';

function objectsOf(...hosts: readonly string[]) {
  const documents = parseAllDocuments(renderKubernetes(plan(SECTIONS, hosts)).get('kubernetes.yaml') ?? '', {
    schema: 'yaml-1.1',
  });
  const objects = documents.map((document) => document.toJS());
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata, data }) => [metadata.name, data]);
  const podOf = (deployment: string): IPodSpec =>
    objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === deployment).spec.template.spec;
  return {
    spec: podOf(name),
    model: podOf(`${name}-model`),
    data: { ...Object.fromEntries(maps), [`${name}-secrets`]: { EGRESS_TOKEN_ORIGIN: credential } },
  };
}

async function newPod(t: { after(action: () => unknown): unknown }): Promise<Pod> {
  const { spec, data } = objectsOf('origin');
  return await makePod(t, { spec, network: name, image: agentImage, objects: data });
}

/** As the user of `uid`, from a container of the pod. */
async function attempt(container: string, uid: number, attempts: readonly Attempt[]): Promise<string[]> {
  const results = await docker(
    'exec',
    '--user',
    `${uid}:${uid}`,
    container,
    'node',
    '-e',
    TRY,
    JSON.stringify(attempts),
  );
  return JSON.parse(results);
}

/** A server of this user in a container of the pod; it listens when this resolves. */
async function serve(container: string, uid: number, port: number): Promise<Attempt> {
  const script = `require('node:http').createServer((q, s) => s.end()).listen(${port}, '127.0.0.1')`;
  await docker('exec', '--detach', '--user', `${uid}:${uid}`, container, 'node', '-e', script);
  const server: Attempt = ['tcp', '127.0.0.1', port];
  await until(
    async () => ((await attempt(container, uid, [server]))[0] === 'open' ? true : undefined),
    async () => `nothing listens on ${port}`,
  );
  return server;
}

/** As the kubelet asks: from the node, at the address of the pod. */
async function status(pod: Pod, path: string): Promise<number> {
  const answer = await fetch(`http://${pod.address}:9180${path}`).catch(() => undefined);
  return answer?.status ?? 0;
}

async function ready(pod: Pod, container: string): Promise<void> {
  await until(
    async () => ((await status(pod, '/readyz')) === 200 ? true : undefined),
    () => docker('logs', container),
  );
}

/** What a program of the agent gets by the variables that it was given. */
async function ask(url: string): Promise<string> {
  return await docker('exec', agent, 'node', '-e', askScript(url));
}

describe('the pod of a rendered manifest, on Docker', { skip: noEngine, timeout: 300_000 }, () => {
  before(async () => {
    const recipe = `FROM ${await sidecarsImage()}\nHEALTHCHECK NONE\n`;
    await execa('docker', ['build', '--quiet', '--tag', agentImage, '-'], { input: recipe, timeout: 120_000 });
    cleanup.push(() => docker('image', 'rm', agentImage));
    const [subnet] = randomBytes(2).toString('hex').match(/..../) ?? [];
    await docker('network', 'create', '--ipv6', '--subnet', `fd00:b0:771e:${subnet}::/64`, name);
    cleanup.push(() => docker('network', 'rm', name));
    const outside = ['--network', name, '--network-alias', 'origin', '--network-alias', 'second'];
    const id = await docker('run', '--detach', ...outside, '--entrypoint', 'node', agentImage, '-e', ORIGIN);
    cleanup.push(() => docker('rm', '--force', '--volumes', id));
    const shown = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}';
    const [ipv4 = '', ipv6 = ''] = (await docker('inspect', '--format', shown, id)).split(' ');
    origin = { id, ipv4, ipv6 };

    const spec = objectsOf().model;
    model = await makePod(suite, { spec, network: name, image: agentImage, service: MODEL_SERVICE, objects: {} });
    await model.start(MODEL_SERVICE, 'detached');
    guarded = await newPod(suite);
    await guarded.start('guard', 'attached');
    bundle = await guarded.start('sidecars', 'detached');
    await ready(guarded, bundle);
    agent = await guarded.start('agent', 'detached');
  });

  after(async () => {
    for (const action of cleanup.reverse()) await action();
  });

  test('an allowed request of the agent passes, with the credential that only egress has', async () => {
    assert.equal(await ask('http://origin:8000/'), `200 origin saw Bearer ${credential}`);
    assert.match(await ask('http://second:8000/'), /^403/);
  });

  test('the agent reaches the public ports of the bundle and no other of its ports', async () => {
    const ports = [9099, 9100, 8888, 8889, 9190, 9098, 9101, 9180];
    const wanted = ['open', 'open', ...Array.from({ length: 6 }, () => 'ECONNREFUSED')];
    for (const host of ['127.0.0.1', '127.0.0.2', guarded.address, 'egress']) {
      const attempts = ports.map((port): Attempt => ['tcp', host, port]);
      assert.deepEqual(await attempt(agent, 1000, attempts), wanted, host);
    }
    const local = ports.map((port): Attempt => ['tcp', '127.0.0.1', port]);
    assert.deepEqual(
      await attempt(bundle, USERS.egress, local),
      ports.map(() => 'open'),
      'a daemon reaches them all',
    );
  });

  test('the agent reaches nothing outside: not by TCP, UDP or DNS, not on IPv4 or IPv6', async () => {
    const { ipv4, ipv6 } = origin;
    const attempts: Attempt[] = [
      ['tcp', ipv4, 8000],
      ['tcp', ipv6, 8000],
      ['udp', ipv4, 53],
      ['udp', ipv6, 53],
      ['tcp', '169.254.169.254', 80],
    ];
    for (const result of await attempt(agent, 1000, attempts)) assert.notEqual(result, 'open');
    const unknown = await execa('docker', ['exec', agent, 'getent', 'hosts', 'origin'], { reject: false });
    assert.equal(unknown.exitCode, 2);

    const way = attempts.slice(0, 4);
    assert.deepEqual(
      await attempt(bundle, USERS.pipelock, way),
      way.map(() => 'open'),
      'a daemon reaches it all',
    );
  });

  test('the agent asks the model of the bottle by way of egress, and reaches it in no other way', async () => {
    const url = await docker('exec', agent, 'printenv', 'LLM_SIDECAR_URL');
    await until(
      async () => ((await ask(`${url}/models`)).startsWith('200') ? true : undefined),
      () => docker('logs', bundle),
    );
    assert.match(await ask(`${url}/load_lora_adapter`), /^403/);
    const direct: Attempt = ['tcp', model.address, 8000];
    assert.notDeepEqual(await attempt(agent, 1000, [direct]), ['open']);
    assert.deepEqual(await attempt(bundle, USERS.supervise, [direct]), ['open'], 'a daemon reaches it');
  });

  test('a program of the agent reaches its own servers, and none of a daemon that is not public', async () => {
    const ofAgent = await serve(agent, 1000, 7001);
    const ofDaemon = await serve(bundle, USERS['mcp-bridge'], 7002);
    assert.deepEqual(await attempt(agent, 1000, [ofAgent, ofDaemon]), ['open', 'timeout']);
    // A port of a daemon that fell over, taken by the agent, must get no request of the others.
    assert.deepEqual(await attempt(bundle, USERS.egress, [ofAgent, ofDaemon]), ['timeout', 'open']);
    assert.deepEqual(await attempt(bundle, 0, [ofAgent, ofDaemon]), ['timeout', 'open']);
  });

  test('nothing outside reaches the pod but the probes of the node', async () => {
    const ports = [9099, 9100, 9180];
    const attempts = ports.map((port): Attempt => ['tcp', guarded.address, port]);
    assert.deepEqual(await attempt(origin.id, 0, attempts), ['timeout', 'timeout', 'open']);
    assert.equal(await status(guarded, '/livez'), 200);
  });

  test('what the agent could undo the guard with is not there', async () => {
    const nft = await execa('docker', ['exec', agent, 'nft', 'flush', 'ruleset'], { reject: false, all: true });
    assert.notEqual(nft.exitCode, 0);
    assert.match(nft.all, /not permitted/);
    const inner = await execa('docker', ['exec', '--user', '0', bundle, 'nft', 'flush', 'ruleset'], {
      reject: false,
      all: true,
    });
    assert.match(inner.all, /not permitted/, 'not even root of the bundle');
    const shown = await docker('exec', agent, 'grep', '-E', 'CapBnd|NoNewPrivs', '/proc/self/status');
    assert.equal(shown, 'CapBnd:\t0000000000000000\nNoNewPrivs:\t1');
  });

  test('the guard can run again, and what it prepared belongs to whom it should', async () => {
    await guarded.start('guard', 'attached');
    assert.equal(await ask('http://origin:8000/'), `200 origin saw Bearer ${credential}`);
    const owners = await docker('exec', bundle, 'stat', '-c', '%n %a %u', '/run', '/tmp', '/var/lib/bottled-ca');
    assert.equal(owners, '/run 1777 0\n/tmp 1777 0\n/var/lib/bottled-ca 755 10002');
    assert.equal(await docker('exec', agent, 'stat', '-c', '%u %g', '/work'), '1000 1000');
    assert.equal(await docker('exec', agent, 'ls', '/etc/bottled-ca'), 'certificate.pem');
  });

  test('a changed ConfigMap is taken without a restart', async () => {
    const { data } = objectsOf('origin', 'second');
    guarded.publish(`${name}-config`, data[`${name}-config`]);
    await until(
      async () => ((await ask('http://second:8000/')).startsWith('200') ? true : undefined),
      () => docker('logs', bundle),
    );
  });

  test('without the guard every one of these ways is open', async (t) => {
    const pod = await newPod(t);
    const sidecars = await pod.start('sidecars', 'detached');
    await ready(pod, sidecars);
    const free = await pod.start('agent', 'detached');
    const ways: Attempt[] = [
      ['tcp', '127.0.0.1', 8888],
      ['tcp', '127.0.0.1', 9098],
      ['tcp', origin.ipv4, 8000],
      ['tcp', origin.ipv6, 8000],
      ['udp', origin.ipv4, 53],
    ];
    assert.deepEqual(
      await attempt(free, 1000, ways),
      ways.map(() => 'open'),
    );
    assert.deepEqual(await attempt(origin.id, 0, [['tcp', pod.address, 9099]]), ['open']);
  });
});
