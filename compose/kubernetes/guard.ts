/**
 * Who of a pod may talk to whom, as rules for nftables (nft(8)). The containers of a pod share one network: addresses, ports and the way
 * out. So what Compose does by two networks is done here by the owner of each socket, which a container cannot change: it runs as
 * its one user, without capabilities and without a way to gain them.
 */
export interface GuardOptions {
  /** Users of the daemons. Everyone else but root counts as the agent. */
  readonly daemonUsers: readonly number[];
  /** Ports of the daemons that the agent may use. */
  readonly publicPorts: readonly number[];
  /** Ports of the daemons that are none of the agent's business: a connection is refused at once, where others time out. */
  readonly privatePorts: readonly number[];
  /** The port that the node asks for health: the only one that is open to anything outside the pod. */
  readonly healthPort: number;
}

/** Marks connections that the agent made. Any number but 0 will do: connection tracking is the pod's own. */
const BY_AGENT = '0xb0771ed';

/** Loading it again replaces it as a whole, in one step. */
export function guardRuleset(options: GuardOptions): string {
  return `table inet bottled
delete table inet bottled

table inet bottled {
  set bundle {
    type uid
    flags interval
    elements = { ${list([0, ...options.daemonUsers])} }
  }

  chain output {
    type filter hook output priority filter; policy drop;
    meta skuid @bundle goto bundle
    meta skuid != @bundle goto agent
    goto nobody
  }

  # The daemons go where they have to. But whoever of them holds a port that is not for the agent does not answer it.
  chain bundle {
    oifname != "lo" accept
    ct direction original ct mark set 0 accept
    ct mark != ${BY_AGENT} accept
    tcp sport { ${list(options.publicPorts)} } accept
  }

  # The agent talks to the public ports of the daemons, and to itself. Its replies reach itself only: a port of a daemon
  # that fell over, taken by the agent, gets nothing from the other daemons.
  chain agent {
    oifname != "lo" goto refuse
    meta l4proto != 6 goto refuse
    ct direction reply ct mark ${BY_AGENT} accept
    ct direction reply drop
    tcp dport { ${list([...options.privatePorts, options.healthPort])} } reject with tcp reset
    ct mark set ${BY_AGENT} accept
  }

  # At once, so that a program of the agent does not wait for a time-out.
  chain refuse {
    reject with icmpx type admin-prohibited
  }

  # Packets of the kernel itself: the rest of a connection whose program has closed it, refusals, neighbours (RFC 4861, RFC 3810).
  chain nobody {
    ct state established,related accept
    tcp flags & rst == rst accept
    oifname "lo" meta l4proto { 1, 58 } accept
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
  }

  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    tcp dport ${options.healthPort} accept
    icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
  }

  chain forward {
    type filter hook forward priority filter; policy drop;
  }
}
`;
}

function list(numbers: readonly number[]): string {
  return [...new Set(numbers)].sort((a, b) => a - b).join(', ');
}
