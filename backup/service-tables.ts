import { BACKUP_CLASSES } from '../init/bundle/data.ts';
import type { BackupClass, Service, ServiceManifest, ServicePath } from './service-manifest.ts';

/** A table of texts, to be set as Markdown or for a terminal. */
export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What each class means, and what gets back what is of it. */
export const CLASS_MEANINGS: Readonly<Record<BackupClass, readonly [meaning: string, comesBack: string]>> = {
  git: ['Its contents are in a git repository.', 'A clone.'],
  reproducible: ['A start makes it anew from what lies elsewhere.', 'The next start.'],
  'must-back-up': ['It is nowhere else.', '`bottled restore`, and nothing but that.'],
  disposable: ['Nobody misses it.', 'Nothing has to.'],
};

/** One row for each service. */
export function servicesTable({ services }: ServiceManifest): Table {
  return {
    head: ['service', 'purpose', 'source', 'install', 'runs', 'health check', 'log'],
    rows: services.map(({ name, purpose, source, install, command, health, log }) => [
      name,
      purpose,
      source,
      install,
      command,
      health,
      log,
    ]),
  };
}

/** One row for each path of each service. */
export function pathsTable({ services }: ServiceManifest): Table {
  return {
    head: ['service', 'path', 'backup class', 'mode', 'what is in it'],
    rows: services.flatMap(({ name, paths }) => paths.map((path) => [name, ...pathCells(path)])),
  };
}

/** One row for each service that is given variables or secrets. */
export function environmentTable({ services }: ServiceManifest): Table {
  return {
    head: ['service', 'variables', 'secrets'],
    rows: services
      .filter(({ environment, secrets }) => environment.length + secrets.length > 0)
      .map(({ name, environment, secrets }) => [name, environment.join(', '), secrets.join(', ')]),
  };
}

/** One row for each class: what it means and where it is used. */
export function policyTable({ services }: ServiceManifest): Table {
  return {
    head: ['backup class', 'meaning', 'what brings it back', 'paths'],
    rows: BACKUP_CLASSES.map((name) => [name, ...CLASS_MEANINGS[name], pathsOf(services, name)]),
  };
}

/** The whole manifest as a Markdown document. */
export function manifestMarkdown(manifest: ServiceManifest): string {
  return [
    `# Services of ${manifest.bundle}\n`,
    markdownTable(servicesTable(manifest)),
    '\n## Paths\n',
    markdownTable(pathsTable(manifest)),
    '\n## Variables and secrets\n',
    markdownTable(environmentTable(manifest)),
    '\n## Backup policy\n',
    `${markdownTable(policyTable(manifest))}\n`,
  ].join('\n');
}

/** A table in Markdown. Paths, commands and names of variables are set as code. */
export function markdownTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  const body = rows.map((cells) => cells.map((cell, column) => (isCode(head[column]) ? code(cell) : cell)));
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

const CODE: ReadonlySet<string> = new Set([
  'path',
  'paths',
  'runs',
  'health check',
  'log',
  'variables',
  'secrets',
  'backup class',
]);

function isCode(title: string | undefined): boolean {
  return title !== undefined && CODE.has(title);
}

function code(cell: string): string {
  return cell
    .split(', ')
    .map((part) => (part === '' ? '' : `\`${part}\``))
    .join(', ');
}

function pathCells({ path, backup, mode, purpose }: ServicePath): readonly string[] {
  return [path, backup, mode, purpose];
}

function pathsOf(services: readonly Service[], backup: BackupClass): string {
  const paths = services.flatMap((service) => service.paths.filter((path) => path.backup === backup));
  return [...new Set(paths.map(({ path }) => path))].join(', ');
}
