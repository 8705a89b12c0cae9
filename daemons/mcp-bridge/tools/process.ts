import type { JsonObject } from '../policy/json.ts';

/**
 * A tool is a program that speaks MCP on its stdin and stdout, one JSON-RPC message a line. What it is started from comes out of
 * `polis-policy.yaml` alone, never from who calls it.
 */

/** What a tool is started from. */
export interface ToolCommand {
  /** The tool's name in the policy: for logs, and for names of containers and sandboxes. */
  readonly tool: string;
  /** Program and arguments. With an image: what follows the image, and may be empty. */
  readonly command: readonly string[];
  /** The image (`local-docker`) or the template (`e2b`). */
  readonly image: string | undefined;
  /** Beside a few harmless variables all that the tool sees. */
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
  readonly limits: ProcessLimits;
  /** For `local-docker`: the name of a network; undefined is none. */
  readonly network: string | undefined;
}

export interface ProcessLimits {
  /** Bytes. */
  readonly memory: number | undefined;
  /** In CPUs; only where there is a container. */
  readonly cpus: number | undefined;
  /** Processes and threads. */
  readonly pids: number | undefined;
}

/** A line of a tool's stdout that was not delivered. */
export interface DroppedLine {
  /** `noise`: no JSON object. `too-long`: longer than `maxMessage`. `too-deep`: nested deeper than `MOST_LEVELS`. */
  readonly why: 'noise' | 'too-long' | 'too-deep';
  readonly bytes: number;
  /** How many lines were noise so far, this one included. */
  readonly noise: number;
  /** Its beginning, masked and printable, for the log. */
  readonly beginning: string;
  /** For `too-long` and `too-deep`: the id of the response that it was, where one can be read off its first or last bytes. */
  readonly id: string | number | undefined;
}

export interface StartOptions {
  /** A message of the tool, parsed, and the line that it came as. An array (a batch) comes as its messages. Called in order. */
  readonly onMessage: (message: JsonObject, line: string) => void;
  /** Called for each line that is too long or too deep, and for the 1st, 10th, 100th, … line of noise: a tool that floods must not flood the log. */
  readonly onDropped?: (dropped: DroppedLine) => void;
  /** A line of stderr, masked, cut at 8 KiB. */
  readonly onStderr?: (line: string) => void;
  /** Variables beside those of the command, as `TRACEPARENT`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The longest message that the tool may send, in bytes. */
  readonly maxMessage: number;
  /** Hides secrets in what goes to a log. */
  readonly mask: (text: string) => string;
  /** How long a tool has to end after its stdin was closed, and again after SIGTERM. Milliseconds. Default 2000. */
  readonly grace?: number;
}

/** How a tool's process ended. */
export type ToolEnd =
  | { readonly kind: 'exit'; readonly code: number; readonly asked: boolean }
  | { readonly kind: 'signal'; readonly signal: string; readonly asked: boolean };

/** A running tool. */
export interface ToolProcess {
  /** For logs: `pid 4711`, the name of a container, the id of a sandbox. */
  readonly id: string;
  /**
   * Writes one message: JSON without a line break. False where the tool reads slower than is written: wait for `drained` before the next.
   * Does nothing after the end.
   */
  send(message: string): boolean;
  /** Resolves when the tool has taken what was written, or has ended. */
  drained(): Promise<void>;
  /** Resolves when the process and all that it started are gone and every line has been delivered. Never rejects. */
  readonly ended: Promise<ToolEnd>;
  /** Closes stdin, waits, asks (SIGTERM), waits, kills; everything that the tool started goes as well. Again: the same end. */
  stop(): Promise<ToolEnd>;
}

/** Starts processes of tools in one way: as local processes, containers, sandboxes. */
export interface ProcessManager {
  readonly driver: Driver;
  /** Rejects with {@link StartError}. */
  start(command: ToolCommand, options: StartOptions): Promise<ToolProcess>;
  /** Removes what an earlier life of this bridge left behind. Once before the first start, and once after the last stop. Never rejects. */
  sweep(): Promise<void>;
}

export type Driver = 'local' | 'local-docker' | 'e2b';

/** Why a tool could not be started, for a person; `permanent` where another try cannot help. */
export class StartError extends Error {
  readonly permanent: boolean;

  constructor(message: string, permanent: boolean) {
    super(message);
    this.name = 'StartError';
    this.permanent = permanent;
  }
}

/** The end as the end of a sentence: `exited with code 3`, `was killed by SIGKILL`. */
export function describeEnd(end: ToolEnd): string {
  return end.kind === 'exit' ? `exited with code ${end.code}` : `was ended by ${end.signal}`;
}
