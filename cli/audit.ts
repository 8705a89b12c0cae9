import { audit as auditBundle, inOrder } from '../audit/audit.ts';
import { lookAtInit } from '../audit/look/processes.ts';
import { countOutcomes, isDrifted, OUTCOMES, type Outcome, type Row } from '../audit/row.ts';
import { createClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Failure, reasonOf } from './failure.ts';
import { paint, print, shown, table } from './output.ts';
import { wrong } from './parse.ts';
import { readStatus } from './read.ts';
import type { Arguments } from './verb.ts';
import { VERBS, type Verbs } from './verbs.ts';

/** Compares a running bundle with what is declared of it; records what is there, where asked to. */
export async function audit({ values }: Arguments<Verbs['audit']>): Promise<ExitCode> {
  if (values.pin) {
    if (values.file !== undefined || values.compose !== undefined) throw wrong(VERBS.audit, '--pin goes alone');
    return pin();
  }
  const rows = values.compose === undefined ? await here(values) : await project(values.compose);
  const counts = countOutcomes(rows);
  if (values.json) await print(`${JSON.stringify({ ...counts, rows })}\n`);
  else await print(`${tableOf(rows)}${summary(counts)}\n`);
  return isDrifted(rows) ? EXIT.failed : EXIT.ok;
}

async function here({ file, socket }: Arguments<Verbs['audit']>['values']): Promise<readonly Row[]> {
  const client = createClient(socket);
  const status = await readStatus(client);
  const init = lookAtInit(status.bundle.pid);
  if (init === undefined) {
    throw new Failure(
      EXIT.usage,
      `the init (pid ${status.bundle.pid}) cannot be seen from here; run the audit in its container: docker exec CONTAINER bottled audit`,
    );
  }
  return auditBundle({
    status,
    init,
    file: file ?? status.bundle.file,
    socket: client.socket,
    environment: init.environment ?? process.env,
    now: Date.now(),
  });
}

/** What the engine has of the project, and what each bundle in it says of itself. */
async function project(file: string): Promise<readonly Row[]> {
  const { auditWithin, lookAtProject } = await import('../audit/look/docker.ts');
  try {
    const { rows, bundles } = await lookAtProject(file);
    const within = await Promise.all(
      bundles.map(async ({ service, id }) =>
        (await auditWithin(id)).map((row) => ({ ...row, what: `${service}/${row.what}` })),
      ),
    );
    return inOrder([...rows, ...within.flat()]);
  } catch (error) {
    const reason = reasonOf(error).trim().split('\n').at(-1) ?? '';
    throw new Failure(
      EXIT.usage,
      `cannot audit ${file}: ${reason}; it has to be a rendered compose.yaml, and docker has to answer`,
    );
  }
}

async function pin(): Promise<ExitCode> {
  const { pinHere } = await import('../audit/look/programs.ts');
  try {
    const { file, pins } = await pinHere(process.env);
    const programs = Object.entries(pins.programs).filter(([, program]) => program !== null);
    const names = programs.map(([name, program]) => `${name} ${program?.version ?? ''}`).join(', ');
    await print(`${file}: ${names}; ${Object.keys(pins.files).length} files of bottled ${pins.bottled}\n`);
    return EXIT.ok;
  } catch (error) {
    throw new Failure(EXIT.failed, `nothing is recorded: ${reasonOf(error)}`);
  }
}

const HEAD = ['AREA', 'STATUS', 'WHAT', 'FOUND'];

const STYLES: Readonly<Record<Outcome, 'green' | 'red' | 'yellow'>> = {
  ok: 'green',
  drift: 'red',
  missing: 'red',
  unknown: 'yellow',
};

/** Each row in a line; a remedy in one of its own below. */
function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ area, what, status, found }) => [area, status, shown(what), shown(found)]);
  const text = table(HEAD, cells, (cell, column) =>
    column === 1 && isOutcome(cell) ? paint(STYLES[cell], cell) : cell,
  );
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const explained = lines.map((line, index) => {
    const remedy = rows[index]?.remedy ?? '';
    return remedy === '' ? line : `${line}\n${INDENT}${paint('bold', `-> ${shown(remedy)}`)}`;
  });
  return `${[head, ...explained].join('\n')}\n`;
}

/** As wide as the first column. */
const INDENT = ' '.repeat('configuration  '.length);

function isOutcome(text: string): text is Outcome {
  return OUTCOMES.some((outcome) => outcome === text);
}

function summary(counts: Readonly<Record<Outcome, number>>): string {
  const parts = OUTCOMES.filter((outcome) => counts[outcome] > 0).map((outcome) => `${counts[outcome]} ${outcome}`);
  const isWell = counts.drift === 0 && counts.missing === 0;
  return paint(isWell ? 'green' : 'red', `${isWell ? 'no drift' : 'drift'}: ${parts.join(', ')}`);
}
