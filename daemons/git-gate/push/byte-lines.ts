/** The lines of a stream, without their ends, as bytes. A last line without an end counts too. */
export async function* byteLines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    let all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10)) {
      yield all.subarray(0, end);
      all = all.subarray(end + 1);
    }
    rest = all;
  }
  if (rest.length > 0) yield rest;
}
