import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { Deployment } from 'kubernetes-models/apps/v1';
import type { IContainer, IPodSpec } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';
import { AGENT_PORTS } from '../../compose/agent-environment.ts';
import { loadBottle, parseBottle } from '../../compose/bottle/load.ts';
import { objectName } from '../../compose/kubernetes/names.ts';
import { PRIVATE_PORTS } from '../../compose/kubernetes/ports.ts';
import { quantity } from '../../compose/kubernetes/quantity.ts';
import { renderKubernetes } from '../../compose/kubernetes/render.ts';
import { PATHS, planOf } from '../../compose/plan.ts';
import { sealedFiles } from '../../compose/render.ts';
import { parseDuration } from '../../config/duration.ts';
import { formatProblem } from '../../config/problem.ts';
import { assertValid, type KubernetesObject } from './kubernetes-objects.ts';
import { assertGolden, BOTTLES, CLUSTER, planOfFile, problemsOf, ROOT } from './rendered.ts';

const FULL = readFileSync(CLUSTER, 'utf8');

interface Rendered {
  readonly text: string;
  readonly objects: readonly KubernetesObject[];
  /** The template of the Deployment or the Job. */
  readonly pod: IPodSpec;
  readonly container: (name: string) => IContainer;
}

async function rendered(bottle: string): Promise<Rendered> {
  const loaded = await parseBottle('/project/bottle.yaml', bottle, { engine: 'kubernetes' });
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'));
  const plan = planOf(loaded.bottle, loaded.written, { layout: 'bundle' });
  const text = renderKubernetes(plan).get('kubernetes.yaml') ?? '';
  const objects = parseAllDocuments(text, { schema: 'yaml-1.1' }).map((document) => document.toJS());
  const pod: IPodSpec = objects.find(({ kind }) => kind === 'Deployment' || kind === 'Job').spec.template.spec;
  const container = (name: string) => {
    const found = [...(pod.initContainers ?? []), ...pod.containers].find((each) => each.name === name);
    assert.ok(found, `no container ${name}`);
    return found;
  };
  return { text, objects, pod, container };
}

