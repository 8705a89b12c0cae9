/** Names in the order in which they can start, and the cycles that keep the rest from starting. */
export interface Order {
  /** Each layer needs only those before it. Within a layer, and between layers, in the order of `names`. */
  readonly layers: readonly (readonly string[])[];
  /** Each as `[a, b, c]` where a needs b, b needs c and c needs a. */
  readonly cycles: readonly (readonly string[])[];
}

/** Sorts `names` by what each needs. Unknown needs do not count; a name that needs itself is a cycle of one. */
export function startOrder(names: readonly string[], needsOf: (name: string) => readonly string[]): Order {
  const known = new Set(names);
  const needs = new Map(names.map((name) => [name, new Set(needsOf(name).filter((need) => known.has(need)))]));
  const neededBy = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const [name, all] of needs) for (const need of all) neededBy.get(need)?.push(name);
  const position = new Map(names.map((name, index) => [name, index]));
  const open = new Map([...needs].map(([name, all]) => [name, all.size]));
  const layers: string[][] = [];
  const cycles: string[][] = [];
  let layer = names.filter((name) => open.get(name) === 0);
  while (open.size > 0) {
    if (layer.length === 0) {
      layer = cycleIn(open, needs);
      cycles.push(layer);
    } else layers.push(layer);
    layer = release(layer, open, neededBy).sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
  }
  return { layers, cycles };
}

/** Takes a layer out and returns those that now need nothing more. */
function release(layer: readonly string[], open: Map<string, number>, neededBy: Map<string, string[]>): string[] {
  for (const name of layer) open.delete(name);
  const free: string[] = [];
  for (const name of layer) {
    for (const waiting of neededBy.get(name) ?? []) {
      const left = open.get(waiting);
      if (left === undefined) continue;
      open.set(waiting, left - 1);
      if (left === 1) free.push(waiting);
    }
  }
  return free;
}

/** Whoever is still open needs another that is open, so a walk along the needs must come back to where it was. */
function cycleIn(open: ReadonlyMap<string, number>, needs: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const walk = new Map<string, number>();
  let [name] = open.keys();
  while (name !== undefined && !walk.has(name)) {
    walk.set(name, walk.size);
    name = [...(needs.get(name) ?? [])].find((need) => open.has(need));
  }
  const from = name === undefined ? 0 : (walk.get(name) ?? 0);
  return [...walk.keys()].slice(from);
}
