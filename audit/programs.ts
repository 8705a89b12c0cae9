import { drift, missing, ok, type Row, unknown } from './row.ts';

/** A program that the daemons run, as it is on this machine. */
export interface Program {
  readonly path: string;
  readonly version: string;
  /** SHA-256 of its file, in hex. */
  readonly sha256: string;
}

/** What was there when it was recorded: at the build of an image, or by `bottled audit --pin`. */
export interface Pins {
  /** Version of bottled. */
  readonly bottled: string;
  /** By name; null: it was not there. */
  readonly programs: Readonly<Record<string, Program | null>>;
  /** SHA-256 of each file of bottled itself, by its name. */
  readonly files: Readonly<Record<string, string>>;
}

/** A program, and how it is asked for its version. */
export interface KnownProgram {
  readonly name: string;
  readonly arguments: readonly string[];
}

/** What daemons of a bottle run, or run by. */
export const PROGRAMS: readonly KnownProgram[] = [
  { name: 'node', arguments: ['--version'] },
  { name: 'git', arguments: ['--version'] },
  { name: 'ssh', arguments: ['-V'] },
  { name: 'pipelock', arguments: ['version'] },
  { name: 'gitleaks', arguments: ['version'] },
  { name: 'betterleaks', arguments: ['version'] },
];

export interface ProgramFacts {
  /** Undefined where nothing was recorded. */
  readonly pins: Pins | undefined;
  /** Where pins are recorded. */
  readonly pinsFile: string;
  /** By name; null: it is not there. */
  readonly programs: Readonly<Record<string, Program | null>>;
  readonly files: Readonly<Record<string, string>>;
  /** Without these a daemon of the bundle cannot work. */
  readonly needed: readonly string[];
}

const RECORD = 'if this is what you want, record it: bottled audit --pin';

/** Compares programs and own files with what was recorded. */
export function programRows({ pins, pinsFile, programs, files, needed }: ProgramFacts): readonly Row[] {
  const rows = Object.entries(programs).flatMap(([name, found]) =>
    pins === undefined ? unpinned(name, found, needed) : compared(name, found, pins.programs[name], needed),
  );
  return [...rows, own(files, pins, pinsFile)];
}

function unpinned(name: string, found: Program | null, needed: readonly string[]): readonly Row[] {
  if (found !== null) return [unknown('programs', name, `${describe(found)}; no pin to compare with`, RECORD)];
  return needed.includes(name) ? [absent(name)] : [];
}

function compared(
  name: string,
  found: Program | null,
  pinned: Program | null | undefined,
  needed: readonly string[],
): readonly Row[] {
  if (found === null && (pinned === null || pinned === undefined)) {
    return needed.includes(name) ? [absent(name)] : [];
  }
  if (found === null) {
    const was = pinned === null || pinned === undefined ? '' : `; pinned ${describe(pinned)}`;
    return [missing('programs', name, `not on PATH${was}`, 'install it, or start the bundle from its image anew')];
  }
  if (pinned === null || pinned === undefined) {
    return [drift('programs', name, `${describe(found)}; not there when pins were recorded`, `remove it; ${RECORD}`)];
  }
  // The same file is of the same version, also where it does not tell: ssh says nothing to a user without a name.
  if (found.path === pinned.path && found.sha256 === pinned.sha256) return [ok('programs', name, describe(pinned))];
  const same = found.path === pinned.path && found.version === pinned.version;
  const what = same
    ? `${describe(found)}, but another file than pinned`
    : `${describe(found)}; pinned ${describe(pinned)}`;
  return [drift('programs', name, what, `put ${pinned.path} back first on PATH; ${RECORD}`)];
}

function absent(name: string): Row {
  return missing('programs', name, 'not on PATH', `install ${name}, or run the image, which holds it`);
}

function describe({ path, version }: Program): string {
  return `${version} at ${path}`;
}

function own(files: Readonly<Record<string, string>>, pins: Pins | undefined, pinsFile: string): Row {
  const what = 'bottled';
  if (pins === undefined) {
    return unknown('programs', what, `there is no ${pinsFile}: nothing says what its files are to be`, RECORD);
  }
  const names = new Set([...Object.keys(files), ...Object.keys(pins.files)]);
  const changed = [...names].filter((name) => files[name] !== pins.files[name]);
  if (changed.length === 0) return ok('programs', what, `${pins.bottled}, ${names.size} files as built`);
  const list = `${changed.slice(0, 3).join(', ')}${changed.length > 3 ? ` and ${changed.length - 3} more` : ''}`;
  return drift('programs', what, `not as built: ${list}`, `start the bundle from its image anew; ${RECORD}`);
}
