import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serviceManifest } from '../backup/service-manifest.ts';
import { environmentTable, markdownTable, pathsTable, policyTable, servicesTable } from '../backup/service-tables.ts';
import { EXIT_MEANINGS } from '../cli/exit-codes.ts';
import { verbHelp } from '../cli/help.ts';
import type { Verb } from '../cli/verb.ts';
import { VERBS } from '../cli/verbs.ts';
import { BOTTLE_FREE_NAMES, bottleJsonSchema } from '../compose/bottle/json-schema.ts';
import { PATHS } from '../compose/plan.ts';
import { formatDuration } from '../config/duration.ts';
import type { Json } from '../config/json-schema.ts';
import { referenceTable } from '../config/reference.ts';
import { gateJsonSchema } from '../daemons/git-gate/config/schema.ts';
import { policyJsonSchema } from '../daemons/mcp-bridge/config/schema.ts';
import { pipelockJsonSchema } from '../daemons/pipelock/settings.ts';
import { routesJsonSchema, routesReference } from '../daemons/routes/json-schema.ts';
import { FREE_NAMES, jsonSchema } from '../init/bundle/json-schema.ts';
import { loadBundle } from '../init/bundle/load.ts';
import { LIMITS } from '../init/control/limits.ts';
import { FAMILIES } from '../init/control/metrics.ts';
import { PROBLEMS } from '../init/control/problem.ts';
import type { Rate } from '../init/control/rates.ts';
import { MAX_WAIT, ROUTES } from '../init/control/routes.ts';

/**
 * Writes what the documents take from the code: the regions `<!-- generated: NAME -->…<!-- /generated -->` of every document
 * in this folder, and the JSON Schema of every configuration file. With --check it writes nothing and fails where something is out of date.
 */

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The bundle as it is shipped, with its defaults: nothing of this machine's environment. */
const shipped = await loadBundle({
  file: fileURLToPath(new URL('../daemons/bundle.yaml', import.meta.url)),
  environment: { BOTTLED_CA: PATHS.authority, BOTTLED_PROFILES: '*' },
});
if (!shipped.ok) throw new Error('daemons/bundle.yaml is not valid; see bottled check daemons/bundle.yaml');
const services = serviceManifest(shipped.bundle);

const REGIONS: Readonly<Record<string, () => string>> = {
  'exit-codes': () => rows(['code', 'meaning'], Object.entries(EXIT_MEANINGS)),
  verbs: () => Object.values(VERBS).map(verbSection).join('\n\n'),
  routes: () =>
    rows(
      ['route', 'access', 'answers', 'errors', ''],
      ROUTES.map(({ method, path, access, responses, problems, summary }) => [
        `\`${method} ${path}\``,
        access,
        Object.keys(responses).join(', '),
        [...new Set(problems.map((kind) => PROBLEMS[kind].status))].sort((a, b) => a - b).join(', '),
        summary,
      ]),
    ),
  problems: () =>
    rows(
      ['type', 'status', 'meaning'],
      Object.entries(PROBLEMS).map(([kind, { status, title }]) => [`\`${kind}\``, String(status), title]),
    ),
  bounds: () =>
    rows(
      ['what', 'bound'],
      [
        ['connections per listener', String(LIMITS.connections)],
        ['streams at a time, per listener', String(LIMITS.streams)],
        ['a request body', `${LIMITS.body / 1024} KiB`],
        ['time until a request has come in whole', formatDuration(LIMITS.request)],
        ['time until an answer is taken whole', formatDuration(LIMITS.answer)],
        ['queued for one reader of a stream', `${LIMITS.backlog / 1_048_576} MiB`],
        ['time until a reader of a stream takes something', formatDuration(LIMITS.stall)],
        ['`wait` of a command', formatDuration(MAX_WAIT)],
        ['commands of one control plane', rateText(LIMITS.commands)],
        ['requests with a token over TCP, of one control plane', rateText(LIMITS.requests)],
        ['requests without a good token over TCP, of all together', rateText(LIMITS.strangers)],
      ],
    ),
  metrics: () =>
    rows(
      ['family', 'type', 'labels', 'meaning'],
      FAMILIES.map(({ name, type, labels, help }) => [
        `\`${name}\``,
        type,
        labels.map((label) => `\`${label}\``).join(', '),
        help,
      ]),
    ),
  services: () => markdownTable(servicesTable(services)),
  'service-paths': () => markdownTable(pathsTable(services)),
  'service-environment': () => markdownTable(environmentTable(services)),
  'backup-policy': () => markdownTable(policyTable(services)),
  'bundle-schema': () => referenceTable(jsonSchema(), FREE_NAMES),
  'bottle-schema': () => referenceTable(ownKeys(bottleJsonSchema()), BOTTLE_FREE_NAMES),
  'routes-schema': routesReference,
  'git-gate-schema': () => referenceTable(gateJsonSchema(), { repos: '<name>' }),
  'polis-policy-schema': () => referenceTable(policyJsonSchema()),
  'pipelock-schema': () => referenceTable(pipelockJsonSchema()),
};

