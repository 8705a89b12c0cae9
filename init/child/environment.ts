import { homedir } from 'node:os';
import type { DaemonSpec } from '../bundle/schema.ts';
import type { Identity } from './identity.ts';
import { DEFAULT_PATH } from './program.ts';

export type Environment = Readonly<Record<string, string>>;

/** The variable by which processes that left their daemon's group are still known as its own. */
export const INCARNATION_VARIABLE = 'BOTTLED_INCARNATION';

export interface EnvironmentOptions {
  /** Whose HOME, USER, LOGNAME and SHELL it gets. */
  readonly identity: Identity;
  /** Its mark, from {@link incarnationMark}. */
  readonly mark: string;
  /** Variables from `env_file`, which `environment` overrides. */
  readonly fromFiles?: Environment;
  /** With `ready.sd_notify`: where it sends READY=1. */
  readonly notifySocket?: string | undefined;
  /** With secrets: the directory that holds them. */
  readonly credentialsDirectory?: string | undefined;
}

/** Variables of the init that say where and in which language it runs, and nothing else: any daemon may have them. */
const SHARED = /^(PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM)$/;

/** The mark of one incarnation: unique on this machine for as long as `runId` is. */
export function incarnationMark(runId: string, daemon: string, incarnation: number): string {
  return `${runId}/${daemon}/${incarnation}`;
}

/**
 * The whole environment of a daemon. It is private: of the init's own (`own`), a daemon gets the place and the
 * language, and what its entry names. Later rules override earlier ones: shared, its user's, `pass_environment`,
 * env_file, `environment`, the init's.
 */
export function buildEnvironment(
  spec: Pick<DaemonSpec, 'environment' | 'pass_environment'>,
  own: NodeJS.ProcessEnv,
  options: EnvironmentOptions,
): Environment {
  return {
    PATH: DEFAULT_PATH,
    ...select(own, (name) => SHARED.test(name)),
    ...ofUser(options.identity),
    ...select(own, passedBy(spec.pass_environment)),
    ...options.fromFiles,
    ...resolveNulls(spec.environment, own),
    ...(options.notifySocket === undefined ? {} : { NOTIFY_SOCKET: options.notifySocket }),
    ...(options.credentialsDirectory === undefined ? {} : { CREDENTIALS_DIRECTORY: options.credentialsDirectory }),
    [INCARNATION_VARIABLE]: options.mark,
  };
}

function select(own: NodeJS.ProcessEnv, wanted: (name: string) => boolean): Record<string, string> {
  const selected: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) if (value !== undefined && wanted(name)) selected[name] = value;
  return selected;
}

function ofUser({ account, uid }: Identity): Record<string, string> {
  if (account === undefined) return { HOME: uid === process.geteuid?.() ? homedir() : '/' };
  return { HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell };
}

/** Names, or patterns in which `*` stands for any number of characters. */
function passedBy(patterns: readonly string[]): (name: string) => boolean {
  if (patterns.length === 0) return () => false;
  const alternatives = patterns.map((pattern) => pattern.split('*').map(literally).join('.*'));
  const expression = new RegExp(`^(?:${alternatives.join('|')})$`);
  return (name) => expression.test(name);
}

function literally(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

/** A value of null is the init's own; a variable that the init does not have is left out, as in Compose. */
function resolveNulls(environment: DaemonSpec['environment'], own: NodeJS.ProcessEnv): Record<string, string> {
  const resolved: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const known = value ?? own[name];
    if (known !== undefined) resolved[name] = known;
  }
  return resolved;
}
