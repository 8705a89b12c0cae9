import type { HistoryEntry } from '../status.ts';
import type { Init } from './init.ts';
import type { Reply } from './route.ts';
import { SSE_HEARTBEAT, SSE_TYPE, serverSentEvent } from './sse.ts';

/**
 * The events of the bundle as server-sent events: first `snapshot` (the whole status), then what the client has missed
 * since entry `after`, then each new entry as it happens. Where entries after `after` are no longer kept, or the init has
 * been started anew since, a `gap` event says so. `after` undefined: only what happens from now on.
 */
export function eventStream(init: Init, after: number | undefined): Reply {
  return {
    type: SSE_TYPE,
    backlog: () => missed(init, after),
    heartbeat: SSE_HEARTBEAT,
    follow: (outbox) => init.onHistory((entry) => outbox.send(write(entry))),
  };
}

function missed(init: Init, after: number | undefined): string[] {
  const kept = init.history(0);
  const latest = kept.at(-1)?.id ?? 0;
  const from = after === undefined ? latest : after > latest ? 0 : after;
  const entries = kept.filter((entry) => entry.id > from);
  const next = entries[0]?.id ?? latest + 1;
  const gap = after !== undefined && after > 0 && next !== after + 1;
  return [
    serverSentEvent('snapshot', init.status(), from),
    ...(gap ? [serverSentEvent('gap', { after, next })] : []),
    ...entries.map(write),
  ];
}

function write(entry: HistoryEntry): string {
  return serverSentEvent(entry.type, entry, entry.id);
}
