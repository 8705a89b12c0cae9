import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { SpawnError } from '../lifecycle/event.ts';
import { errnoOf } from '../posix/errno.ts';

/** Where execvp(3) looks when there is no PATH. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Found = { readonly path: string } | { readonly error: SpawnError };

/**
 * The file that a command names, by the rules of execvp(3): with a slash it is a path (from `cwd`), without one it is
 * looked for in the directories of `path`, and a file that may not be executed does not end the search.
 */
export function findProgram(command: string, path: string, cwd: string): Found {
  if (command === '') return failure('ENOENT', 'the command is empty: write the program to run');
  if (command.includes('/')) {
    const file = resolve(cwd, command);
    const problem = reasonNotToRun(file);
    return problem === undefined ? { path: file } : failure(problem, describe(problem, command, file));
  }
  let refused: { errno: string; file: string } | undefined;
  for (const directory of path.split(delimiter)) {
    const file = isAbsolute(directory) ? join(directory, command) : resolve(cwd, directory, command);
    if (!existsSync(file)) continue;
    const problem = reasonNotToRun(file);
    if (problem === undefined) return { path: file };
    refused ??= { errno: problem, file };
  }
  if (refused !== undefined) return failure(refused.errno, describe(refused.errno, command, refused.file));
  return failure('ENOENT', `${command}: not found in PATH (${path}): install it, or write its whole path`);
}

/**
 * Why a file that exists and may be executed cannot be: its interpreter or dynamic loader is missing, or it is not a
 * program for this machine. `undefined` where nothing is wrong with it.
 */
export function inspectProgram(file: string): SpawnError | undefined {
  const start = readStart(file);
  if (start === undefined) return undefined;
  if (start.subarray(0, 2).equals(SHEBANG)) return inspectScript(file, start);
  if (start.subarray(0, 4).equals(ELF_MAGIC)) return inspectElf(file, start);
  const what = start.length === 0 ? 'an empty file' : 'neither a program nor a script with a #! line';
  return {
    errno: 'ENOEXEC',
    message: `${file}: exec format error: it is ${what}; give a script its first line, such as #!/bin/sh`,
  };
}

/** Why a directory cannot be worked in; `undefined` where it can. */
export function inspectDirectory(directory: string): SpawnError | undefined {
  try {
    if (statSync(directory).isDirectory()) return undefined;
    return { errno: 'ENOTDIR', message: `working_dir: ${directory} is not a directory` };
  } catch (error) {
    const errno = errnoOf(error);
    const remedy =
      errno === 'ENOENT' ? 'does not exist: create it, or correct the path' : `cannot be entered: ${errno}`;
    return { errno, message: `working_dir: ${directory} ${remedy}` };
  }
}

/** In words, why `file` could not be started with this errno, as far as the file itself can tell. */
export function explain(errno: string, file: string): SpawnError {
  const telling = errno === 'ENOENT' || errno === 'ENOEXEC' || errno === 'EACCES' || errno === 'ELIBBAD';
  return (telling ? inspectProgram(file) : undefined) ?? { errno, message: describe(errno, file, file) };
}

const SHEBANG = Buffer.from('#!');
const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
/** Enough for an ELF header with its program headers and for the longest `#!` line. */
const START_BYTES = 4096;

function failure(errno: string, message: string): { readonly error: SpawnError } {
  return { error: { errno, message } };
}

function reasonNotToRun(file: string): string | undefined {
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) return 'EISDIR';
    accessSync(file, constants.X_OK);
    return stats.isFile() ? undefined : 'EACCES';
  } catch (error) {
    return errnoOf(error);
  }
}

