import { fileURLToPath } from 'node:url';
import { docker } from '../container/engine.ts';

const SCRIPTS = fileURLToPath(new URL('containers', import.meta.url));

/** Makes containers and networks that belong to one bottle under test, and removes them. */
export interface Surroundings {
  /** A container of the agent's image; without a command it waits. Its name. */
  container(suffix: string, options: readonly string[], command?: readonly string[]): Promise<string>;
  /** A network. Its name. */
  network(suffix: string, ...options: readonly string[]): Promise<string>;
  /** Options that mount one of the scripts at /opt. */
  script(file: string): readonly string[];
  /** Before containers and networks are removed. */
  atEnd(end: () => Promise<void> | void): void;
  remove(): Promise<void>;
}

/** `directory` has what all of these containers see: the outside's authority and the agent's scripts. */
export function createSurroundings(name: string, directory: string, image: string): Surroundings {
  const containers: string[] = [];
  const networks: string[] = [];
  const ends: (() => Promise<void> | void)[] = [];
  return {
    async container(suffix, options, command = ['sleep', 'infinity']) {
      const shared = ['outside-ca:/outside-ca:ro', 'agent:/attack:ro'];
      const mounts = shared.flatMap((mount) => ['--volume', `${directory}/${mount}`]);
      const made = `${name}-${suffix}`;
      containers.push(made);
      await docker('run', '--detach', '--name', made, ...mounts, ...options, image, ...command);
      return made;
    },
    async network(suffix, ...options) {
      const made = `${name}-${suffix}`;
      await docker('network', 'create', ...options, made);
      networks.push(made);
      return made;
    },
    script: (file) => ['--volume', `${SCRIPTS}/${file}:/opt/${file}:ro`],
    atEnd: (end) => void ends.push(end),
    async remove() {
      for (const end of ends) await end();
      if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers);
      if (networks.length > 0) await docker('network', 'rm', ...networks);
    },
  };
}
