import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { docker } from '../container/engine.ts';
import { bottleFile, CREDENTIALS } from './bottle-file.ts';
import { compose } from './engine.ts';

/** The command from its sources: what is tested here is what it renders. */
const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface BottleSettings {
  readonly name: string;
  readonly directory: string;
  readonly images: { readonly agent: string; readonly sidecars: string };
  readonly layout: 'bundle' | 'split';
}

/** A bottle that runs, as `bottled render compose` makes it. */
export interface Bottle {
  /** Of the project of Compose. */
  readonly name: string;
  /** Container of the agent. */
  readonly agent: string;
  /** Containers with daemons in them. */
  readonly daemons: readonly string[];
  /** The container whose network the daemons have. */
  readonly namespace: string;
  readonly internal: string;
  readonly outward: string;
  /** The container in which a daemon runs. */
  containerOf(daemon: string): string;
}

/** Writes bottle.yaml, renders it, and starts what was rendered. */
export async function startBottle(
  { name, directory, images, layout }: BottleSettings,
  ends: (() => Promise<unknown> | unknown)[],
): Promise<Bottle> {
  mkdirSync(join(directory, 'secrets'), { mode: 0o700 });
  for (const [secret, value] of Object.entries(CREDENTIALS)) {
    writeFileSync(join(directory, 'secrets', secret), value, { mode: 0o600 });
  }
  writeFileSync(join(directory, 'bottle.yaml'), bottleFile(name, images));
  await execa(process.execPath, [CLI, 'render', 'compose', '--file', 'bottle.yaml', '--layout', layout], {
    cwd: directory,
  });
  ends.push(() => compose(directory, 'down', '--volumes'));
  await compose(directory, 'up', '--detach', '--quiet-pull');
  const containers = new Map(
    (
      await docker(
        'ps',
        '--filter',
        `label=com.docker.compose.project=${name}`,
        '--format',
        '{{.Label "com.docker.compose.service"}} {{.Names}}',
      )
    )
      .split('\n')
      .map((line): [string, string] => {
        const [service = '', container = ''] = line.split(' ');
        return [service, container];
      }),
  );
  const containerOf = (service: string): string => {
    const found = containers.get(service) ?? containers.get('sidecars');
    if (found === undefined) throw new Error(`nothing runs ${service}: ${[...containers.keys()]}`);
    return found;
  };
  return {
    name,
    agent: containerOf('agent'),
    daemons: [...containers].filter(([service]) => service !== 'agent').map(([, container]) => container),
    namespace: containerOf('pipelock'),
    internal: `${name}_internal`,
    outward: `${name}_outward`,
    containerOf,
  };
}
