/** What an attack is. The attacks themselves are data, in attacks/; suite.ts carries them out. */

/** Where a shell stands. */
export type Place =
  /** The agent's container, as the bottle has it. Every attack is tried here. */
  | 'agent'
  /** The agent's container again, with a proxy that forwards everything in the place of egress, and git's own mapping left out. */
  | 'agent with an open proxy'
  /** The agent's image on the outward network and that of the metadata service, with the attacker's name server. */
  | 'outward'
  /** The agent's image in the network namespace of the bundle. */
  | 'beside the daemons'
  /** The agent's image on an internal network as Docker makes it, with the engine's socket. */
  | 'plain internal network'
  /** The agent's image on the bottle's internal network, with capabilities and without seccomp. */
  | 'privileged'
  /** The agent's image with the bundle's volumes, which it may write. */
  | 'with the volumes'
  /** The agent's image in the network of another bottle. */
  | 'in the other bottle'
  /** root in the container of the daemons. */
  | 'root of the daemons'
  /** The user of egress in the container of egress. */
  | 'the user of egress';

/** The log of the bundle says so; or a reason why nobody can. */
export type Trace = RegExp | { readonly none: string };

/** The same attempt with the guard off. It has to succeed, or the attack shows nothing. */
export interface Twin {
  /** Which guard is off, for the table. */
  readonly without: string;
  readonly at: Place;
  /** Where the attempt has to be written in another way, e.g. without the tool that runs it. */
  readonly script?: string;
}

export interface Attack {
  /** What holds, as a rule. */
  readonly name: string;
  /** Runs in bash. `$N` is a word that occurs nowhere else; the other variables are set in world.ts and places.ts. */
  readonly script: string;
  /** Text that shows success, in the script's answer or in what arrived outside. `$N` stands for the word. */
  readonly gains: string;
  /** What the attacker is told: stdout, stderr, and at the end `exit CODE`. */
  readonly told: RegExp;
  readonly trace: Trace;
  readonly twin: Twin;
}

/** Why nothing is logged where the kernel refuses. */
export const NO_ROUTE: Trace = { none: 'there is no route: the kernel drops it before anybody could log' };
export const NO_LISTENER: Trace = { none: 'nobody listens there: the kernel answers' };
export const NOT_THERE: Trace = { none: 'it is not in the container of the agent' };
export const NO_PERMISSION: Trace = { none: 'the kernel refuses: no capability, or not the user' };

export const OUTWARD: Twin = { without: 'the internal network: the agent is on the outward one', at: 'outward' };
export const OPEN_PROXY: Twin = {
  without: 'egress: a proxy that forwards everything is in its place',
  at: 'agent with an open proxy',
};
