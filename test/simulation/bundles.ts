import * as z from 'zod';
import { type Bundle, bundleSchema } from '../../init/bundle/schema.ts';
import type { Random } from './random.ts';

/** A bundle as a file says it; what a reload edits. */
export type Draft = z.input<typeof bundleSchema>;
type DaemonDraft = Draft['daemons'][string];
type Links = Record<string, { condition: Condition; required?: boolean; restart?: boolean }>;
type Condition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

const NAMES = 'abcdefghijklmnopqrstuvwxyz';

/** A valid bundle of one to eight daemons without a cycle. */
export function randomDraft(random: Random): Draft {
  const count = random.int(1, random.chance(0.4) ? 8 : 4);
  const names = NAMES.slice(0, count).split('');
  const daemons: Record<string, DaemonDraft> = {};
  for (const [index, name] of names.entries()) daemons[name] = randomDaemon(random, names.slice(0, index));
  // The order of the file is no order of dependency.
  const order = random.chance(0.5) ? names : random.shuffled(names);
  const draft: Draft = { daemons: Object.fromEntries(order.map((name) => [name, daemons[name] ?? {}])) };
  if (random.chance(0.6)) draft.stop_grace_period = ms(random.pick([0, 300, 1_000, 3_000, 8_000, 20_000]));
  if (random.chance(0.4)) draft.exit_code = random.chance(0.5) ? 'first' : `from:${random.pick(names)}`;
  if (random.chance(0.5)) {
    draft.signals = {
      SIGHUP: random.chance(0.5) ? { reload: true } : { signal: some(random, names) },
      SIGUSR1: { restart: some(random, names) },
    };
  }
  return draft;
}

/** The draft after an edit as an operator makes it before a reload: daemons changed, added, removed, or nothing at all. */
export function editedDraft(random: Random, draft: Draft): Draft {
  const daemons = { ...draft.daemons };
  const names = Object.keys(daemons);
  const rest: Draft = { ...draft };
  const edits = random.weighted({ none: 1, one: 4, two: 2 });
  for (let edit = 0; edit < (edits === 'none' ? 0 : edits === 'one' ? 1 : 2); edit++) {
    const kind = random.weighted({ change: 5, add: 2, remove: 2, bundle: 1 });
    const name = random.pick(names);
    const chosen = daemons[name];
    if (kind === 'bundle') rest.stop_grace_period = ms(random.pick([500, 2_000, 9_000]));
    else if (kind === 'change' && chosen !== undefined) {
      daemons[name] = random.chance(0.5)
        ? { ...chosen, labels: { edit: random.int(0, 1_000_000) } }
        : randomDaemon(random, independentOf(name, daemons));
    } else if (kind === 'add') {
      const unused = NAMES.slice(8)
        .split('')
        .find((letter) => daemons[letter] === undefined);
      if (unused !== undefined) daemons[unused] = randomDaemon(random, Object.keys(daemons));
    } else if (kind === 'remove' && Object.keys(daemons).length > 1 && draft.exit_code !== `from:${name}`) {
      delete daemons[name];
      for (const [other, spec] of Object.entries(daemons)) daemons[other] = withoutLink(spec, name);
      rest.signals = withoutTarget(rest.signals, name);
    }
  }
  return { ...rest, daemons };
}

/** What the init works with. Throws where the draft is not valid, which would be a mistake in this file. */
export function decodeDraft(draft: Draft): Bundle {
  return z.decode(bundleSchema, draft);
}

function randomDaemon(random: Random, before: readonly string[]): DaemonDraft {
  const spec: DaemonDraft = {
    command: ['run'],
    restart: random.weighted({ no: 3, always: 4, 'on-failure': 3, 'on-failure:2': 1, 'unless-stopped': 1 }),
  };
  const links: Links = {};
  for (const name of before) {
    if (!random.chance(before.length > 3 ? 0.25 : 0.45)) continue;
    links[name] = {
      condition: random.weighted({ service_started: 4, service_healthy: 4, service_completed_successfully: 1 }),
      ...(random.chance(0.2) ? { required: false } : {}),
      ...(random.chance(0.25) ? { restart: true } : {}),
    };
  }
  if (Object.keys(links).length > 0) spec.depends_on = links;
  if (random.chance(0.7)) spec.backoff = randomBackoff(random);
  if (random.chance(0.3)) spec.fallback_command = ['run-static'];
  if (random.chance(0.12)) spec.essential = true;
  if (random.chance(0.35)) spec.healthcheck = randomHealthcheck(random);
  if (random.chance(0.2)) spec.on_unhealthy = 'ignore';
  if (random.chance(0.25)) {
    spec.ready = random.pick([
      { notify_fd: 3 },
      { sd_notify: true as const },
      { log: 'up' },
      { after: ms(300) },
      { after: '0s' },
    ]);
  }
  if (random.chance(0.25)) spec.start_timeout = ms(random.pick([500, 2_000, 10_000]));
  if (random.chance(0.2)) spec.success_exit_codes = [0, 3];
  if (random.chance(0.2)) spec.permanent_exit_codes = [78];
  if (random.chance(0.2)) spec.stop_signal = random.pick(['SIGINT', 'SIGQUIT', 'SIGHUP']);
  if (random.chance(0.7)) spec.stop_grace_period = ms(random.pick([0, 200, 1_000, 2_500, 15_000]));
  if (random.chance(0.15)) spec.post_start = [{ command: ['after'] }];
  if (random.chance(0.2)) spec.pre_stop = [{ command: ['before'] }];
  return spec;
}