const SCHEMAS: Readonly<Record<string, () => Json>> = {
  'bottle.schema.json': bottleJsonSchema,
  'bundle.schema.json': jsonSchema,
  'routes.schema.json': routesJsonSchema,
  'git-gate.schema.json': gateJsonSchema,
  'pipelock.schema.json': pipelockJsonSchema,
  'polis-policy.schema.json': policyJsonSchema,
};

function rateText({ burst, perSecond }: Rate): string {
  return `${burst} at once, ${perSecond} a second`;
}

/** Sections of a bottle that are files of daemons have references of their own. */
const DAEMON_SECTIONS: ReadonlySet<string> = new Set(['egress', 'pipelock', 'git', 'mcp']);

/** The schema of a bottle with nothing below the keys that are told elsewhere. */
function ownKeys(schema: Json): Json {
  const { properties } = schema;
  const own = Object.entries(properties ?? {}).map(([name, value]): [string, unknown] => {
    if (!DAEMON_SECTIONS.has(name)) return [name, value];
    const { description } = { description: '', ...value };
    return [name, { type: 'object', description }];
  });
  return { ...schema, properties: Object.fromEntries(own) };
}

function verbSection(verb: Verb): string {
  return `### ${verb.name}\n\n\`\`\`text\n${verbHelp(verb).trimEnd()}\n\`\`\``;
}

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n');
}

/** Tables with their columns aligned, as the formatter writes them. */
function aligned(text: string): string {
  return text.replace(/(?:^\|.*\|$\n?)+/gm, (table) => {
    const cells = table
      .trimEnd()
      .split('\n')
      .map((line) =>
        line
          .slice(1, -1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim()),
      );
    const widths = cells[0]?.map((_, column) => Math.max(3, ...cells.map((row) => width(row, column)))) ?? [];
    const lines = cells.map((row, index) =>
      row.map((cell, column) =>
        index === 1 ? cell.padEnd(widths[column] ?? 0, '-') : cell.padEnd(widths[column] ?? 0),
      ),
    );
    return `${lines.map((row) => `| ${row.join(' | ')} |`).join('\n')}${table.endsWith('\n') ? '\n' : ''}`;
  });
}

function width(row: readonly string[], column: number): number {
  const cell = row[column] ?? '';
  return /^-+$/.test(cell) ? 3 : cell.length;
}

/** The document with every region filled anew. Throws where a region has an unknown name or no end. */
function fill(name: string, text: string): string {
  const filled = text.replace(
    /(<!-- generated: ([\w-]+) -->\n).*?(<!-- \/generated -->)/gs,
    (_whole, begin, region, end) => {
      const make = Object.hasOwn(REGIONS, region) ? REGIONS[region] : undefined;
      if (make === undefined)
        throw new Error(`${name}: there is no region "${region}"; known: ${Object.keys(REGIONS).join(', ')}`);
      return `${begin}\n${aligned(make())}\n\n${end}`;
    },
  );
  const begins = text.match(/<!-- generated: /g)?.length ?? 0;
  const ends = text.match(/<!-- \/generated -->/g)?.length ?? 0;
  if (begins !== ends) throw new Error(`${name}: ${begins} regions begin and ${ends} end`);
  return filled;
}

/** The first line in which two texts differ, for the one who has to look. */
function firstDifference(before: string, after: string): string {
  const old = before.split('\n');
  const made = after.split('\n');
  const line = made.findIndex((text, index) => text !== old[index]);
  const at = line < 0 ? made.length : line;
  return `line ${at + 1}:\n  - ${old[at] ?? '(end)'}\n  + ${made[at] ?? '(end)'}`;
}

function main(check: boolean): void {
  const documents = readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => {
      const before = readFileSync(folder + name, 'utf8');
      return { name, before, after: fill(name, before) };
    });
  const schemas = Object.entries(SCHEMAS).map(([name, make]) => {
    const before = existsSync(folder + name) ? readFileSync(folder + name, 'utf8') : '';
    return { name, before, after: `${JSON.stringify(make(), undefined, 2)}\n` };
  });
  const stale = [...documents, ...schemas].filter((document) => document.before !== document.after);

  for (const document of stale) {
    if (check) {
      process.stderr.write(
        `docs/${document.name} is out of date, ${firstDifference(document.before, document.after)}\n`,
      );
    } else {
      writeFileSync(folder + document.name, document.after);
      process.stdout.write(`docs/${document.name} written\n`);
    }
  }
  if (check && stale.length > 0) {
    process.stderr.write('run "npm run docs" and commit what it writes\n');
    process.exitCode = 1;
  }
}

main(process.argv.includes('--check'));
