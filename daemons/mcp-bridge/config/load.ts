import { digestOf, digestOfFile } from '../../../config/digest.ts';
import { type LoadedConfig, loadConfig, parseConfig } from '../../../config/load.ts';
import { type Node, placeOf } from '../../../config/node.ts';
import { type Finding, formatPath, type Path, type Problem } from '../../../config/problem.ts';
import type { NamedSecret } from '../../known-secrets/forms.ts';
import { policyFaults, policyWarnings } from './faults.ts';
import type { PolicyConfig, ToolConfig } from './policy.ts';
import { rulesOf } from './rules.ts';
import { type PolicyFile, policySchema, type ToolEntry } from './schema.ts';
import { piecesOf, readSecret, type SecretSources } from './secrets.ts';

/** A policy that can be put in force, or everything that is wrong with the file. */
export type LoadedPolicy =
  | {
      readonly ok: true;
      readonly policy: PolicyConfig;
      /** What is allowed but hardly meant. */
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads and checks `polis-policy.yaml` and the secrets that it names. Never rejects: what is wrong is in the result, all of it. */
export async function loadPolicy(file: string, sources: SecretSources): Promise<LoadedPolicy> {
  const secrets = createSecrets(sources);
  // Before the file is read: where it changes in between, the change is told, and both are read again.
  const digest = digestOfFile(file);
  return made(file, await loadConfig(file, policySchema, optionsOf(secrets)), secrets, digest);
}

/** As {@link loadPolicy}, of a text that is at hand; messages name it `file`. */
export async function parsePolicy(file: string, text: string, sources: SecretSources): Promise<LoadedPolicy> {
  const secrets = createSecrets(sources);
  return made(file, await parseConfig(file, text, policySchema, optionsOf(secrets)), secrets, digestOf(text));
}

function made(
  file: string,
  loaded: LoadedConfig<PolicyFile>,
  secrets: Secrets,
  digest: string | undefined,
): LoadedPolicy {
  if (!loaded.ok) return loaded;
  const { metadata, spec } = loaded.value;
  const tools = new Map(spec.tools.map((entry) => [entry.name, toolOf(entry, secrets)]));
  const policy: PolicyConfig = {
    name: metadata.name,
    tools,
    rules: rulesOf(loaded.value),
    redact: { knownSecrets: spec.redact.known_secrets, scanner: spec.redact.scanner },
    secrets: secrets.used(),
    digest,
  };
  const warnings = [...policyWarnings(loaded.value)].map(([path, message]) => ({
    file,
    line: 0,
    column: 0,
    path: formatPath(path),
    message,
  }));
  return { ok: true, policy, warnings };
}

function optionsOf(secrets: Secrets) {
  return {
    check: function* check(value: PolicyFile, root: Node): Generator<Finding> {
      for (const [path, message, hint] of [...policyFaults(value), ...secretFaults(value, secrets)]) {
        yield { offset: placeOf(root, path), path: formatPath(path), message, hint };
      }
    },
    isPrivate: (path: Path) => path[1] === 'tools' && path[3] === 'environment',
  };
}

/** The secrets of one load: each is read once, so that what was checked is what is used. */
interface Secrets {
  /** The value with its secrets put in, or what is wrong with it. */
  fill(value: string): { readonly ok: true; readonly value: string } | { readonly ok: false; readonly fault: string };
  used(): readonly NamedSecret[];
}

function createSecrets(sources: SecretSources): Secrets {
  const read = new Map<string, ReturnType<typeof readSecret>>();
  return {
    fill(value) {
      const parsed = piecesOf(value);
      if (!parsed.ok) return parsed;
      let filled = '';
      for (const piece of parsed.pieces) {
        if ('text' in piece) {
          filled += piece.text;
          continue;
        }
        const secret = read.get(piece.secret) ?? readSecret(piece.secret, sources);
        read.set(piece.secret, secret);
        if (!secret.ok) return { ok: false, fault: `needs a secret that is not there: ${secret.fault}` };
        filled += secret.value;
      }
      return { ok: true, value: filled };
    },
    used: () => [...read].flatMap(([name, secret]) => (secret.ok ? [{ name, value: secret.value }] : [])),
  };
}

function* secretFaults({ spec }: PolicyFile, secrets: Secrets): Generator<readonly [Path, string, string?]> {
  for (const [index, { environment }] of spec.tools.entries()) {
    for (const [name, value] of Object.entries(environment)) {
      const filled = secrets.fill(value);
      if (!filled.ok) yield [['spec', 'tools', index, 'environment', name], filled.fault];
    }
  }
}

function toolOf(entry: ToolEntry, secrets: Secrets): ToolConfig {
  const { name, driver, image, command, args = [], working_dir, network, limits, health } = entry;
  const program = command === undefined ? [] : typeof command === 'string' ? [command] : command;
  const environment = Object.entries(entry.environment).map(([variable, value]): [string, string] => {
    const filled = secrets.fill(value);
    return [variable, filled.ok ? filled.value : ''];
  });
  return {
    name,
    driver,
    command: {
      tool: name,
      command: [...program, ...args],
      image,
      environment: Object.fromEntries(environment),
      workingDir: working_dir,
      limits: { memory: limits.memory, cpus: limits.cpus, pids: limits.pids },
      network,
    },
    life: entry.life,
    idleTimeout: entry.idle_timeout,
    maxSessions: entry.max_sessions,
    limits: {
      concurrent: limits.concurrent,
      callTimeout: limits.call_timeout,
      messageSize: limits.message_size,
      rate: limits.rate,
    },
    health,
  };
}
