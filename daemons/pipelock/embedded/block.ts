/** Why a request does not go out. */
export interface Block {
  readonly status: 400 | 403 | 429 | 501 | 503;
  /** Which check it was, in pipelock's names: `allowlist`, `ssrf`, `dlp`, `body_dlp`, `header_dlp`, `ratelimit`, … */
  readonly scanner: string;
  /** In pipelock's words where it has the same check (internal/scanner/scanner.go, internal/proxy); never holds a secret. */
  readonly reason: string;
}

/** A refusal by policy; pipelock answers those with 403. */
export function blocked(scanner: string, reason: string, status: Block['status'] = 403): Block {
  return { status, scanner, reason };
}

/** The whole answer, as pipelock writes it. */
export function blockText({ reason }: Block): string {
  return `blocked: ${reason}\n`;
}
