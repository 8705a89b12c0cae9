/** Bytes to scan: those that were given, or what came out of them by decoding. */
export interface Layer {
  readonly bytes: Buffer;
  /** How it was decoded, innermost last: `base64`, `gzip`. Nothing for the bytes as they were given. */
  readonly decodings: readonly string[];
  /** Where in the bytes as they were given this byte comes from, about. */
  readonly origin: (offset: number) => number;
}

/** The bytes as they were given. */
export function outerLayer(bytes: Buffer): Layer {
  return { bytes, decodings: [], origin: (offset) => offset };
}

/** One stretch of a decoded layer. */
export interface Piece {
  /** Offset of its first byte in the decoded layer. */
  readonly start: number;
  /** Offset in the parent of what it was decoded from. */
  readonly from: number;
}

/** A layer of `pieces` (in the order of `start`) that were decoded from `parent` into `bytes`. */
export function decodedLayer(parent: Layer, decoding: string, bytes: Buffer, pieces: readonly Piece[]): Layer {
  return {
    bytes,
    decodings: [...parent.decodings, decoding],
    origin: (offset) => parent.origin(pieceAt(pieces, offset)?.from ?? 0),
  };
}

function pieceAt(pieces: readonly Piece[], offset: number): Piece | undefined {
  let low = 0;
  let high = pieces.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((pieces[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return pieces[low];
}
