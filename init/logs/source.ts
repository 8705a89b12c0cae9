import { readSync } from 'node:fs';
import { Socket } from 'node:net';

/** A pipe's largest size without privileges (fs.pipe-max-size): what was written before a process ended is not more. */
const MOST_IN_A_PIPE = 1_048_576;

/** The read end of one pipe. */
export interface Source {
  pause(): void;
  resume(): void;
  /** Reads at once what the pipe holds, paused or not; ends the source where nobody holds the pipe any more. */
  drain(): void;
  /** Drains, then closes the pipe. */
  close(): void;
}

export interface SourceOptions {
  readonly fd: number;
  /** Every read goes here. */
  readonly area: Buffer;
  /** So many bytes are in the area. */
  readonly onRead: (length: number) => void;
  /** Nothing follows. Called once. */
  readonly onEnd: () => void;
}

/**
 * Reads a pipe as it fills. All sources share one area, since a read is used up before the next one.
 *
 * @throws where `fd` is not an open pipe
 */
export function openSource({ fd, area, onRead, onEnd }: SourceOptions): Source {
  let ended = false;
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: area,
      callback: (length) => {
        onRead(length);
        return true;
      },
    },
  });
  socket.on('end', end).on('error', end).on('close', end);

  function end(): void {
    if (ended) return;
    ended = true;
    socket.destroy();
    onEnd();
  }

  function drain(): void {
    let left = MOST_IN_A_PIPE;
    while (!ended && left > 0) {
      const length = readNow(fd, area);
      if (length === undefined) return;
      if (length === 0) end();
      else onRead(length);
      left -= length;
    }
  }

  function close(): void {
    drain();
    end();
  }

  return {
    pause: () => {
      if (!ended) socket.pause();
    },
    resume: () => {
      if (!ended) socket.resume();
    },
    drain,
    close,
  };
}

/** The number of bytes read, 0 at the end, undefined where there is nothing for now. */
function readNow(fd: number, area: Buffer): number | undefined {
  try {
    return readSync(fd, area, 0, area.length, null);
  } catch (error) {
    const isEmpty = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
    return isEmpty ? undefined : 0;
  }
}
