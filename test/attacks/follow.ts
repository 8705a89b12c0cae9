import { execa } from 'execa';

/** What a container prints, line by line, as it comes. */
export interface Followed {
  /** How many lines there are. */
  length(): number;
  /** All lines from the one with this number on. */
  since(start: number): readonly string[];
  /** The first line from `start` on for which `test` holds. Undefined where none has come before the deadline. */
  wait(start: number, test: (line: string) => boolean, patience_ms: number): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** Follows the log of one or more containers; `read` turns a line into what is kept. */
export function follow(containers: readonly string[], read: (line: string) => string): Followed {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const children = containers.map((container) => {
    const child = execa('docker', ['logs', '--follow', container], {
      all: true,
      buffer: false,
      reject: false,
      stdin: 'ignore',
    });
    let rest = '';
    child.all?.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map(read));
      for (const look of [...waiting]) look();
    });
    return child;
  });
  return {
    length: () => lines.length,
    since: (start) => lines.slice(start),
    wait: (start, test, patience_ms) =>
      new Promise((resolve) => {
        const end = (line: string | undefined): void => {
          waiting.delete(look);
          clearTimeout(timer);
          resolve(line);
        };
        let next = start;
        const look = (): void => {
          for (; next < lines.length; next += 1) {
            const line = lines[next];
            if (line === undefined || !test(line)) continue;
            end(line);
            return;
          }
        };
        const timer = setTimeout(() => end(undefined), patience_ms);
        waiting.add(look);
        look();
      }),
    stop: async () => {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(children);
    },
  };
}

/** A line of the bundle: the daemon's name and its own words, without the frame that the init puts around them. */
export function bundleLine(line: string): string {
  try {
    const { daemon, message } = JSON.parse(line);
    return `${daemon ?? 'bottled'} ${message}`;
  } catch {
    return line;
  }
}
