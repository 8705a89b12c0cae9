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
  /** Forgets all, and keeps nothing more. */
  clear(): void;
}

/** What all logs of a bridge may keep together. Characters. */
export interface EventMemory {
  used: number;
  readonly most: number;
}

const MOST_EVENTS = 1000;
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** A log of a session; where `memory` is used up, it keeps nothing for a client that resumes. */
export function createEventLog(prefix: string, memory: EventMemory): EventLog {
  const events: Event[] = [];
  let last = 0;
  let size = 0;
  let evicted = 0;
  let isClosed = false;

  function append(stream: string, data: string): Event {
    last += 1;
    const event = { id: `${prefix}:${stream}:${last}`, stream, data };
    if (isClosed) return event;
    events.push(event);
    count(data.length);
    while (
      events.length > MOST_EVENTS ||
      (size > MOST_CHARACTERS && events.length > 1) ||
      (memory.used > memory.most && events.length > 0)
    ) {
      count(-(events.shift()?.data.length ?? 0));
      evicted += 1;
    }
    return event;
  }

  function count(characters: number): void {
    size += characters;
    memory.used += characters;
  }

  function clear(): void {
    count(-size);
    events.length = 0;
    isClosed = true;
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

  return { append, after, evicted: () => evicted, clear };
}
