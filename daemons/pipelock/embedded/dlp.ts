import type { RawHeaders } from '../../http/headers.ts';
import type { Scanner, SecretFinding } from '../../scanner/finding.ts';
import type { PipelockConfig } from '../pipelock-config.ts';
import { type Block, blocked } from './block.ts';

/** Looks for secrets in what wants to go out. Each says why it must not, or undefined. What could not be scanned must not. */
export interface Dlp {
  url(url: string): Promise<Block | undefined>;
  headers(headers: RawHeaders): Promise<Block | undefined>;
  body(bytes: Uint8Array): Promise<Block | undefined>;
  /** A message of a WebSocket. */
  message(bytes: Uint8Array): Promise<Block | undefined>;
}

export function createDlp(scanner: Scanner, config: PipelockConfig): Dlp {
  const ignored = new Set(config.request_body_scanning.ignore_headers.map((name) => name.toLowerCase()));

  async function scan(bytes: Uint8Array, label: string, say: (rules: string) => string): Promise<Block | undefined> {
    if (bytes.length === 0) return undefined;
    const result = await scanner.scan(bytes);
    if (!result.ok) return blocked(label, `request could not be scanned for secrets: ${result.reason}`);
    return result.findings.length === 0 ? undefined : blocked(label, say(rulesOf(result.findings)));
  }

  return {
    url: (url) => scan(Buffer.from(url), 'dlp', (rules) => `DLP match: ${rules} (critical)`),
    headers: (headers) => scan(scannedHeaders(headers, ignored), 'header_dlp', () => 'request header contains secret'),
    body: (bytes) => scan(bytes, 'body_dlp', (rules) => `request body contains secret: ${rules}`),
    message: (bytes) => scan(bytes, 'dlp', (rules) => `DLP match: ${rules}`),
  };
}

/** Names as well as values: both are the agent's to choose. */
function scannedHeaders(headers: RawHeaders, ignored: ReadonlySet<string>): Buffer {
  const lines: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    if (!ignored.has(name.toLowerCase())) lines.push(`${name}: ${headers[i + 1]}`);
  }
  return Buffer.from(lines.join('\n'), 'latin1');
}

/** Names of rules only: what a known secret is called is nothing for the agent. */
function rulesOf(findings: readonly SecretFinding[]): string {
  return [...new Set(findings.map(({ rule }) => rule))].slice(0, 5).join(', ');
}
