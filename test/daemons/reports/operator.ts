import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseReport, type Report, reportHash, type Source } from '../../../daemons/reports/report.ts';

/** A directory where a daemon leaves reports, and one where it reads decisions, with somebody who decides. */
export interface Operator {
  readonly spool: string;
  readonly decisions: string;
  /** What lies in the spool now. */
  reports(): readonly Report[];
  /** The first report that `fits`; waits for it. */
  asked(fits?: (report: Report) => boolean): Promise<Report>;
  /** Says what has become of a report, as supervise does. */
  say(report: Report, verdict: string, more?: Readonly<Record<string, unknown>>): void;
}

/** `cleanUp` takes what removes the directories in the end. */
export function startOperator(source: Source, cleanUp: (remove: () => void) => void): Operator {
  const directory = mkdtempSync(join(tmpdir(), 'operator-'));
  cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  const [spool, decisions] = [join(directory, 'spool'), join(directory, 'decisions')];
  mkdirSync(decisions, { mode: 0o755 });

  function reports(): readonly Report[] {
    let names: readonly string[] = [];
    try {
      names = readdirSync(spool).filter((name) => name.endsWith('.json'));
    } catch {
      // It is made with the first report.
    }
    return names.toSorted().flatMap((name) => {
      try {
        return parseReport(readFileSync(join(spool, name), 'utf8')) ?? [];
      } catch {
        return [];
      }
    });
  }

  return {
    spool,
    decisions,
    reports,
    async asked(fits = () => true) {
      for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
        const found = reports().find(fits);
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error('nobody asked');
    },
    say(report, verdict, more = {}) {
      const hash = reportHash(report);
      const decision = {
        id: 'p-7kq2',
        kind: report.kind,
        source,
        shown: hash,
        verdict,
        by: 'ada',
        reason: 'because',
        time: new Date().toISOString(),
        ...more,
      };
      const path = join(decisions, `${hash}.json`);
      writeFileSync(`${path}.draft`, JSON.stringify(decision), { mode: 0o644 });
      renameSync(`${path}.draft`, path);
    },
  };
}