/** One sentence for each error that execve(2) knows and a person can mend. */
function describe(errno: string, command: string, path: string): string {
  const file = path === command ? 'it' : path;
  switch (errno) {
    case 'ENOENT':
      return `${command}: no such file${path === command ? '' : ` (${path})`}: check the path and the working directory`;
    case 'ENOTDIR':
      return `${command}: a part of the path ${path} is not a directory`;
    case 'EISDIR':
      return `${command}: ${file} is a directory, not a program`;
    case 'EACCES':
      return `${command}: ${file} may not be executed: make it executable (chmod +x) and its directories accessible, on a file system not mounted noexec`;
    case 'ENOEXEC':
      return `${path}: exec format error: not a program for this machine`;
    case 'E2BIG':
      return `${command}: its arguments and environment are larger than the kernel allows (getconf ARG_MAX)`;
    case 'EAGAIN':
      return `${command}: no process could be started: the limit of processes is reached (ulimit -u, or pids of the container)`;
    case 'ENOMEM':
      return `${command}: no process could be started: out of memory`;
    case 'ETXTBSY':
      return `${command}: ${file} is open for writing`;
    case 'ELOOP':
      return `${path}: too many symbolic links`;
    case 'EPERM':
      return `${path}: the kernel does not permit this user to start it`;
    default:
      return `${command}: ${file} could not be started: ${errno}`;
  }
}

function readStart(file: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const start = Buffer.alloc(START_BYTES);
    return start.subarray(0, readSync(fd, start, 0, START_BYTES, 0));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function inspectScript(file: string, start: Buffer): SpawnError | undefined {
  const line = start.toString('utf8', 2).split('\n', 1)[0] ?? '';
  const interpreter = line.trim().split(/[ \t]/, 1)[0] ?? '';
  if (interpreter === '') return { errno: 'ENOEXEC', message: `${file}: its #! line names no interpreter` };
  const carriageReturn = line.endsWith('\r');
  const problem = reasonNotToRun(carriageReturn ? `${interpreter}\r` : interpreter);
  if (problem === undefined) return undefined;
  const remedy = carriageReturn
    ? 'the line ends in a carriage return: save the file with Unix line ends'
    : `install it, or correct the first line of ${file}`;
  return {
    errno: problem === 'EISDIR' ? 'EACCES' : problem,
    message: `${file}: the interpreter of its #! line, ${interpreter}, ${problem === 'ENOENT' ? 'does not exist' : 'cannot be executed'}: ${remedy}`,
  };
}

/** e_machine of <elf.h> for what Node runs on. */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const PT_INTERP = 3;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;

function inspectElf(file: string, start: Buffer): SpawnError | undefined {
  if (start.length < 64)
    return { errno: 'ENOEXEC', message: `${file}: exec format error: the program file is cut off` };
  const littleEndian = start[5] === ELFDATA2LSB;
  const number = littleEndian ? start.readUInt16LE(18) : start.readUInt16BE(18);
  const machine = MACHINES[number] ?? `machine ${number}`;
  if (machine !== process.arch && !runsHere(machine)) {
    return {
      errno: 'ENOEXEC',
      message: `${file}: exec format error: it is built for ${machine}, this machine is ${process.arch}: use the build for this machine`,
    };
  }
  const loader = start[4] === ELFCLASS64 && littleEndian ? loaderOf(start) : undefined;
  if (loader === undefined || reasonNotToRun(loader) === undefined) return undefined;
  const libc = loader.includes('musl') ? 'musl (Alpine)' : 'glibc';
  return {
    errno: 'ENOENT',
    message: `${file}: its dynamic loader ${loader} does not exist: it is built for ${libc}, which this image does not have; use a static build or another base image`,
  };
}

/** Most 64-bit kernels also run the 32-bit programs of their processor. */
function runsHere(machine: string): boolean {
  return (process.arch === 'x64' && machine === 'ia32') || (process.arch === 'arm64' && machine === 'arm');
}

/** The path that the PT_INTERP header of a 64-bit little-endian ELF file holds. */
function loaderOf(start: Buffer): string | undefined {
  const offset = Number(start.readBigUInt64LE(32));
  const size = start.readUInt16LE(54);
  const count = start.readUInt16LE(56);
  for (let header = offset; header < offset + size * count; header += size) {
    if (header + 56 > start.length) return undefined;
    if (start.readUInt32LE(header) !== PT_INTERP) continue;
    const from = Number(start.readBigUInt64LE(header + 8));
    const length = Number(start.readBigUInt64LE(header + 32));
    return from + length > start.length ? undefined : start.toString('utf8', from, from + length - 1);
  }
  return undefined;
}
