import { escapeJson } from './json.ts';
import { countLines } from './lines.ts';
import type { LogFormat, Stream } from './logs.ts';
import type { Output } from './output.ts';

/** Writes a block of whole lines of one stream to the output; returns how many lines it were. */
export type Format = (block: Buffer, time: number, output: Output) => number;

/** How one daemon's stream is shown. */
export interface FormatOptions {
  readonly format: LogFormat;
  readonly daemon: string;
  readonly stream: Stream;
  /** What stands in front of each line in text. One byte a character. */
  readonly prefix: string;
}

export function createFormat({ format, daemon, stream, prefix }: FormatOptions): Format {
  switch (format) {
    case 'text':
      return textFormat(prefix);
    case 'json':
      return jsonFormat(daemon, stream);
    case 'raw':
      return rawFormat;
  }
}

function textFormat(prefix: string): Format {
  const between = replacement(`\n${prefix}`);
  return (block, _time, output) => {
    const lines = block.toString('latin1').replaceAll('\n', between);
    output.append(prefix, prefix.length);
    output.append(lines, lines.length - prefix.length);
    return (lines.length - block.length) / prefix.length;
  };
}

function jsonFormat(daemon: string, stream: Stream): Format {
  const rest = `","daemon":${JSON.stringify(daemon)},"stream":"${stream}","message":"`;
  const tail = '"}\n';
  return (block, time, output) => {
    const head = `{"time":"${timestamp(time)}${rest}`;
    const escaped = escapeJson(block);
    const lines = escaped.replaceAll('\n', replacement(tail + head));
    output.append(head, head.length);
    output.append(lines, lines.length - head.length);
    return (lines.length - escaped.length) / (tail.length - 1 + head.length);
  };
}

function rawFormat(block: Buffer, _time: number, output: Output): number {
  output.append(block.toString('latin1'), block.length);
  return countLines(block);
}

function replacement(text: string): string {
  return text.replaceAll('$', '$$$$');
}

let stampedTime = Number.NaN;
let stamp = '';

/** RFC 3339 in UTC with milliseconds. Many blocks share one millisecond. */
export function timestamp(time: number): string {
  if (time !== stampedTime) {
    stampedTime = time;
    stamp = new Date(time).toISOString();
  }
  return stamp;
}
