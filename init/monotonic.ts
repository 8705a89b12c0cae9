/**
 * Monotonic ms, the time of all events: it never goes back, and no clock setting touches it. By `hrtime`, since the global
 * `performance` loads ten of Node's own modules before the first spawn.
 */
export function monotonic(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
