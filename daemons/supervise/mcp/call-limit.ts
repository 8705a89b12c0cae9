/** Lets so many calls through within a minute; time is given as data. */
export function createCallLimit(mostPerMinute: number): (now: number) => boolean {
  let recent: number[] = [];
  return (now) => {
    recent = recent.filter((time) => time > now - 60_000);
    if (recent.length >= mostPerMinute) return false;
    recent.push(now);
    return true;
  };
}
