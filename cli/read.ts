import type { BundleStatus } from '../init/status.ts';
import { type Client, refused } from './client.ts';
import { EXIT } from './exit-codes.ts';
import { Failure } from './failure.ts';
import { hint } from './parse.ts';

/** What the init answers to a GET, as the text that it is. */
export async function readText(client: Client, path: string): Promise<string> {
  const answer = await client.ask('GET', path);
  if (answer.status !== 200) throw refused(answer);
  return answer.body;
}

export async function readStatus(client: Client): Promise<BundleStatus> {
  // The schemas of the control API are checked against this type (init/control/schemas.ts).
  return JSON.parse(await readText(client, '/v1/status')) as BundleStatus;
}

/** Throws where one of `names` is no daemon of the bundle. */
export function requireKnown(names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new Failure(
    EXIT.noSuchDaemon,
    `there is no daemon "${unknown}"${hint(unknown, known) || ';'} known: ${known.join(', ') || 'none'}`,
  );
}
