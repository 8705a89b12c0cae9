import { serviceManifest } from '../backup/service-manifest.ts';
import { manifestMarkdown, pathsTable, servicesTable, type Table } from '../backup/service-tables.ts';
import { fileOf, wholeBundle } from './bundle-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { print, table } from './output.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** Prints the services of a bundle, and what they keep where. */
export async function manifest({ values, names }: Arguments<Verbs['manifest']>): Promise<ExitCode> {
  const services = serviceManifest(await wholeBundle(fileOf(VERBS.manifest, values.file, names[0])));
  if (values.format === 'json') await print(`${JSON.stringify(services, undefined, 2)}\n`);
  else if (values.format === 'markdown') await print(manifestMarkdown(services));
  else await print(`${text(servicesTable(services))}\n${text(pathsTable(services))}`);
  return EXIT.ok;
}

function text({ head, rows }: Table): string {
  return table(
    head.map((title) => title.toUpperCase()),
    rows,
  );
}
