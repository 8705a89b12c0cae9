import { drift, LOOK_AS_ROOT, missing, ok, type Row, unknown } from './row.ts';

/** A TCP socket that listens (proc_net(5), state 0A). */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly uid: number;
  readonly inode: string;
}

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  readonly name: string;
  /** Inodes of the sockets that it holds; undefined where this may not be seen. */
  readonly sockets: ReadonlySet<string> | undefined;
}

/** A port that a daemon is to listen on. */
export interface DeclaredPort {
  readonly daemon: string;
  readonly port: number;
  /** First process of that daemon; null while it has none. */
  readonly pid: number | null;
}

export interface PortFacts {
  readonly declared: readonly DeclaredPort[];
  /** Those of the init's network namespace. */
  readonly listeners: readonly Listener[];
  /** Every process in the init's PID namespace. */
  readonly processes: readonly Process[];
  readonly initPid: number;
  /** The init is process 1 of its PID namespace: every other process there is of the bundle, or somebody's in its container. */
  readonly isProcessOne: boolean;
}

/** Docker's resolver, which the engine has listen in a container's network without a process of it (libnetwork). */
const ENGINE_RESOLVER = '127.0.0.11';

/** Compares who listens with what is declared. */
export function portRows(facts: PortFacts): readonly Row[] {
  const { declared, listeners, processes, initPid, isProcessOne } = facts;
  const bundle = isProcessOne ? processes : familyOf(initPid, processes);
  const rows = declared.map((port) => declaredRow(port, facts));
  const ports = new Set(declared.map(({ port }) => port));
  const undeclared = listeners
    .filter(({ port, address }) => !ports.has(port) && address !== ENGINE_RESOLVER)
    .flatMap((listener) => {
      const holder = holderOf(listener, bundle);
      return holder === undefined ? [] : [undeclaredRow(listener, holder)];
    });
  return [...rows, ...undeclared];
}

function declaredRow({ daemon, port, pid }: DeclaredPort, { listeners, processes }: PortFacts): Row {
  const what = `${daemon}: ${port}`;
  const here = listeners.filter((listener) => listener.port === port);
  if (here.length === 0) {
    return missing('ports', what, 'nobody listens', `bottled logs ${daemon}; bottled restart ${daemon}`);
  }
  const family = pid === null ? [] : familyOf(pid, processes);
  for (const listener of here) {
    const holder = holderOf(listener, processes);
    if (holder === undefined) return unknown('ports', what, `somebody listens on ${at(listener)}`, LOOK_AS_ROOT);
    const isOwn = holderOf(listener, family) !== undefined;
    if (isOwn) continue;
    return drift(
      'ports',
      what,
      `${nameOf(holder)} listens on ${at(listener)}, not ${daemon}`,
      `stop it, then bottled restart ${daemon}`,
    );
  }
  return ok('ports', what, `${daemon} listens on ${here.map(at).join(', ')}`);
}

function undeclaredRow(listener: Listener, holder: Process): Row {
  const remedy = `stop process ${holder.pid}, or declare the port`;
  return drift(
    'ports',
    `${listener.port}`,
    `${nameOf(holder)} listens on ${at(listener)}, which nothing declares`,
    remedy,
  );
}

/**
 * Who of `among` holds the socket. Where the sockets of a process cannot be seen, which another user's needs SYS_PTRACE for, it is taken
 * for the holder if it runs as the user whose socket that is.
 */
function holderOf({ inode, uid }: Listener, among: readonly Process[]): Process | undefined {
  return (
    among.find(({ sockets }) => sockets?.has(inode) === true) ??
    among.find((process) => process.sockets === undefined && process.uid === uid)
  );
}

/** A process with its descendants. */
function familyOf(pid: number, processes: readonly Process[]): readonly Process[] {
  const family = new Set([pid]);
  // A child may stand before its parent: ids start anew when they have run out.
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const process of processes) if (family.has(process.parent)) family.add(process.pid);
  }
  return processes.filter((process) => family.has(process.pid));
}

function at({ address, port }: Listener): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function nameOf({ name, pid }: Process): string {
  return `${name} (pid ${pid})`;
}

/** The listening sockets in the text of /proc/net/tcp or /proc/net/tcp6. */
export function parseListeners(text: string): readonly Listener[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTEN)
    .map(([, local = '', , , , , , uid = '', , inode = '']) => {
      const [address = '', port = ''] = local.split(':');
      return { address: addressOf(address), port: Number.parseInt(port, 16), uid: Number(uid), inode };
    });
}

const LISTEN = '0A';

/** The kernel writes an address as words of four bytes, each in the processor's order: little-endian where Node runs. */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map((byte) => Number.parseInt(byte, 16));
  if (numbers.length === 4) return numbers.join('.');
  if (numbers.every((byte) => byte === 0)) return '::';
  const isMapped = numbers.slice(0, 10).every((byte) => byte === 0) && numbers[10] === 255 && numbers[11] === 255;
  if (isMapped) return numbers.slice(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[2 * index] ?? '') + (bytes[2 * index + 1] ?? ''));
  return groups
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')
    .replace(/(^|:)0(:0)+(:|$)/, '::');
}
