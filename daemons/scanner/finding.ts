/** A place that looks like a secret. It never holds the secret itself. */
export interface SecretFinding {
  /** The rule that found it, e.g. `github-token`, `known-secret`. */
  readonly rule: string;
  /** What it is, for a person: "GitHub personal access token", or the name of a known secret and how it was encoded. */
  readonly what: string;
  /** From 1; of the text that was scanned. */
  readonly line: number;
  /** From 1, in bytes. */
  readonly column: number;
  /** SHA-256 (hex) of rule and secret together: by this an operator allows one, without writing it down. */
  readonly fingerprint: string;
}

/** What one scan says. A scan that could not be finished is not a clean one: who asked must refuse. */
export type ScanResult =
  | { readonly ok: true; readonly findings: readonly SecretFinding[] }
  | { readonly ok: false; readonly reason: string };

/** Scans bytes for secrets: rules for known kinds of tokens, and exact matches of the credentials that the bundle holds. */
export interface Scanner {
  /** `bytes` is not kept and may be transferred; resolves within the time limit of the scanner whatever the bytes are. */
  scan(bytes: Uint8Array): Promise<ScanResult>;
  close(): Promise<void>;
}