describe('a bottle on Kubernetes', () => {
  it('is rendered as it stands in golden/', async () => {
    // To write it anew: UPDATE_GOLDEN=1 node --test test/compose/kubernetes.test.ts
    const files = sealedFiles(renderKubernetes, await planOfFile(BOTTLES.example ?? '', 'bundle', 'kubernetes'));
    assertGolden(join(ROOT, 'test/compose/golden/example/kubernetes'), files);
  });

  it('is valid by the schemas of the API', async () => {
    for (const bottle of [FULL, FULL.replace('restart: always', 'restart: no'), 'name: a\nagent: { image: b }']) {
      for (const object of (await rendered(bottle)).objects) assertValid(object);
    }
  });

  it('would not be valid with a value of the wrong type', async () => {
    const { objects } = await rendered(FULL);
    const deployment = new Deployment(
      JSON.parse(JSON.stringify(objects.at(-1)).replace('"replicas":1', '"replicas":"1"')),
    );
    assert.throws(() => deployment.validate(), /replicas/);
  });

  it('starts guard, bundle and agent in this order', async () => {
    const { pod, container } = await rendered(FULL);
    assert.deepEqual(
      pod.initContainers?.map(({ name }) => name),
      ['guard', 'sidecars'],
    );
    assert.deepEqual(
      pod.containers.map(({ name }) => name),
      ['agent'],
    );
    assert.equal(container('guard').restartPolicy, undefined, 'it ends, and the bundle starts only if it ended well');
    assert.equal(container('sidecars').restartPolicy, 'Always');
    assert.equal(container('sidecars').startupProbe?.httpGet?.path, '/readyz');
  });

  it('gives NET_ADMIN to the guard alone, and no capability to the agent', async () => {
    const { container } = await rendered(FULL);
    const added = (name: string) => container(name).securityContext?.capabilities?.add ?? [];
    assert.deepEqual(added('guard'), ['CHOWN', 'NET_ADMIN']);
    assert.deepEqual(added('sidecars'), ['CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID']);
    assert.deepEqual(added('agent'), []);
    for (const name of ['guard', 'sidecars', 'agent']) {
      const { capabilities, allowPrivilegeEscalation, readOnlyRootFilesystem, privileged } =
        container(name).securityContext ?? {};
      assert.deepEqual(capabilities?.drop, ['ALL']);
      assert.deepEqual([allowPrivilegeEscalation, readOnlyRootFilesystem, privileged], [false, true, false], name);
    }
  });

  it('mounts neither secrets nor data nor configuration into the agent', async () => {
    const { container, text } = await rendered(FULL);
    const names = (container('agent').volumeMounts ?? []).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => /^(secrets-.*|data|config|guard|run|tmp)$/.test(name)),
      [],
    );
    assert.equal(container('agent').volumeMounts?.find(({ name }) => name === 'ca')?.readOnly, true);
    assert.ok(!text.includes('stringData'));
  });

  it('gives each daemon a directory with its own secrets, all of one Secret', async () => {
    const { pod, container } = await rendered(FULL);
    const volumes = (pod.volumes ?? []).filter(({ secret }) => secret !== undefined);
    assert.deepEqual(
      volumes.map(({ name, secret }) => [name, secret?.secretName, secret?.items?.map(({ path }) => path)]),
      [
        ['secrets-egress', 'full-secrets', ['EGRESS_TOKEN_API']],
        ['secrets-git-gate', 'full-secrets', ['TOOLS_TOKEN']],
        ['secrets-mcp-bridge', 'full-secrets', ['TOOLS_TOKEN']],
      ],
    );
    for (const { name, secret } of volumes) {
      assert.equal(secret?.defaultMode, 0o400);
      const mount = container('sidecars').volumeMounts?.find((each) => each.name === name);
      assert.equal(mount?.mountPath, `${PATHS.secrets}/${name.replace('secrets-', '')}`);
    }
  });

  it('runs the agent as a number that the guard can tell from the bundle', async () => {
    const { container } = await rendered(FULL);
    const { runAsUser, runAsGroup, runAsNonRoot } = container('agent').securityContext ?? {};
    assert.deepEqual([runAsUser, runAsGroup, runAsNonRoot], [1234, 99, true]);
    assert.equal((await rendered('name: a\nagent: { image: b }')).container('agent').securityContext?.runAsUser, 1000);
    for (const user of ['root', '"0"', '"00"', '"10002"', '"10002:1000"', 'node']) {
      const [problem = ''] = await problemsOf(`name: a\nagent: { image: b, user: ${user} }`, 'kubernetes');
      assert.match(problem, /^bottle\.yaml:2:26: agent\.user: .*write a number that is not 0/, user);
    }
  });

  it('waits for the agent and then for the bundle', async () => {
    const { pod } = await rendered(FULL);
    const bundle: unknown = parse(readFileSync(`${ROOT}daemons/bundle.yaml`, 'utf8')).stop_grace_period;
    const least = 90 + (parseDuration(String(bundle)) ?? Number.NaN) / 1000;
    assert.ok((pod.terminationGracePeriodSeconds ?? 0) > least);
  });

  it('is a Deployment where the agent is always there, and a Job where it ends', async () => {
    const kinds = async (restart: string) => {
      const { objects, pod } = await rendered(`name: a\nagent: { image: b, restart: ${restart} }`);
      return [objects.at(-1)?.kind, pod.restartPolicy];
    };
    assert.deepEqual(await kinds('always'), ['Deployment', 'Always']);
    assert.deepEqual(await kinds('unless-stopped'), ['Deployment', 'Always']);
    assert.deepEqual(await kinds('on-failure'), ['Job', 'OnFailure']);
    assert.deepEqual(await kinds('"no"'), ['Job', 'Never']);
  });

  it('opens no private network that the bottle does not name', async () => {
    const { objects } = await rendered(FULL);
    const policy = objects.find(({ kind }) => kind === 'NetworkPolicy');
    assert.ok(policy);
    const text = JSON.stringify(policy);
    for (const network of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7']) {
      assert.ok(text.includes(`"${network}"`), network);
    }
    assert.ok(text.includes('{"ipBlock":{"cidr":"10.1.0.0/16"}}'));
    assert.ok(text.includes('"ingress":[]'));
    const without = JSON.stringify((await rendered('name: a\nagent: { image: b }')).objects);
    assert.ok(!without.includes('10.1.0.0/16'));
  });

  it('hands on every "$" of the bottle as it is written', async () => {
    const { container } = await rendered(FULL);
    const { args, env } = container('agent');
    // Kubernetes writes "$$" for "$" (expansion of $(NAME) in command, args and env).
    assert.deepEqual(args, ['run', '--price', '$$5', '$$(HOME)']);
    const value = (name: string) => env?.find((each) => each.name === name)?.value;
    assert.deepEqual([value('PRICE'), value('EXPANSION')], ['$$5', '$$(HOME)']);
  });

  it('keeps named volumes, says that directories of a machine are empty, and gives each a name of its own', async () => {
    const { pod, objects } = await rendered(FULL);
    const claims = objects.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(({ metadata }) => metadata.name);
    assert.equal(claims.length, 4);
    assert.deepEqual(claims.slice(0, 2), ['full-data', 'full.project']);
    const names = (pod.volumes ?? []).map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    const loaded = await parseBottle('/project/bottle.yaml', FULL, { engine: 'kubernetes' });
    assert.ok(loaded.ok);
    assert.match(loaded.warnings.map(formatProblem).join('\n'), /agent\.volumes\[2\]: .*in a pod it is an empty one/);
  });

  it('refuses the socket of an engine', async () => {
    const bottle = `name: a
agent: { image: b }
sidecars: { docker_socket: { group: 998 } }
mcp: { governance: { mode: blocking }, tools: [{ name: t, driver: local-docker, image: c }] }`;
    assert.match((await problemsOf(bottle, 'kubernetes')).join('\n'), /sidecars\.docker_socket: is for Compose/);
  });

  it('knows every port of the bundle', () => {
    const bundle = readFileSync(`${ROOT}daemons/bundle.yaml`, 'utf8');
    const ports = [...bundle.matchAll(/_PORT:-(\d+)\}/g)].map(([, port]) => Number(port));
    const known = [...PRIVATE_PORTS, ...Object.values(AGENT_PORTS)];
    assert.deepEqual([...new Set(ports)].sort(), [...known].sort());
  });

  it('says in its first lines how to make the Secret', async () => {
    const { text } = await rendered(FULL);
    assert.match(
      text,
      /^# {3}kubectl create secret generic full-secrets --from-file=EGRESS_TOKEN_API=\.\/secrets\/api --from-file=TOOLS_TOKEN=/m,
    );
  });
});

