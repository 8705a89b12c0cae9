import type { PipelockConfig } from '../pipelock-config.ts';
import type { ResolveChecked, Resolved } from './addresses.ts';
import type { Audit, Subject } from './audit.ts';
import { type Block, blocked } from './block.ts';
import type { Budget } from './body.ts';
import type { Destination } from './destination.ts';
import type { Dlp } from './dlp.ts';
import type { Origins } from './origin.ts';
import type { RateLimit } from './rate.ts';
import { checkUrl } from './url-rules.ts';

/** All that judging and forwarding a request needs. A reload makes a new one; requests that run keep theirs. */
export interface Context {
  readonly config: PipelockConfig;
  readonly dlp: Dlp;
  readonly resolve: ResolveChecked;
  readonly withinRate: RateLimit;
  readonly origins: Origins;
  readonly budget: Budget;
  readonly audit: Audit;
}

/** The checks on where a request goes, in pipelock's order: the URL itself, secrets in it before any DNS query, the addresses, the rate. */
export async function judgeDestination(destination: Destination, context: Context): Promise<Resolved> {
  const block = checkUrl(destination, context.config) ?? (await context.dlp.url(destination.url));
  if (block !== undefined) return { ok: false, block };
  const resolved = await context.resolve(destination.authority);
  if (!resolved.ok || context.withinRate(destination.authority.host)) return resolved;
  return { ok: false, block: tooMany(destination) };
}

function tooMany({ authority }: Destination): Block {
  return blocked('ratelimit', `rate limit exceeded for ${authority.host}`, 429);
}

let requests = 0;

/** A name for one request in the log. */
export function subjectOf(method: string, destination: Destination | undefined): Subject {
  requests += 1;
  return { requestId: `req-${requests}`, method, destination };
}
