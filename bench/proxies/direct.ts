import type { ProxyContender } from './proxy.ts';

/** No proxy: what the origin and the load generator can do by themselves. */
export const direct: ProxyContender = {
  name: 'direct',
  role: 'floor',
  absent: () => undefined,
  start: async () => ({ port: undefined, pids: [], stop: async () => {} }),
};
