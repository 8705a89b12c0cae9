import { drift, missing, ok, type Row, unknown } from './row.ts';

/** bottled on disk and bottled that runs. */
export function versionRow(running: string, onDisk: string, revision: string | undefined): Row {
  const built = revision === undefined || revision === '' ? '' : `, revision ${revision}`;
  if (running === onDisk) return ok('images', 'bottled', `${running}${built}`);
  return drift('images', 'bottled', `the init is ${running}, installed is ${onDisk}${built}`, 'start the bundle anew');
}

/** A service of a rendered compose.yaml, and what the engine has of it. */
export interface ServiceFacts {
  readonly name: string;
  readonly image: string;
  /** Id of that image now; undefined where it is not there. */
  readonly imageId: string | undefined;
  /** What Compose makes of the service in the file as it is now; undefined where no Compose tells. */
  readonly made: Made | undefined;
  /** Its containers. */
  readonly containers: readonly ContainerFacts[];
}

/** What a container is made from, as Compose notes it on each: only the same version of it has the same hash for the same. */
export interface Made {
  readonly hash: string;
  readonly version: string;
}

export interface ContainerFacts {
  readonly name: string;
  readonly service: string;
  /** Id of the image that it was made from. */
  readonly imageId: string;
  readonly made: Made;
  /** As `docker inspect` has it: "running", "exited". */
  readonly state: string;
  /** The image's label org.opencontainers.image.revision. */
  readonly revision: string;
}

/** Compares the containers of a service with its image. */
export function serviceRow({ name, image, imageId, made, containers }: ServiceFacts): Row {
  const up = 'docker compose up --detach';
  const [container] = containers;
  if (container === undefined) return missing('images', name, `no container of ${image}`, up);
  const stopped = containers.find(({ state }) => state !== 'running');
  if (stopped !== undefined) return drift('images', name, `${stopped.name} is ${stopped.state}`, up);
  if (imageId === undefined)
    return unknown('images', name, `${image} is not on this machine any more`, `docker pull ${image}`);
  const old = containers.find((one) => one.imageId !== imageId);
  if (old !== undefined) {
    return drift('images', name, `${old.name} runs ${short(old.imageId)}; ${image} is ${short(imageId)} now`, up);
  }
  const other = containers.find((one) => one.made.version === made?.version && one.made.hash !== made.hash);
  if (other !== undefined) return drift('images', name, `${other.name} was made before the file was changed`, up);
  const revision = container.revision === '' ? '' : `, revision ${container.revision}`;
  return ok('images', name, `${image} ${short(imageId)}${revision}`);
}

/** Containers of the project whose service is not in its file. */
export function orphanRows(containers: readonly ContainerFacts[], services: readonly string[]): readonly Row[] {
  return containers
    .filter(({ service }) => !services.includes(service))
    .map(({ name, service }) =>
      drift(
        'leftovers',
        name,
        `container of ${service}, which the file does not have`,
        'docker compose up --detach --remove-orphans',
      ),
    );
}

function short(id: string): string {
  return id.slice(0, 'sha256:'.length + 12);
}
