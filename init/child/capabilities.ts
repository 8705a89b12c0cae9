import type { DaemonSpec } from '../bundle/schema.ts';
import type { Standing } from './standing.ts';

/** The capabilities of capabilities(7), each at the place of its number. */
export const CAPABILITIES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
] as const;

export type Capability = (typeof CAPABILITIES)[number];

/** True where the init holds this capability. */
export function holds(standing: Standing, capability: Capability): boolean {
  return ((standing.permitted >> BigInt(CAPABILITIES.indexOf(capability))) & 1n) === 1n;
}

/** What setpriv(1) is to do for `cap_add` and `cap_drop`, or what is wrong with them. */
export interface CapabilityPlan {
  readonly arguments: readonly string[];
  readonly problems: readonly string[];
}

/**
 * Compose's rule: what the init holds, without `cap_drop`, with `cap_add`. What is dropped leaves the bounding set, so
 * that no program can win it back. What is added is also inheritable and ambient, so that a daemon that is not root
 * really has it.
 */
export function planCapabilities(
  spec: Pick<DaemonSpec, 'cap_add' | 'cap_drop'>,
  uid: number,
  standing: Standing,
): CapabilityPlan {
  if (spec.cap_add.length === 0 && spec.cap_drop.length === 0) return { arguments: [], problems: [] };
  const problems: string[] = [];
  const add = named(spec.cap_add, 'cap_add', problems);
  const drop = named(spec.cap_drop, 'cap_drop', problems);
  const added = add.all ? CAPABILITIES.filter((capability) => holds(standing, capability)) : [...add.names];
  for (const capability of added) {
    if (holds(standing, capability)) continue;
    problems.push(
      `cap_add: the init itself does not hold ${capability.toUpperCase()}: give it to the container first (cap_add of the container)`,
    );
  }
  const lost = [...drop.names].filter((capability) => !added.includes(capability));
  const bounding = drop.all ? ['-all', ...added.map(plus)] : lost.map((capability) => `-${capability}`);
  const dropsNothing = bounding.length === 0;
  if (!dropsNothing && !holds(standing, 'setpcap')) {
    const kept = (drop.all ? CAPABILITIES : lost).filter((capability) => holds(standing, capability));
    if (kept.length === 0) return { arguments: added.length === 0 ? ['--no-new-privs'] : [], problems };
    problems.push(
      'cap_drop: the init cannot drop capabilities without SETPCAP: run it as root, or drop them for the whole container',
    );
  }
  const reachesUser = uid !== 0 || standing.uid !== 0;
  const handedOn = ['-all', ...added.map(plus)].join(',');
  return {
    arguments: [
      ...(dropsNothing ? [] : [`--bounding-set=${bounding.join(',')}`]),
      ...(reachesUser ? [`--inh-caps=${handedOn}`, `--ambient-caps=${handedOn}`] : []),
    ],
    problems,
  };
}

function plus(capability: Capability): string {
  return `+${capability}`;
}

/** `NET_ADMIN`, `CAP_NET_ADMIN` or `net_admin`, and `ALL`. */
function named(
  list: readonly string[],
  key: string,
  problems: string[],
): { readonly all: boolean; readonly names: ReadonlySet<Capability> } {
  const names = new Set<Capability>();
  let all = false;
  for (const text of list) {
    const plain = text.toLowerCase().replace(/^cap_/, '');
    const capability = CAPABILITIES.find((name) => name === plain);
    if (plain === 'all') all = true;
    else if (capability !== undefined) names.add(capability);
    else
      problems.push(
        `${key}: "${text}" is not a capability; write a name of capabilities(7), such as NET_BIND_SERVICE, or ALL`,
      );
  }
  return { all, names };
}