it('the command that makes the Secret can be pasted into a shell whatever the files are called', async () => {
  const { text } = await rendered(`name: a
agent: { image: b }
egress: { routes: [{ host: a.example, auth_scheme: Bearer, token_env: EGRESS_TOKEN_T }] }
secrets: { EGRESS_TOKEN_T: { file: "./my 'secrets'/$(id)" } }`);
  const [line = ''] = /kubectl create secret.*/.exec(text) ?? [];
  const { stdout } = await execa('sh', ['-c', line.replace(/^kubectl/, "printf '%s\\n'")]);
  assert.equal(stdout.split('\n').at(-1), "--from-file=EGRESS_TOKEN_T=./my 'secrets'/$(id)");
});

describe('names and quantities for Kubernetes', () => {
  it('no claim of one bottle is that of another in the same namespace', async () => {
    const claims = async (name: string, volume: string) =>
      (await rendered(`name: ${name}\nagent: { image: b, volumes: ["${volume}:/x"] }`)).objects
        .filter(({ kind }) => kind === 'PersistentVolumeClaim')
        .map(({ metadata }) => metadata.name);
    const of = [...(await claims('a', 'b-data')), ...(await claims('a-b', 'x')), ...(await claims('a', 'b-x'))];
    assert.equal(new Set(of).size, 5, of.join());
  });

  it('keeps a name that is one already, and makes two of two that would look alike', () => {
    assert.equal(objectName('work'), 'work');
    assert.notEqual(objectName('my_cache'), objectName('my-cache'));
    assert.notEqual(objectName('My-cache'), objectName('my-cache'));
    for (const text of ['../..', 'a'.repeat(200), '_', 'Ünïcode', '.x.']) {
      assert.match(objectName(text), /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, text);
    }
  });

  it('writes bytes exactly', () => {
    assert.deepEqual([0, 1000, 1024, 1536 * 1024, 3 * 1024 ** 3].map(quantity), ['0', '1000', '1Ki', '1536Ki', '3Gi']);
  });
});

it('the example is a bottle for Kubernetes without a warning', async () => {
  const loaded = await loadBottle(BOTTLES.example ?? '', { engine: 'kubernetes' });
  assert.deepEqual(loaded.ok && loaded.warnings, []);
});
