import { join } from 'node:path';
import { EXIT } from '../exit-codes.ts';
import { Failure } from '../failure.ts';

/** Where the files and ports of a bottle are, as daemons/bundle.yaml has them. */
export interface Place {
  /** The directory of routes.yaml, pipelock.yaml and git-gate.yaml. */
  readonly config: string;
  /** The directory with one folder a daemon. */
  readonly data: string;
  readonly egressPort: number;
  readonly pipelockHealthPort: number;
}

/** Reads it from the variables that the bundle file reads. */
export function placeOf(environment: Readonly<Record<string, string | undefined>>): Place {
  const { BOTTLED_CONFIG, BOTTLED_DATA, EGRESS_PORT, PIPELOCK_HEALTH_PORT } = environment;
  return {
    config: BOTTLED_CONFIG || '/etc/bottled',
    data: BOTTLED_DATA || '/var/lib/bottled',
    egressPort: portOf('EGRESS_PORT', EGRESS_PORT, 9099),
    pipelockHealthPort: portOf('PIPELOCK_HEALTH_PORT', PIPELOCK_HEALTH_PORT, 8889),
  };
}

/** Where supervise serves operators. */
export function superviseSocket(option: string | undefined, environment: NodeJS.ProcessEnv): string {
  return (
    option || environment.BOTTLED_SUPERVISE_SOCKET || join(placeOf(environment).data, 'supervise', 'operator.sock')
  );
}

function portOf(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new Failure(EXIT.usage, `${name}: "${text}" is not a port; give a number up to 65535`);
}
