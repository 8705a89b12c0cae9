/** Says whether one more request to a host is within the limit, and counts it if so. */
export type RateLimit = (host: string) => boolean;

const WINDOW_MS = 60_000;
/** An allow-list with patterns lets an agent make up names; they must not fill the memory. */
const MOST_DOMAINS = 10_000;

/** At most `perMinute` requests a minute to a domain, counted in a sliding window of two halves by a clock that nobody sets. Names below one domain share its limit. */
export function rateLimit(perMinute: number, now: () => number = () => performance.now()): RateLimit {
  const windows = new Map<string, { start: number; count: number; before: number }>();
  return (host) => {
    const domain = domainOf(host);
    const at = now();
    const window = windows.get(domain) ?? { start: at, count: 0, before: 0 };
    const passed = Math.floor((at - window.start) / WINDOW_MS);
    if (passed > 0) {
      window.before = passed === 1 ? window.count : 0;
      window.count = 0;
      window.start += passed * WINDOW_MS;
    }
    const share = 1 - (at - window.start) / WINDOW_MS;
    if (window.count + window.before * share >= perMinute) return false;
    window.count += 1;
    windows.delete(domain);
    windows.set(domain, window);
    const [oldest] = windows.keys();
    if (windows.size > MOST_DOMAINS && oldest !== undefined) windows.delete(oldest);
    return true;
  };
}

function domainOf(host: string): string {
  return /^[\d.]+$|:/.test(host) ? host : host.split('.').slice(-2).join('.');
}
