import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import type { JsonObject } from '../../../../daemons/mcp-bridge/policy/json.ts';
import type {
  DroppedLine,
  ProcessManager,
  StartOptions,
  ToolCommand,
  ToolProcess,
} from '../../../../daemons/mcp-bridge/tools/process.ts';

/** A tool for the contract: behaves as its first argument says. Runs under any POSIX sh, with sleep(1) and setsid(1). */
export const SCRIPT = `
say() { printf '%s\\n' "$1"; }
echo_all() { while IFS= read -r line; do say "$line"; done; }
case "$1" in
  echo) echo_all ;;
  noise) say 'starting up'; say '{"id":1,"result":{}}'; say ''; say '42'; say '[{"id":2,"result":{}},{"id":3,"result":{}}]'; echo_all ;;
  long) printf '{"jsonrpc":"2.0","id":7,"result":"%0200000d"}\\n' 0; printf '{"result":"%0200000d","jsonrpc":"2.0","id":"eight"}\\n' 0; say '{"id":9,"result":{}}'; echo_all ;;
  stderr) say "the token is $TOKEN, keep it" >&2; say '{"id":1,"result":{}}'; echo_all ;;
  environment) printf '{"own":"%s","bridge":"%s"}\\n' "$OWN" "$CREDENTIALS_DIRECTORY$BRIDGE_SECRET"; echo_all ;;
  exit) IFS= read -r line; exit 3 ;;
  killed) IFS= read -r line; kill -9 $$ ;;
  last) printf '{"id":1,"result":{}}' ;;
  deaf) trap 'exit 0' TERM; say '{"method":"ready"}'; while :; do sleep 1 & wait $!; done ;;
  stubborn) trap '' TERM; say '{"method":"ready"}'; while :; do sleep 1; done ;;
  child) sleep "$2" & say '{"method":"ready"}'; echo_all ;;
  escaped) setsid sleep "$2" & say '{"method":"ready"}'; echo_all ;;
  orphan) setsid sleep "$2" & say '{"method":"ready"}'; IFS= read -r line; exit 3 ;;
  idle) say '{"method":"ready"}'; sleep "$2" ;;
esac
`;

/** The command that runs {@link SCRIPT}. */
export function fixture(behaviour: string, argument = '', more: Partial<ToolCommand> = {}): ToolCommand {
  return {
    tool: 'fixture',
    command: ['sh', '-c', SCRIPT, 'fixture', behaviour, argument],
    image: undefined,
    environment: {},
    workingDir: undefined,
    limits: { memory: undefined, cpus: undefined, pids: undefined },
    network: undefined,
    ...more,
  };
}

/** A started tool, and what it said so far. */
export interface Heard {
  readonly tool: ToolProcess;
  readonly messages: JsonObject[];
  readonly dropped: DroppedLine[];
  readonly stderr: string[];
  /** Resolves when so many messages are there. */
  said(count: number): Promise<void>;
}

export async function listen(
  manager: ProcessManager,
  command: ToolCommand,
  more: Partial<StartOptions> = {},
): Promise<Heard> {
  const messages: JsonObject[] = [];
  const dropped: DroppedLine[] = [];
  const stderr: string[] = [];
  const tool = await manager.start(command, {
    onMessage: (message) => void messages.push(message),
    onDropped: (line) => void dropped.push(line),
    onStderr: (line) => void stderr.push(line),
    maxMessage: 100_000,
    mask: (text) => text,
    grace: 300,
    ...more,
  });
  return {
    tool,
    messages,
    dropped,
    stderr,
    said: (count) =>
      until(
        () => messages.length >= count,
        () => `${messages.length} of ${count} messages`,
      ),
  };
}

/** Waits for a condition that nothing else tells of. */
export async function until(holds: () => boolean, what: () => string = () => 'it', deadline = 20_000): Promise<void> {
  const end = Date.now() + deadline;
  while (!holds()) {
    assert.ok(Date.now() < end, `still not there: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A number that no other process of this machine sleeps for. */
export function oddSeconds(): string {
  return String(100_000_000 + Math.floor(Math.random() * 800_000_000));
}

/** Processes of this machine, in containers as well, with this word in their command. */
export function processesWith(word: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(word);
      } catch {
        return false;
      }
    });
}
