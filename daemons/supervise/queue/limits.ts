/** How much there may be. Times in milliseconds, sizes in characters. */
export interface Limits {
  /** Silence means no after this time. */
  readonly expiry_ms: number;
  /** Open proposals of one source. */
  readonly mostPending: number;
  /** New proposals of one source within a minute. */
  readonly mostPerMinute: number;
}

/** Bytes (UTF-8) of a proposed text, and of a justification. */
export const LONGEST_TEXT = 256 * 1024;
export const LONGEST_JUSTIFICATION = 4 * 1024;

/** Characters of all open proposals of one source together. */
export const MOST_PENDING_CHARACTERS = 8 * 1024 * 1024;
