import { get } from 'node:http';
import type { Log } from '../log/log.ts';

export type UpstreamState = 'ok' | 'unreachable';

/** What is known of the proxy behind egress. */
export interface UpstreamHealth {
  /** As of the last look. */
  current(): UpstreamState;
  close(): void;
}

const TIMEOUT_MS = 1000;
const LOOK_EVERY_MS = 2000;

/** Asks `/health` of the proxy at `upstream` now and every two seconds, and logs when its answer changes. */
export async function watchUpstream(upstream: URL, log: Log): Promise<UpstreamHealth> {
  const url = new URL('/health', upstream);
  let state = await ask(url);
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  if (state === 'unreachable') tell();

  function tell(): void {
    const message =
      state === 'ok'
        ? `egress: pipelock at ${upstream.host} answers again`
        : `egress: pipelock at ${upstream.host} does not answer; every request gets a 502 until it does`;
    log(state === 'ok' ? 'info' : 'warn', message, { event: 'egress_upstream', upstream: upstream.host, state });
  }

  async function look(): Promise<void> {
    const seen = await ask(url);
    if (isClosed) return;
    if (seen !== state) {
      state = seen;
      tell();
    }
    lookLater();
  }

  function lookLater(): void {
    timer = setTimeout(() => void look(), LOOK_EVERY_MS).unref();
  }

  lookLater();
  return {
    current: () => state,
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** Never rejects. */
function ask(url: URL): Promise<UpstreamState> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      resolve(response.statusCode === 200 ? 'ok' : 'unreachable');
      response.destroy();
    });
    request.on('error', () => resolve('unreachable'));
  });
}
