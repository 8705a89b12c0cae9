import { Transform } from 'node:stream';

/** What a push may bring. */
export interface PushBounds {
  /** Bytes before the pack: which refs are to change. git holds all of it in memory. */
  readonly mostCommands: number;
  /** Bytes of the pack. */
  readonly mostPack: number;
  /** Why there is no room for more; undefined where there is. Asked again and again while the pack arrives. */
  readonly room: () => Promise<string | undefined>;
  /** Told why the push is cut off, before the stream fails. */
  readonly onCut: (reason: string) => void;
}

/** As many bytes arrive between two looks at the disk. */
const BETWEEN_LOOKS = 4 * 1024 ** 2;

/** Passes what a client sends to git-receive-pack on (gitprotocol-pack(5), "Reference Update Request"), and fails where it is too much. */
export function createPushInput({ mostCommands, mostPack, room, onCut }: PushBounds): Transform {
  const commands = createCommandReader();
  let commandBytes = 0;
  let packBytes = 0;
  let lookedAt = 0;

  async function check(chunk: Buffer): Promise<string | undefined> {
    const before = commands.read(chunk);
    commandBytes += before;
    packBytes += chunk.length - before;
    if (commandBytes > mostCommands) return `its list of refs has more than ${mostCommands} bytes`;
    if (packBytes > mostPack) return `it has more than ${mostPack} bytes (limits.max_push)`;
    if (packBytes - lookedAt < BETWEEN_LOOKS) return undefined;
    lookedAt = packBytes;
    return room();
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      check(chunk).then(
        (reason) => {
          if (reason === undefined) return done(null, chunk);
          onCut(reason);
          done(new Error(reason));
        },
        (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
      );
    },
  });
}

/** Finds the end of the pkt-lines, which is where the pack begins. What is neither one nor the other counts as pack: git refuses it. */
function createCommandReader(): { read(chunk: Buffer): number } {
  let head = '';
  let left = 0;
  let isOver = false;
  return {
    read(chunk) {
      let at = 0;
      while (!isOver && at < chunk.length) {
        if (left > 0) {
          const count = Math.min(left, chunk.length - at);
          left -= count;
          at += count;
          continue;
        }
        head += chunk.toString('latin1', at, at + 1);
        at += 1;
        if (head.length < 4) continue;
        isOver = !/^[0-9a-f]{4}$/i.test(head);
        left = Math.max(Number.parseInt(head, 16) - 4, 0);
        head = '';
      }
      return at;
    },
  };
}
