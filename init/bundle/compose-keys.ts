/** Keys of Compose files that a bundle has no use for, with what to do instead. */
const OF_A_FILE: Readonly<Record<string, string>> = {
  agent: 'this is a bottle, which "bottled render compose -o - FILE" checks',
  sidecars: 'this is a bottle, which "bottled render compose -o - FILE" checks',
  services: 'what Compose calls services are daemons here',
  version: 'leave it out',
  networks: 'the container has the networks; all daemons share them',
  volumes: 'the container has the volumes; all daemons share them',
  configs: 'put the file into the image or mount it into the container',
  include: 'a bundle is one file',
};

const CONTAINER = 'belongs to the container, not to a daemon in it';
const OF_A_DAEMON: Readonly<Record<string, string>> = {
  image: 'all daemons run from the one image of the container',
  build: 'all daemons run from the one image of the container',
  container_name: CONTAINER,
  hostname: CONTAINER,
  networks: CONTAINER,
  network_mode: CONTAINER,
  ports: CONTAINER,
  expose: CONTAINER,
  volumes: CONTAINER,
  tmpfs: CONTAINER,
  devices: CONTAINER,
  dns: CONTAINER,
  extra_hosts: CONTAINER,
  links: 'daemons reach each other on 127.0.0.1',
  privileged: 'name what it needs in cap_add',
  read_only: CONTAINER,
  init: 'bottled is the init',
  tty: 'a daemon has no terminal',
  stdin_open: 'a daemon has no terminal',
  mem_limit: CONTAINER,
  cpus: CONTAINER,
  deploy: 'use restart and backoff; limits belong to the container',
  extends: 'use a YAML anchor and "<<"',
};

/** What to do about a key of Compose that a bundle does not know; `depth` 0 is the top of the file, 2 a daemon. */
export function foreignKeyHint(key: string, depth: number): string | undefined {
  const hints = depth === 0 ? OF_A_FILE : depth === 2 ? OF_A_DAEMON : {};
  return Object.hasOwn(hints, key) ? hints[key] : undefined;
}
