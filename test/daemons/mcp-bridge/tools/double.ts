import { createLogReader, createMessageReader } from '../../../../daemons/mcp-bridge/tools/lines.ts';
import {
  type ProcessManager,
  StartError,
  type ToolEnd,
  type ToolProcess,
} from '../../../../daemons/mcp-bridge/tools/process.ts';

/** What a tool of the double does; it has no process. */
export interface Puppet {
  /** Writes to its stdout. */
  write(text: string): void;
  writeError(text: string): void;
  end(end: { readonly code: number } | { readonly signal: string }): void;
  readonly environment: Readonly<Record<string, string>>;
}

/** How a tool of the double behaves. */
export interface Behaviour {
  start?(puppet: Puppet): void;
  line?(puppet: Puppet, line: string): void;
  /** Its stdin was closed. Without: it ends with 0. */
  close?(puppet: Puppet): void;
  /** SIGTERM. Without: it ends by it. */
  terminate?(puppet: Puppet): void;
}

export interface Double extends ProcessManager {
  /** Tools that run now. */
  running(): number;
  /** Tools that were ever started. */
  started(): number;
  /** Ends every running tool as a crash would. */
  crash(code: number): void;
}

/** A ProcessManager without processes. `behaviourOf` says what a command does; undefined: there is no such program. */
export function createDouble(behaviourOf: (command: readonly string[]) => Behaviour | undefined): Double {
  const tools = new Set<(end: { readonly code: number }) => void>();
  let started = 0;

  return {
    driver: 'local',
    async start(command, options) {
      const behaviour = behaviourOf(command.command);
      if (behaviour === undefined) throw new StartError('there is no such program', true);
      started += 1;
      const { promise: ended, resolve } = Promise.withResolvers<ToolEnd>();
      const { onMessage, onDropped = () => {}, onStderr = () => {}, maxMessage, mask } = options;
      const stdout = createMessageReader({ onMessage, onDropped, maxMessage, mask });
      const stderr = createLogReader(onStderr, mask);
      let asked = false;
      let over = false;
      const end: Puppet['end'] = (how) => {
        if (over) return;
        over = true;
        tools.delete(end);
        stdout.end();
        stderr.end();
        resolve('code' in how ? { kind: 'exit', ...how, asked } : { kind: 'signal', ...how, asked });
      };
      tools.add(end);
      const puppet: Puppet = {
        write: (text) => !over && stdout.push(Buffer.from(text)),
        writeError: (text) => !over && stderr.push(Buffer.from(text)),
        end,
        environment: { ...command.environment, ...options.environment },
      };
      queueMicrotask(() => behaviour.start?.(puppet));

      async function stopNow(): Promise<ToolEnd> {
        asked = true;
        await null;
        if (behaviour?.close === undefined) end({ code: 0 });
        else behaviour.close(puppet);
        await null;
        if (!over) {
          if (behaviour?.terminate === undefined) end({ signal: 'SIGTERM' });
          else behaviour.terminate(puppet);
        }
        await null;
        end({ signal: 'SIGKILL' });
        return ended;
      }
      let stopping: Promise<ToolEnd> | undefined;

      const tool: ToolProcess = {
        id: `double ${started}`,
        ended,
        send(message) {
          queueMicrotask(() => !over && behaviour.line?.(puppet, message));
          return true;
        },
        drained: () => Promise.resolve(),
        stop: () => (stopping ??= over ? ended : stopNow()),
      };
      return tool;
    },
    async sweep() {
      for (const end of [...tools]) end({ code: 137 });
    },
    running: () => tools.size,
    started: () => started,
    crash(code) {
      for (const end of [...tools]) end({ code });
    },
  };
}

const ready = '{"method":"ready"}\n';
const echo = (puppet: Puppet, line: string): void => puppet.write(`${line}\n`);

/** The behaviours of the contract's fixture. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  echo: { line: echo },
  noise: {
    start: (puppet) =>
      puppet.write('starting up\n{"id":1,"result":{}}\n\n42\n[{"id":2,"result":{}},{"id":3,"result":{}}]\n'),
    line: echo,
  },
  long: {
    start(puppet) {
      const zeros = '0'.repeat(200_000);
      puppet.write(`{"jsonrpc":"2.0","id":7,"result":"${zeros}"}\n`);
      puppet.write(`{"result":"${zeros}","jsonrpc":"2.0","id":"eight"}\n{"id":9,"result":{}}\n`);
    },
  },
  stderr: {
    start(puppet) {
      puppet.writeError(`the token is ${puppet.environment.TOKEN}, keep it\n`);
      puppet.write('{"id":1,"result":{}}\n');
    },
  },
  environment: { start: (puppet) => puppet.write(`{"own":"${puppet.environment.OWN ?? ''}","bridge":""}\n`) },
  exit: { line: (puppet) => puppet.end({ code: 3 }) },
  killed: { line: (puppet) => puppet.end({ signal: 'SIGKILL' }) },
  last: {
    start(puppet) {
      puppet.write('{"id":1,"result":{}}');
      puppet.end({ code: 0 });
    },
  },
  deaf: { start: (puppet) => puppet.write(ready), close: () => {}, terminate: (puppet) => puppet.end({ code: 0 }) },
  stubborn: { start: (puppet) => puppet.write(ready), close: () => {}, terminate: () => {} },
  child: { start: (puppet) => puppet.write(ready), line: echo },
  escaped: { start: (puppet) => puppet.write(ready), line: echo },
  orphan: { start: (puppet) => puppet.write(ready), line: (puppet) => puppet.end({ code: 3 }) },
  idle: { start: (puppet) => puppet.write(ready), close: () => {} },
};

/** The double that the contract runs over. */
export function contractDouble(): Double {
  return createDouble((command) => (command[0] === 'sh' ? BEHAVIOURS[command[4] ?? ''] : undefined));
}
