import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { IContainer, IPodSpec, IVolume } from 'kubernetes-models/v1';
import { docker } from './engine.ts';

/**
 * A pod without a cluster: the containers of a manifest on Docker, as a kubelet starts them. They share the network of a sandbox, have the
 * users, capabilities and mounts that the manifest says, and their ConfigMaps and Secrets are links that are swapped as a whole.
 */
export interface Pod {
  readonly sandbox: string;
  readonly address: string;
  /** Starts a container of the manifest; `attached` waits for its end, and rejects where it ends badly. */
  start(name: string, how: 'attached' | 'detached'): Promise<string>;
  /** New content for a ConfigMap or a Secret, as `kubectl apply` brings it. */
  publish(object: string, data: Readonly<Record<string, string>>): void;
}

export interface PodOptions {
  readonly spec: IPodSpec;
  readonly network: string;
  /** Of every container, so that nothing has to be pulled. */
  readonly image: string;
  /** The Service by which others find it. */
  readonly service?: string;
  /** ConfigMaps and Secrets by name. */
  readonly objects: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export async function makePod(t: Pick<TestContext, 'after'>, options: PodOptions): Promise<Pod> {
  const { spec, network, image, service } = options;
  const directory = mkdtempSync(join(tmpdir(), 'bottled-pod-'));
  const containers: string[] = [];
  t.after(async () => {
    if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers);
    rmSync(directory, { recursive: true, force: true });
  });

  const aliases = (spec.hostAliases ?? []).flatMap(({ ip, hostnames = [] }) =>
    hostnames.map((host) => `${host}:${ip}`),
  );
  const hosts = aliases.flatMap((alias) => ['--add-host', alias]);
  const sandbox = await docker(
    'run',
    '--detach',
    '--network',
    network,
    ...(service === undefined ? [] : ['--network-alias', service]),
    ...hosts,
    '--entrypoint',
    'sleep',
    image,
    'infinity',
  );
  containers.push(sandbox);

  const volumes = spec.volumes ?? [];
  for (const volume of volumes) makeVolume(directory, volume);
  function publish(object: string, data: Readonly<Record<string, string>>): void {
    for (const volume of volumes) {
      const { configMap, secret } = volume;
      if ((configMap?.name ?? secret?.secretName) !== object) continue;
      const items = secret?.items ?? Object.keys(data).map((key) => ({ key, path: key }));
      const files = items.map(({ key, path }): [string, string] => [path, data[key] ?? '']);
      swap(join(directory, volume.name), files, secret?.defaultMode ?? 0o644);
    }
  }
  for (const [name, data] of Object.entries(options.objects)) publish(name, data);

  return {
    sandbox,
    address: await docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', sandbox),
    publish,
    async start(name, how) {
      const found = [...(spec.initContainers ?? []), ...spec.containers].find((each) => each.name === name);
      if (found === undefined) throw new Error(`the manifest has no container ${name}`);
      const options = [...optionsOf(found, directory), '--network', `container:${sandbox}`];
      const [program = [], ...rest] = [...(found.command ?? [])];
      const entrypoint = found.command === undefined ? [] : ['--entrypoint', String(program)];
      const command = [image, ...rest, ...(found.args ?? [])];
      if (how === 'attached') return await docker('run', '--rm', ...options, ...entrypoint, ...command);
      const id = await docker('run', '--detach', ...options, ...entrypoint, ...command);
      containers.push(id);
      return id;
    },
  };
}

function optionsOf({ securityContext, env = [], volumeMounts = [] }: IContainer, directory: string): string[] {
  const {
    runAsUser = 0,
    runAsGroup = 0,
    capabilities,
    readOnlyRootFilesystem,
    allowPrivilegeEscalation,
  } = securityContext ?? {};
  return [
    ...['--user', `${runAsUser}:${runAsGroup}`],
    ...(capabilities?.drop ?? []).flatMap((name) => ['--cap-drop', name]),
    ...(capabilities?.add ?? []).flatMap((name) => ['--cap-add', name]),
    ...(readOnlyRootFilesystem === true ? ['--read-only'] : []),
    ...(allowPrivilegeEscalation === false ? ['--security-opt', 'no-new-privileges:true'] : []),
    ...env.flatMap(({ name, value = '' }) => ['--env', `${name}=${value.replaceAll('$$', '$')}`]),
    ...volumeMounts.flatMap(({ name, mountPath, readOnly }) => [
      '--volume',
      `${join(directory, name)}:${mountPath}${readOnly === true ? ':ro' : ''}`,
    ]),
  ];
}

/** A directory: of root for a claim, of everybody for an emptyDir, as kubelets make them. */
function makeVolume(directory: string, { name, emptyDir }: IVolume): void {
  mkdirSync(join(directory, name));
  chmodSync(join(directory, name), emptyDir === undefined ? 0o755 : 0o777);
}

let generation = 0;

/** Links to `..data`, which is a link to a directory: so all files change at one moment (kubelet's AtomicWriter). */
function swap(directory: string, files: readonly (readonly [string, string])[], mode: number): void {
  const version = `..version-${generation++}`;
  mkdirSync(join(directory, version), { mode: 0o755 });
  for (const [name, text] of files) writeFileSync(join(directory, version, name), text, { mode });
  rmSync(join(directory, '..data'), { force: true });
  symlinkSync(version, join(directory, '..data'));
  for (const [name] of files) {
    rmSync(join(directory, name), { force: true });
    symlinkSync(`..data/${name}`, join(directory, name));
  }
}
