import { join } from 'node:path';
import { freePort, startServer } from '../server.ts';
import type { Gate } from './gate.ts';

/** git-http-backend(1) behind node:http, straight onto the bare repositories: nothing is scanned, nothing passed on. */
export const httpBackend: Gate = {
  name: 'http-backend',
  role: 'peer',
  absent: () => undefined,
  async start({ directory, upstreams }) {
    const port = await freePort();
    const program = join(import.meta.dirname, '../processes/http-backend.ts');
    const command = [process.execPath, program, String(port), upstreams];
    const server = await startServer({ name: 'http-backend', command, port, directory });
    return { url: (name) => `http://127.0.0.1:${port}/${name}.git`, stop: server.stop };
  },
};
