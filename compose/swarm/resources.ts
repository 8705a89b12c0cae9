/** Which nodes, and how much of them, in the words of Swarm. */

export function placementOf(constraints: readonly string[] | undefined): object | undefined {
  return constraints === undefined ? undefined : { constraints };
}

interface Limits {
  readonly cpus?: number | undefined;
  readonly mem_limit?: number | undefined;
  readonly pids_limit?: number | undefined;
}

export function resourcesOf({ cpus, mem_limit, pids_limit }: Limits): { readonly limits: object } | undefined {
  if (cpus === undefined && mem_limit === undefined && pids_limit === undefined) return undefined;
  return {
    limits: { cpus: cpus?.toString(), memory: mem_limit === undefined ? undefined : `${mem_limit}b`, pids: pids_limit },
  };
}
