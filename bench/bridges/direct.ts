import type { BridgeContender } from './bridge.ts';

/** No bridge: clients share the tool's own stdin and stdout. What the tool can do, and what it takes by itself. */
export const direct: BridgeContender = {
  name: 'direct stdio',
  role: 'floor',
  absent: () => undefined,
  start: ({ tool }) =>
    Promise.resolve({ place: { kind: 'stdio', command: tool }, pid: undefined, stop: () => Promise.resolve() }),
};
