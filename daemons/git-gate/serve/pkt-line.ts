/** pkt-lines, in which git frames what it says over the wire (gitprotocol-common(5)). */

/** The longest text that one pkt-line takes. */
const MOST = 65_516;

/** One pkt-line. */
export function pktLine(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8').subarray(0, MOST);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0'), 'latin1'), bytes]);
}

export const FLUSH = Buffer.from('0000', 'latin1');

/** What every git client prints as `fatal: remote error: …` (gitprotocol-pack(5), "ERR"). */
export function errorLine(reason: string): Buffer {
  return pktLine(`ERR git-gate: ${reason}`);
}
