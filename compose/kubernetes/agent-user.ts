import type { Bottle } from '../bottle/schema.ts';
import { USERS } from '../daemons.ts';

/** As whom the agent runs where bottle.yaml does not say. */
const DEFAULT_USER = 1000;

/** uid and gid (that of the uid where none is given); `undefined` where the guard could not tell such an agent from the bundle: names, root, a daemon's user. */
export function agentUserOf({ agent }: Bottle): { readonly uid: number; readonly gid: number } | undefined {
  if (agent.user === undefined) return { uid: DEFAULT_USER, gid: DEFAULT_USER };
  const [, uid, gid] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(agent.user) ?? [];
  const user = Number(uid ?? 0);
  if (user === 0 || Object.values(USERS).includes(user)) return undefined;
  return { uid: user, gid: gid === undefined ? user : Number(gid) };
}