/** Those on which a daemon may depend without a cycle: all that do not depend on it, near or far. */
function independentOf(name: string, daemons: Readonly<Record<string, DaemonDraft>>): readonly string[] {
  const dependents = new Set([name]);
  for (let size = 0; size < dependents.size; ) {
    size = dependents.size;
    for (const [other, spec] of Object.entries(daemons)) {
      if (Object.keys(linksOf(spec)).some((on) => dependents.has(on))) dependents.add(other);
    }
  }
  return Object.keys(daemons).filter((other) => !dependents.has(other));
}

function randomBackoff(random: Random): NonNullable<DaemonDraft['backoff']> {
  const unlimited = random.chance(0.15);
  return {
    initial: ms(random.pick(unlimited ? [1_000, 2_000] : [0, 100, 1_000, 2_000])),
    factor: random.pick([1, 1.5, 2, 4]),
    ...(random.chance(0.2) ? { at_once: false } : {}),
    ...(random.chance(0.3) ? { jitter: random.pick([0, 0.5]) } : {}),
    ...(random.chance(0.2) ? { unit: ms(random.pick([100, 1_000])) } : {}),
    max: ms(random.pick([1_000, 1_050, 3_000, 30_000])),
    reset_after: ms(random.pick([0, 500, 5_000, 60_000])),
    max_attempts: unlimited ? 'unlimited' : random.pick([0, 1, 2, 3, 5]),
  };
}

function randomHealthcheck(random: Random): NonNullable<DaemonDraft['healthcheck']> {
  if (random.chance(0.08)) return random.chance(0.5) ? { disable: true } : { test: ['NONE'] };
  return {
    tcp: { port: 80 },
    interval: ms(random.pick([500, 2_000, 10_000])),
    timeout: ms(random.pick([100, 1_000])),
    retries: random.int(1, 3),
    start_period: ms(random.pick([0, 0, 700, 5_000])),
    start_interval: ms(random.pick([100, 500])),
  };
}

function some(random: Random, names: readonly string[]): string[] {
  const chosen = names.filter(() => random.chance(0.4));
  return chosen.length > 0 ? chosen : [random.pick(names)];
}

/** Drafts made here write `depends_on` in the long form only. */
function linksOf(spec: DaemonDraft): Links {
  const links = spec.depends_on;
  if (links === undefined || Array.isArray(links)) return {};
  return Object.fromEntries(
    Object.entries(links).map(([name, link]) => [name, { ...link, condition: link.condition ?? 'service_started' }]),
  ) as Links;
}

function withoutLink(spec: DaemonDraft, name: string): DaemonDraft {
  const links = linksOf(spec);
  if (links[name] === undefined) return spec;
  const { [name]: _removed, ...others } = links;
  return { ...spec, depends_on: others };
}

function withoutTarget(signals: Draft['signals'], name: string): Draft['signals'] {
  const entries = Object.entries(signals ?? {}).flatMap(([signal, action]) => {
    if (action === undefined) return [];
    const keep = (list: readonly string[] | undefined) => list?.filter((item) => item !== name);
    if (action.reload === true) return [[signal, action] as const];
    const [targets, key] =
      action.signal !== undefined ? [keep(action.signal), 'signal'] : [keep(action.restart), 'restart'];
    return targets !== undefined && targets.length > 0 ? [[signal, { [key]: targets }] as const] : [];
  });
  return Object.fromEntries(entries);
}

function ms(milliseconds: number): string {
  return `${milliseconds}ms`;
}
