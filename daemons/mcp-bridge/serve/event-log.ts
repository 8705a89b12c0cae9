/** Something that was sent on a stream of a session. */
export interface Event {
  readonly id: string;
  readonly stream: string;
  readonly data: string;
}

/** The last events of one session, so that a client which lost its connection gets what it missed (2025-11-25, resumability). */
export interface EventLog {
  /** Keeps an event and gives it its id. */
  append(stream: string, data: string): Event;
  /** What came after the event of this id on the same stream; undefined where that id is not known any more. */
  after(id: string): { readonly stream: string; readonly events: readonly Event[] } | undefined;
  evicted(): number;
}

const MOST_EVENTS = 1000;
const MOST_CHARACTERS = 4 * 1024 * 1024;

export function createEventLog(prefix: string): EventLog {
  const events: Event[] = [];
  let last = 0;
  let size = 0;
  let evicted = 0;

  function append(stream: string, data: string): Event {
    last += 1;
    const event = { id: `${prefix}:${stream}:${last}`, stream, data };
    events.push(event);
    size += data.length;
    while (events.length > MOST_EVENTS || (size > MOST_CHARACTERS && events.length > 1)) {
      size -= events.shift()?.data.length ?? 0;
      evicted += 1;
    }
    return event;
  }

  function after(id: string): { stream: string; events: readonly Event[] } | undefined {
    const [of, stream, seq] = id.split(':');
    const number = Number(seq);
    if (of !== prefix || stream === undefined || !Number.isInteger(number) || number < 1 || number > last)
      return undefined;
    return {
      stream,
      events: events.filter((event) => event.stream === stream && Number(event.id.split(':')[2]) > number),
    };
  }

  return { append, after, evicted: () => evicted };
}
