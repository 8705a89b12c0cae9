import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CALL, checkAnswer, ENVELOPE, INITIALIZE, type Lane } from './lane.ts';
import type { Revision } from './task.ts';

/** A tool that was started here, whose stdin and stdout any number of clients share. */
export interface StdioTool {
  open(): Lane;
  close(): void;
}

/** Starts the tool and shakes hands, in the era of the revision. */
export async function startTool(
  command: readonly string[],
  revision: Revision,
  fail: (error: unknown) => void,
): Promise<StdioTool> {
  const [program = '', ...args] = command;
  const tool = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  tool.on('error', fail);
  tool.on('exit', (code) => fail(new Error(`the tool ended with ${code}`)));
  const waiting = new Map<number, (line: string) => void>();
  createInterface({ input: tool.stdout }).on('line', (line) => {
    const { id } = JSON.parse(line);
    waiting.get(id)?.(line);
  });
  let last = 0;
  const isModern = revision === '2026-07-28';
  const send = (method: string, params: object, answered: (line: string) => void): void => {
    last += 1;
    const id = last;
    waiting.set(id, (line) => {
      waiting.delete(id);
      answered(line);
    });
    tool.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
  };
  const opening = isModern ? ({ _meta: ENVELOPE } as const) : INITIALIZE;
  await new Promise<string>((resolve) => send(isModern ? 'server/discover' : 'initialize', opening, resolve));
  if (!isModern) tool.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const params = { name: CALL.name, arguments: {}, ...(isModern && { _meta: ENVELOPE }) };
  const lane: Lane = {
    call(answered) {
      send(CALL.method, params, (line) => {
        try {
          checkAnswer(Buffer.from(line));
          answered();
        } catch (error) {
          fail(error);
        }
      });
    },
    close() {},
  };
  return {
    open: () => lane,
    close() {
      tool.removeAllListeners('exit');
      tool.kill('SIGKILL');
    },
  };
}
