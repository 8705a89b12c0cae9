import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { listProcesses } from '../../init/posix/proc.ts';
import type { Process } from '../ports.ts';

/** The init of a bundle as /proc shows it. */
export interface InitProcess {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** With which it was started; undefined where this may not be seen. */
  readonly environment: Readonly<Record<string, string>> | undefined;
  /** Daemons that its --only named; undefined where it named none. */
  readonly only: readonly string[] | undefined;
  /** It is process 1 of its PID namespace. */
  readonly isProcessOne: boolean;
}

/** The init with this id; undefined where that process is not one: it then runs in another PID namespace. */
export function lookAtInit(pid: number): InitProcess | undefined {
  const words = (read(`/proc/${pid}/cmdline`) ?? '').split('\0');
  if (!words.includes('run') || !words.some((word) => /\/main\.(cjs|ts)$/.test(word))) return undefined;
  const status = read(`/proc/${pid}/status`) ?? '';
  const environ = read(`/proc/${pid}/environ`);
  return {
    pid,
    uid: numberIn(status, 'Uid'),
    gid: numberIn(status, 'Gid'),
    environment: environ === undefined ? undefined : variablesIn(environ),
    only: onlyIn(words),
    // proc_pid_status(5): the last number is that of the innermost namespace.
    isProcessOne: /^NSpid:.*\s1$/m.test(status),
  };
}

/** Every process that can be seen in the PID namespace of the init. */
export function lookAtProcesses(initPid: number): readonly Process[] {
  const namespace = link(`/proc/${initPid}/ns/pid`);
  return listProcesses().flatMap((pid) => {
    const status = read(`/proc/${pid}/status`);
    const own = link(`/proc/${pid}/ns/pid`);
    if (status === undefined || (own !== undefined && namespace !== undefined && own !== namespace)) return [];
    const name = nameOf(pid, status);
    return [{ pid, parent: numberIn(status, 'PPid'), uid: numberIn(status, 'Uid'), name, sockets: socketsOf(pid) }];
  });
}

function socketsOf(pid: number): ReadonlySet<string> | undefined {
  try {
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => descriptor(`/proc/${pid}/fd/${fd}`));
    return new Set(targets.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
  } catch {
    return undefined;
  }
}

/** Throws where it may not be seen: who has DAC_OVERRIDE and not SYS_PTRACE can list descriptors without seeing what they are. */
function descriptor(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

/** As it was called. The name that the kernel keeps is cut short, and Node's is that of a thread. */
function nameOf(pid: number, status: string): string {
  const called = (read(`/proc/${pid}/cmdline`) ?? '').split('\0', 1)[0] ?? '';
  return basename(called) || (/^Name:\t(.*)$/m.exec(status)?.[1] ?? '?');
}

function onlyIn(words: readonly string[]): readonly string[] | undefined {
  const next = words.indexOf('--only') + 1;
  const list = next > 0 ? words[next] : words.find((word) => word.startsWith('--only='))?.slice('--only='.length);
  return list?.split(',').map((name) => name.trim());
}

function variablesIn(environ: string): Readonly<Record<string, string>> {
  const pairs = environ.split('\0').filter((pair) => pair.includes('='));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

function numberIn(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
