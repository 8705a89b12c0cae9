import { type NamedSecret, SHORTEST_FORM } from '../../known-secrets/forms.ts';
import type { Rules } from '../policy/judge.ts';
import type { Driver, ToolCommand } from '../tools/process.ts';
import type { Rate } from './schema.ts';

/** `polis-policy.yaml`, checked, its secrets put in. Never changed: a reload makes a new one. */
export interface PolicyConfig {
  readonly name: string;
  /** By name, in the order of the file. */
  readonly tools: ReadonlyMap<string, ToolConfig>;
  readonly rules: Rules;
  readonly redact: {
    readonly knownSecrets: boolean;
    readonly scanner: boolean;
  };
  /** What \${VAR} put in, whether or not results are cleaned of it: it must not reach a log. */
  readonly secrets: readonly NamedSecret[];
  /** Of the file, by `config/digest.ts`; undefined where it vanished while it was read. */
  readonly digest: string | undefined;
}

/** One tool. Times in milliseconds, sizes in bytes. */
export interface ToolConfig {
  readonly name: string;
  readonly driver: Driver;
  readonly command: ToolCommand;
  /** `stateless`: one process for all sessions. `session`: one for each. */
  readonly life: 'session' | 'stateless';
  readonly idleTimeout: number;
  readonly maxSessions: number;
  readonly limits: CallLimits;
  readonly health: {
    /** 0: never. */
    readonly interval: number;
    readonly timeout: number;
    readonly retries: number;
  };
}

export interface CallLimits {
  readonly concurrent: number;
  readonly callTimeout: number;
  readonly messageSize: number;
  readonly rate: Rate | undefined;
}

/** Names of secrets that are too short to be found in what a tool sends. */
export function tooShortSecrets({ secrets }: PolicyConfig): readonly string[] {
  return secrets.filter(({ value }) => Buffer.byteLength(value) < SHORTEST_FORM).map(({ name }) => name);
}

/** Whether a tool has to be started anew when `before` is replaced by `after`. */
export function isSameTool(before: ToolConfig, after: ToolConfig): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}
