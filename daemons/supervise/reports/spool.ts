import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../log/log.ts';
import { ownerOf, readOwnedFile } from '../../reports/owned-file.ts';
import {
  KIND_OF_SOURCE,
  LARGEST_REPORT,
  parseReport,
  REPORTED,
  type Report,
  reportHash,
  type Source,
} from '../../reports/report.ts';
import type { Scanner } from '../../scanner/finding.ts';
import type { Desk } from '../queue/desk.ts';
import { textHash } from '../queue/shown.ts';
import { maskSecrets } from '../secrets.ts';
import { printableText } from '../text.ts';

/** A directory in which one daemon leaves its reports. Whoever owns it is that daemon. */
export interface ReportSource {
  readonly source: Source;
  readonly directory: string;
}

export interface SpoolOptions {
  readonly source: ReportSource;
  readonly desk: Desk;
  readonly scanner: Scanner;
  readonly log: Log;
  readonly now: () => number;
}

/** Files that are looked at in one round; a directory with more is not this daemon's doing well. */
const MOST_FILES = 1000;
/** Skipped files that are remembered, so that each is told once. */
const MOST_TOLD = 1000;
/** So long nothing more is taken of a source that the queue has refused: each look at a report costs a scan. */
const REST_MS = 5_000;

/**
 * Takes in what lies in a spool directory: each call is one round. A report that the queue refuses for now stays, and is tried
 * again later; one that is none is told once and left alone.
 */
export function createSpool({
  source: { source, directory },
  desk,
  scanner,
  log,
  now,
}: SpoolOptions): () => Promise<void> {
  const told = new Set<string>();
  /** Files that are done with and still lie there, because their directory is another user's. */
  let done = new Set<string>();
  let restUntil = 0;

  function tellOnce(what: string, message: string): void {
    if (told.has(what)) return;
    if (told.size >= MOST_TOLD) told.clear();
    told.add(what);
    log('warn', message, { event: 'report-skipped', source });
  }

  async function round(): Promise<void> {
    if (desk.readOnly !== undefined || now() < restUntil) return;
    const owner = ownerOf(directory);
    if (!owner.ok) {
      // A daemon makes it when it has something to tell.
      if (!owner.isMissing)
        tellOnce(owner.reason, `reports of ${source} are not taken in: ${directory} ${owner.reason}`);
      return;
    }
    const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
    const present = new Set(names);
    done = new Set([...done].filter((name) => present.has(name)));
    for (const name of names.filter((one) => !done.has(one)).slice(0, MOST_FILES)) {
      if (now() < restUntil) return;
      await takeIn(name, owner.uid);
    }
  }

  async function takeIn(name: string, owner: number): Promise<void> {
    const path = join(directory, name);
    const read = readOwnedFile(path, owner, LARGEST_REPORT);
    if (read === undefined) return;
    if (!read.ok) {
      tellOnce(`${name}:${read.identity}`, `the report ${path} is skipped: it ${read.reason}`);
      return;
    }
    const report = parseReport(read.text);
    if (report === undefined) {
      tellOnce(`${name}:${read.stat.mtimeMs}`, `the report ${path} is skipped: it is not a report`);
      return;
    }
    if (report.kind !== KIND_OF_SOURCE[source]) {
      tellOnce(`kind:${name}`, `the report ${path} is skipped: ${source} does not report ${report.kind}`);
      return;
    }
    const until = report.until === undefined ? undefined : Date.parse(report.until);
    if (until !== undefined && until <= now()) return drop(path, name);
    const draft = await fitted(report, scanner);
    if (!draft.ok) {
      tellOnce('scan', `reports of ${source} wait: it cannot be told whether they hold a secret: ${draft.reason}`);
      restUntil = now() + REST_MS;
      return;
    }
    const { kind, facts, justification } = draft.report;
    const submitted = await desk.submit({
      kind,
      facts,
      justification,
      source,
      target: '',
      current: '',
      currentHash: '',
      proposed: '',
      report: `${source}/${name}:${textHash(read.text)}`,
      ...(until === undefined ? {} : { until }),
    });
    if (submitted.ok || submitted.cause === 'taken') return drop(path, name);
    tellOnce(`refused:${name}`, `the report ${path} waits: ${submitted.reason}`);
    restUntil = now() + REST_MS;
  }

  /** Where the directory is another user's, its owner clears it, and the queue knows what it has taken in. */
  async function drop(path: string, name: string): Promise<void> {
    await unlink(path).catch(() => done.add(name));
  }

  return round;
}

const NAME = /^[\w][\w.-]{0,199}\.json$/;

/** Without control characters and secrets. Where that takes something out, the hash by which the daemon knows it stands beside. */
async function fitted(
  report: Report,
  scanner: Scanner,
): Promise<{ readonly ok: true; readonly report: Report } | { readonly ok: false; readonly reason: string }> {
  const { kind, facts, justification } = report;
  const clean: Record<string, string> = {};
  let isSame = true;
  for (const [name, value] of Object.entries(facts)) {
    // A hash of a secret is none, and what stands for a request is to be shown as it is.
    const isKept = HASHES.has(name) && HASH.test(value);
    const masked = isKept ? undefined : await maskSecrets(scanner, printableText(value));
    if (masked?.ok === false) return masked;
    clean[name] = masked?.text ?? value;
    isSame &&= clean[name] === value;
  }
  if (!isSame) clean[REPORTED] = reportHash(report);
  const why = await maskSecrets(scanner, printableText(justification));
  return why.ok ? { ok: true, report: { kind, facts: clean, justification: why.text } } : why;
}

/** Facts that hold hashes. */
const HASHES: ReadonlySet<string> = new Set(['fingerprint', 'digest']);
const HASH = /^[0-9a-f]{64}$/;
