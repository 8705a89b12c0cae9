const HEAD_END = '\r\n\r\n';

/**
 * Reads HTTP/1.1 answers with a Content-Length off a connection, and no others: as little as tells where one ends. Calls `complete` at
 * each end. Throws where an answer is not a 200.
 */
export function createAnswerReader(complete: () => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let left = 0;
  return (chunk) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (left === 0) {
        pending = pending.length === 0 ? rest : Buffer.concat([pending, rest]);
        const end = pending.indexOf(HEAD_END);
        if (end < 0) return;
        const head = pending.toString('latin1', 0, end);
        const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
        if (!head.startsWith('HTTP/1.1 200') || length === undefined) {
          throw new Error(`the answer was: ${pending.toString('latin1', 0, 200).replace(/\s+/g, ' ')}`);
        }
        rest = pending.subarray(end + HEAD_END.length);
        pending = Buffer.alloc(0);
        left = Number(length);
      }
      const taken = Math.min(left, rest.length);
      left -= taken;
      rest = rest.subarray(taken);
      if (left === 0) complete();
    }
  };
}
