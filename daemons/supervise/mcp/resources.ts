import { ResourceNotFoundError, type Server } from '@modelcontextprotocol/server';
import { readTarget, TARGETS } from '../targets.ts';
import type { Drafting } from './draft.ts';

/** What each target is, for the agent. */
const ABOUT = {
  'routes.yaml': { mimeType: 'application/yaml', description: 'The file that egress-block proposes to change.' },
  'pipelock.yaml': { mimeType: 'application/yaml', description: 'The file whose extra_hosts pipelock-block adds to.' },
  Dockerfile: { mimeType: 'text/plain', description: 'The file that capability-block proposes to change.' },
} as const;

const SCHEME = 'bottle:///config/';

/** Lets the agent read the files that it can propose to change, without secrets. */
export function serveResources(server: Server, { config, view }: Drafting): void {
  server.setRequestHandler('resources/list', () => ({
    resources: TARGETS.map((name) => ({ uri: `${SCHEME}${name}`, name, ...ABOUT[name] })),
  }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));
  server.setRequestHandler('resources/read', async ({ params: { uri } }) => {
    const target = TARGETS.find((name) => `${SCHEME}${name}` === uri);
    if (target === undefined) throw new ResourceNotFoundError(uri.slice(0, 200));
    const text = await view(await readTarget(config, target));
    return { contents: [{ uri, mimeType: ABOUT[target].mimeType, text }] };
  });
}
