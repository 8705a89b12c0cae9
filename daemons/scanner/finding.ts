/** A place that looks like a secret. It never holds the secret itself. */
export interface SecretFinding {
  /** The rule that found it, e.g. `github-token`, `known-secret`. */
  readonly rule: string;
  /** What it is, for a person: "GitHub token", or the name of a known secret; and how it was encoded. */
  readonly what: string;
  /** From 1; of the bytes that were scanned. For something encoded: about where the encoded text has it. */
  readonly line: number;
  /** From 1, in bytes. */
  readonly column: number;
  /** SHA-256 (hex) of rule and secret together: by this an operator allows one, without writing it down. */
  readonly fingerprint: string;
  /** SHA-256 (hex) of the secret alone: what two engines found is one finding where this is the same. */
  readonly digest: string;
}

/** What one scan says. A scan that could not be finished is not a clean one: who asked must refuse. */
export type ScanResult =
  | {
      readonly ok: true;
      /** One for each fingerprint, at its first place; at most 100. */
      readonly findings: readonly SecretFinding[];
      /** How many more fingerprints there were, at least. Where it is not 0, allowing all `findings` does not make the bytes clean. */
      readonly unlisted: number;
    }
  | { readonly ok: false; readonly reason: string };

/** Scans bytes for secrets: rules for known kinds of tokens, and exact matches of the credentials that the bundle holds. */
export interface Scanner {
  /**
   * Resolves within the time limit of the scanner from when a worker takes it, whatever the bytes are. `bytes` must stay as they are until then;
   * they are copied, not transferred.
   */
  scan(bytes: Uint8Array): Promise<ScanResult>;
  /** Ends the workers. Scans that still run resolve with `ok: false`. */
  close(): Promise<void>;
}
