import { drift, LOOK_AS_ROOT, ok, type Row, unknown } from './row.ts';

/** A file below a directory of the bundle. */
export interface FoundFile {
  readonly path: string;
  readonly kind: 'file' | 'socket' | 'other';
  /** When it was last written, in ms since 1970. */
  readonly written: number;
}

export interface LeftoverFacts {
  readonly files: readonly FoundFile[];
  /** Directories that could not be looked into. */
  readonly unseen: readonly string[];
  /** There was more than is looked at. */
  readonly isCutShort: boolean;
  /** Paths of sockets that somebody listens on. */
  readonly served: ReadonlySet<string>;
  /** How many reports wait in each spool directory. */
  readonly spools: readonly { readonly directory: string; readonly reports: number }[];
}

/** A name that something gives to a file for a short time, and after how many ms it is left over. */
interface Rule {
  readonly name: RegExp;
  readonly what: string;
  readonly after: number;
}

const MINUTE_MS = 60_000;

/** Names of files that are written beside their target and then put in its place, and of locks. */
const RULES: readonly Rule[] = [
  { name: /\.draft$/, what: 'a draft', after: MINUTE_MS },
  { name: /^\..+\.next$/, what: 'a draft', after: MINUTE_MS },
  { name: /\.new$/, what: 'a draft', after: MINUTE_MS },
  { name: /^(tmp_(pack|obj|idx|rev)_|\.tmp-)/, what: 'an unfinished pack', after: 60 * MINUTE_MS },
  { name: /\.lock$/, what: 'a lock', after: 60 * MINUTE_MS },
];

/** Reports that a daemon leaves for supervise at most; from there on it can leave no more. */
const MOST_REPORTS = 100;

/** Finds what nobody will come back for. `now` in ms since 1970. */
export function leftoverRows(facts: LeftoverFacts, now: number): readonly Row[] {
  const rows = [
    ...facts.files.flatMap((file) => fileRow(file, facts.served, now)),
    ...facts.spools
      .filter(({ reports }) => reports >= MOST_REPORTS)
      .map(({ directory, reports }) =>
        drift(
          'leftovers',
          directory,
          `${reports} reports wait: no more can be left`,
          'look whether supervise runs: bottled status',
        ),
      ),
  ];
  const [unseen, ...more] = facts.unseen;
  if (unseen !== undefined) {
    const others = more.length === 0 ? '' : `, nor ${more.length} more`;
    rows.push(unknown('leftovers', unseen, `may not be looked into${others}`, LOOK_AS_ROOT));
  }
  if (facts.isCutShort) rows.push(unknown('leftovers', 'files', 'there are too many files to look at them all', ''));
  return rows.length > 0 ? rows : [ok('leftovers', 'files', `none among ${facts.files.length}`)];
}

function fileRow({ path, kind, written }: FoundFile, served: ReadonlySet<string>, now: number): readonly Row[] {
  if (kind === 'socket') {
    return served.has(path) ? [] : [drift('leftovers', path, 'a socket on which nobody listens', 'remove it')];
  }
  const name = path.slice(path.lastIndexOf('/') + 1);
  const rule = RULES.find((one) => one.name.test(name));
  if (rule === undefined || now - written < rule.after) return [];
  const since = new Date(written).toISOString().slice(0, 16);
  return [drift('leftovers', path, `${rule.what}, last written ${since}Z`, 'look at it, and remove it')];
}
