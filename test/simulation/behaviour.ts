import type { Exit, SpawnError } from '../../init/lifecycle/event.ts';
import type { SignalName } from '../../init/posix/signal-names.ts';
import type { Random } from './random.ts';

/** What a daemon is like over all its starts. Each start draws its own behaviour from it. */
export type Temper =
  | 'steady'
  | 'oneshot'
  | 'crasher'
  | 'flaky'
  | 'stubborn'
  | 'forker'
  | 'missing'
  | 'starved'
  | 'broken'
  | 'late'
  | 'unhealthy'
  | 'undead';

/** What one incarnation does. All times in ms after its start, or after what it answers. */
export interface Behaviour {
  readonly spawnError: SpawnError | undefined;
  /** It ends by itself after this; Infinity: never. */
  readonly endsAfter: number;
  readonly exit: Exit;
  readonly outOfMemory: boolean;
  readonly lastLines: readonly string[];
  /** It ends this long after its stop signal; Infinity: it ignores it. */
  readonly stopsAfter: number;
  /** How it ends then; undefined: by the signal itself. */
  readonly stopExit: { readonly code: number } | undefined;
  /** Even SIGKILL does not end it (uninterruptible sleep). */
  readonly undead: boolean;
  /** Others of its group outlive it this long; 0: none, Infinity: until SIGKILL. */
  readonly othersLive: number;
  /** The others end by the stop signal. */
  readonly othersObey: boolean;
  /** It says that it is ready after this; Infinity: never. */
  readonly readyAfter: number;
  /** Chance that a probe passes once it could be ready. */
  readonly probePasses: number;
  /** Probes fail from this time on. */
  readonly sickAfter: number;
  /** Hooks end after this; Infinity: never. */
  readonly hookTakes: number;
  readonly hookFails: boolean;
}

const GLIBC = "./server: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.39' not found (required by ./server)";
const LIBRARY =
  './server: error while loading shared libraries: libssl.so.3: cannot open shared object file: No such file or directory';
const IN_USE = 'Error: listen EADDRINUSE: address already in use 127.0.0.1:8888';

/** Most daemons behave; the rest do each of the things that daemons do. */
export function randomTemper(random: Random): Temper {
  return random.weighted<Temper>({
    steady: 8,
    oneshot: 4,
    crasher: 3,
    flaky: 5,
    stubborn: 2,
    forker: 3,
    missing: 0.6,
    starved: 0.6,
    broken: 0.8,
    late: 1.5,
    unhealthy: 2.5,
    undead: 0.15,
  });
}

/** What one incarnation of a daemon of this temper does. */
export function randomBehaviour(random: Random, temper: Temper): Behaviour {
  const ends = endOf(random, temper);
  const forks = temper === 'forker' ? random.chance(0.7) : random.chance(0.03);
  return {
    spawnError: spawnErrorOf(random, temper),
    endsAfter: ends.after,
    exit: ends.exit,
    outOfMemory: 'signal' in ends.exit && ends.exit.signal === 'SIGKILL',
    lastLines: ends.lines,
    stopsAfter:
      temper === 'stubborn'
        ? random.chance(0.7)
          ? Number.POSITIVE_INFINITY
          : random.int(500, 12_000)
        : random.int(0, random.chance(0.8) ? 150 : 1_500),
    stopExit: random.chance(0.5) ? undefined : { code: random.chance(0.6) ? 0 : random.pick([3, 7, 143]) },
    undead: temper === 'undead',
    othersLive: forks ? (random.chance(0.4) ? Number.POSITIVE_INFINITY : random.int(1, 4_000)) : 0,
    othersObey: random.chance(0.5),
    readyAfter:
      temper === 'late'
        ? random.chance(0.4)
          ? Number.POSITIVE_INFINITY
          : random.int(1_000, 15_000)
        : random.int(0, random.chance(0.8) ? 300 : 3_000),
    probePasses: temper === 'unhealthy' ? random.pick([0.2, 0.6]) : 0.97,
    sickAfter: temper === 'unhealthy' ? random.int(0, 15_000) : Number.POSITIVE_INFINITY,
    hookTakes: random.chance(0.15) ? Number.POSITIVE_INFINITY : random.int(0, random.chance(0.8) ? 200 : 5_000),
    hookFails: random.chance(0.2),
  };
}

interface End {
  readonly after: number;
  readonly exit: Exit;
  readonly lines: readonly string[];
}

function endOf(random: Random, temper: Temper): End {
  const never: End = { after: Number.POSITIVE_INFINITY, exit: { code: 0 }, lines: [] };
  switch (temper) {
    case 'oneshot':
      return { after: random.int(1, 3_000), exit: random.chance(0.85) ? { code: 0 } : badEnd(random), lines: [] };
    case 'crasher':
      return {
        after: random.int(1, random.chance(0.7) ? 400 : 8_000),
        exit: badEnd(random),
        lines: random.chance(0.1) ? [IN_USE] : [],
      };
    case 'flaky':
    case 'forker':
    case 'unhealthy':
      if (random.chance(0.4)) return never;
      return {
        after: random.int(1, random.chance(0.5) ? 3_000 : 40_000),
        exit: random.chance(0.2) ? { code: 0 } : badEnd(random),
        lines: [],
      };
    case 'broken':
      return { after: random.int(1, 200), exit: { code: 1 }, lines: [random.pick([GLIBC, LIBRARY])] };
    default:
      return random.chance(0.9) ? never : { after: random.int(1, 60_000), exit: badEnd(random), lines: [] };
  }
}

const BAD_SIGNALS: readonly SignalName[] = ['SIGSEGV', 'SIGABRT', 'SIGKILL', 'SIGTERM'];

function badEnd(random: Random): Exit {
  if (random.chance(0.3)) return { signal: random.pick(BAD_SIGNALS) };
  return { code: random.pick([1, 2, 3, 42, 78, 255]) };
}

function spawnErrorOf(random: Random, temper: Temper): SpawnError | undefined {
  if (temper === 'missing') return error(random.pick(['ENOENT', 'EACCES', 'ENOENT']));
  if (temper === 'starved' && random.chance(0.7)) return error(random.pick(['EAGAIN', 'ENOMEM']));
  return random.chance(0.005) ? error('EAGAIN') : undefined;
}

function error(errno: string): SpawnError {
  return { errno, message: `posix_spawn: ${errno}` };
}
