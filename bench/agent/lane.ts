/** One client's way to a tool: one call at a time. */
export interface Lane {
  /** Sends a call; `answered` runs when its answer is whole. Not before the answer to the last. */
  call(answered: () => void): void;
  close(): void;
}

/** What every client of the benchmark calls. */
export const CALL = { method: 'tools/call', name: 'echo' } as const;

export const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
};

/** What each request of 2026-07-28 brings with it. */
export const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** @throws where the answer to a call is not what the tool says. */
export function checkAnswer(answer: Buffer): void {
  if (!answer.includes('"hello"')) throw new Error(`the answer was: ${answer.toString('utf8', 0, 300)}`);
}
