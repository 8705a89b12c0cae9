import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Log } from '../../log/log.ts';
import { type ProcessManager, StartError, type ToolCommand } from './process.ts';
import { signalGroup, startCarrier } from './stdio.ts';

export interface DockerOptions {
  /** Tells the containers of this bridge from those of others; the same after a restart. Letters, digits and "-". */
  readonly instance: string;
  /** The bridge's own variables, of which the docker program gets what it needs to find its engine. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Default `docker`. */
  readonly program?: string;
}

const INSTANCE = 'bottled.instance';
const TOOL = 'bottled.tool';

/** Processes and threads of a container, where the policy does not say. */
const MOST_PIDS = 256;
/** How long the docker program may take for anything but running a tool. Milliseconds. */
const COMMAND_MS = 20_000;
/** Seconds from SIGTERM to SIGKILL within `docker stop`. */
const STOP_SECONDS = 2;

/** What the docker program may see of the bridge's environment. */
const FOR_DOCKER = /^(?:PATH|HOME|XDG_RUNTIME_DIR|DOCKER_[A-Z_]+)$/;

/**
 * Tools as containers, by the docker program: each with a name and a label of its own, an init, no network, no capability, a read-only root with a
 * small /tmp, and bounds. The engine's log of its output is off: it would be a copy of every message on disk.
 */
export function createDockerManager({ instance, variables, log, program = 'docker' }: DockerOptions): ProcessManager {
  const own = Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value !== undefined && FOR_DOCKER.test(name) ? [[name, value] as const] : [],
    ),
  );
  const docker = (args: readonly string[], env = own): Promise<Ran> => runDocker(program, args, env);

  return {
    driver: 'local-docker',
    async start(command, options) {
      const name = `bottled-${instance}-${command.tool}-${randomBytes(6).toString('hex')}`;
      const environment = { ...command.environment, ...options.environment };
      // What means something to docker itself is the bridge's alone: a tool's DOCKER_HOST must not send its container elsewhere.
      const env = { ...harmlessTo(environment), ...own };
      // Created first, so that what is wrong with the image or the engine is told here and not as the end of a tool.
      const created = await docker(['create', ...flagsOf(command, { name, instance, environment, own })], env);
      if (!created.ok) {
        await docker(['rm', '--force', name]);
        throw new StartError(`its container cannot be created: ${options.mask(created.said)}`, created.isPermanent);
      }
      const remove = async (): Promise<void> => {
        const removed = await docker(['rm', '--force', '--volumes', name]);
        if (removed.ok || removed.said.includes('No such container') || removed.said.includes('already in progress'))
          return;
        log(
          'error',
          `the container ${name} could not be removed: ${removed.said}; remove it with: docker rm -f ${name}`,
          {
            event: 'container-left',
            container: name,
            tool: command.tool,
          },
        );
      };
      try {
        return await startCarrier(
          {
            program,
            args: ['start', '--attach', '--interactive', name],
            cwd: undefined,
            env: own,
            idOf: () => `container ${name}`,
            async ask() {
              await docker(['stop', '--time', String(STOP_SECONDS), name]);
            },
            async kill(pid) {
              await remove();
              signalGroup(pid, 'SIGKILL');
            },
            clean: remove,
          },
          options,
        );
      } catch (error) {
        await remove();
        throw error;
      }
    },
    async sweep() {
      const listed = await docker(['ps', '--all', '--quiet', '--filter', `label=${INSTANCE}=${instance}`]);
      const left = listed.said.split('\n').filter((id) => /^[0-9a-f]{12,64}$/.test(id));
      if (!listed.ok || left.length === 0) return;
      const removed = await docker(['rm', '--force', '--volumes', ...left]);
      const containers = `${left.length} ${left.length === 1 ? 'container' : 'containers'}`;
      log(
        'warn',
        removed.ok
          ? `${containers} of an earlier life removed`
          : `${containers} of an earlier life could not be removed: ${removed.said}`,
        {
          event: 'containers-swept',
          count: left.length,
        },
      );
    },
  };
}

function harmlessTo(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !FOR_DOCKER.test(name)));
}

interface Naming {
  readonly name: string;
  readonly instance: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Variables of the docker program itself. */
  readonly own: Readonly<Record<string, string>>;
}

function flagsOf(command: ToolCommand, { name, instance, environment, own }: Naming): readonly string[] {
  const { tool, image = '', limits, network = 'none', workingDir } = command;
  const memory =
    limits.memory === undefined ? [] : ['--memory', String(limits.memory), '--memory-swap', String(limits.memory)];
  return [
    '--rm',
    '--interactive',
    '--init',
    ...['--name', name, '--label', `${INSTANCE}=${instance}`, '--label', `${TOOL}=${tool}`],
    ...['--network', network],
    ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
    ...['--read-only', '--tmpfs', '/tmp:rw,noexec,nosuid,nodev,size=64m'],
    ...['--pids-limit', String(limits.pids ?? MOST_PIDS), '--ulimit', 'core=0'],
    ...memory,
    ...(limits.cpus === undefined ? [] : ['--cpus', String(limits.cpus)]),
    ...['--log-driver', 'none', '--stop-timeout', String(STOP_SECONDS)],
    ...(workingDir === undefined ? [] : ['--workdir', workingDir]),
    ...Object.entries(environment).flatMap(([variable, value]) => ['--env', inWhichForm(variable, value, own)]),
    image,
    ...command.command,
  ];
}

/**
 * By name alone the value does not show in the list of processes: docker takes it out of its own environment. That cannot be done with a
 * variable that means something to docker itself.
 */
function inWhichForm(variable: string, value: string, own: Readonly<Record<string, string>>): string {
  return Object.hasOwn(own, variable) || FOR_DOCKER.test(variable) ? `${variable}=${value}` : variable;
}

interface Ran {
  readonly ok: boolean;
  /** What it said, on one line where it failed. */
  readonly said: string;
  readonly isPermanent: boolean;
}

function runDocker(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env, timeout: COMMAND_MS, maxBuffer: 1_048_576, killSignal: 'SIGKILL' as const };
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ ok: true, said: stdout, isPermanent: false });
      else if (error.code === 'ENOENT')
        resolve({ ok: false, said: `there is no program ${program} here`, isPermanent: true });
      else {
        const said =
          lastLine(stderr) ||
          (error.killed === true ? `docker did not answer within ${COMMAND_MS / 1000} s` : error.message);
        resolve({ ok: false, said, isPermanent: PERMANENT.test(said) });
      }
    });
  });
}

/** What another try cannot mend. */
const PERMANENT = /No such image|not found|pull access denied|invalid reference format|repository does not exist/i;

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('See '));
  return (lines.at(-1) ?? '').slice(0, 500);
}
