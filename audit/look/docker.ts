import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import { isAsRendered } from '../../compose/seal.ts';
import { type ContainerFacts, type Made, orphanRows, type ServiceFacts, serviceRow } from '../images.ts';
import { AREAS, drift, OUTCOMES, ok, type Row } from '../row.ts';

const run = promisify(execFile);
const ANSWER_MS = 60_000;

const composeSchema = z.object({
  name: z.string(),
  services: z.record(z.string(), z.object({ image: z.optional(z.string()) })),
});

const rowSchema = z.array(
  z.object({
    area: z.enum(AREAS),
    what: z.string(),
    status: z.enum(OUTCOMES),
    found: z.string(),
    remedy: z.string(),
  }),
);

const inspected = z.array(
  z.object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    State: z.object({ Status: z.string() }),
    Config: z.object({
      Labels: z.nullable(z.record(z.string(), z.string())),
      Entrypoint: z.nullish(z.array(z.string())),
    }),
  }),
);

type Inspected = z.output<typeof inspected>[number];

/** A project as the engine has it: its rows, and the containers that bottled runs in. */
export interface Project {
  readonly rows: readonly Row[];
  /** Ids of the running containers whose process 1 is bottled, by service. */
  readonly bundles: readonly { readonly service: string; readonly id: string }[];
}

/** Compares a rendered compose.yaml with what the engine runs. Throws an error of one line where there is no engine. */
export async function lookAtProject(file: string): Promise<Project> {
  const text = readFileSync(file, 'utf8');
  const { name, services } = composeOf(text);
  const ids = (await docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${name}`)).split(
    '\n',
  );
  const found = ids.filter((id) => id !== '');
  const containers = found.length === 0 ? [] : z.parse(inspected, JSON.parse(await docker('inspect', ...found)));
  const facts = containers.map(containerFacts);
  const made = await madeBy(file);
  const rows = await Promise.all(
    Object.entries(services).map(async ([service, { image = '' }]): Promise<Row> => {
      const one: ServiceFacts = {
        name: service,
        image,
        imageId: await imageId(image),
        made: made.get(service),
        containers: facts.filter((container) => container.service === service),
      };
      return serviceRow(one);
    }),
  );
  return {
    rows: [sealRow(file, text), ...rows, ...orphanRows(facts, Object.keys(services))],
    bundles: containers
      .filter(({ State, Config }) => State.Status === 'running' && Config.Entrypoint?.[0] === 'bottled')
      .map(({ Id, Config }) => ({ service: Config.Labels?.[SERVICE] ?? '', id: Id })),
  };
}

function composeOf(text: string): z.output<typeof composeSchema> {
  try {
    return z.parse(composeSchema, parse(text));
  } catch {
    throw new Error('it names no project with services');
  }
}

/** What `bottled audit` says in a container. Throws an error of one line where it says nothing. */
export async function auditWithin(id: string): Promise<readonly Row[]> {
  // It ends with 1 where it finds drift.
  const said = await run('docker', ['exec', id, 'bottled', 'audit', '--json'], { timeout: ANSWER_MS }).catch(
    (error: unknown) => {
      if (typeof error === 'object' && error !== null && 'stdout' in error && error.stdout !== '')
        return { stdout: String(error.stdout) };
      throw error;
    },
  );
  return z.parse(z.object({ rows: rowSchema }), JSON.parse(said.stdout)).rows;
}

const SERVICE = 'com.docker.compose.service';
const HASH = 'com.docker.compose.config-hash';
const COMPOSE = 'com.docker.compose.version';

/** What Compose would make each service of the file from; of none where there is no Compose, or where it does not take the file. */
async function madeBy(file: string): Promise<ReadonlyMap<string, Made>> {
  for (const [program, ...words] of [['docker', 'compose'], ['docker-compose']] as const) {
    try {
      const { stdout: said } = await run(program, [...words, 'version', '--short'], { timeout: ANSWER_MS });
      const { stdout } = await run(program, [...words, '--file', file, 'config', '--hash', '*'], {
        timeout: ANSWER_MS,
      });
      const version = said.trim().replace(/^v/, '');
      return new Map(
        stdout.split('\n').flatMap((line): [string, Made][] => {
          const [service = '', hash] = line.split(' ');
          return hash === undefined ? [] : [[service, { hash, version }]];
        }),
      );
    } catch {
      // The other one may be there.
    }
  }
  return new Map();
}

function containerFacts({ Name, Image, State, Config }: Inspected): ContainerFacts {
  return {
    name: Name.replace(/^\//, ''),
    service: Config.Labels?.[SERVICE] ?? '',
    imageId: Image,
    made: { hash: Config.Labels?.[HASH] ?? '', version: Config.Labels?.[COMPOSE] ?? '' },
    state: State.Status,
    revision: Config.Labels?.['org.opencontainers.image.revision'] ?? '',
  };
}

function sealRow(file: string, text: string): Row {
  if (isAsRendered(text)) return ok('configuration', file, 'as rendered');
  return drift(
    'configuration',
    file,
    'changed since it was rendered, or not rendered',
    'put the change into bottle.yaml, then bottled render compose --force',
  );
}

async function imageId(image: string): Promise<string | undefined> {
  try {
    return (await docker('image', 'inspect', '--format', '{{.Id}}', image)).trim();
  } catch {
    return undefined;
  }
}

async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('docker', args, { timeout: ANSWER_MS, maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}
