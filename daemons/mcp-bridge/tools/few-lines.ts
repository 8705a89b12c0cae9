/** Lines at once, and lines in each second after that: enough for a trace of a crash, too few to fill a disk. */
const BURST = 200;
const PER_SECOND = 20;

/** Passes lines of a log on, but no flood: what goes beyond is counted, and told with the next line that passes. */
export function fewLines(onLine: (line: string) => void, clock: () => number = Date.now): (line: string) => void {
  let left = BURST;
  let at = clock();
  let dropped = 0;
  return (line) => {
    const now = clock();
    left = Math.min(BURST, left + ((now - at) / 1000) * PER_SECOND);
    at = now;
    if (left < 1) {
      dropped += 1;
      return;
    }
    left -= 1;
    if (dropped > 0) onLine(`(${dropped} lines were left out: too many at once)`);
    dropped = 0;
    onLine(line);
  };
}
