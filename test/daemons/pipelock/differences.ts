/** Where pipelock and its stand-in answer differently. The same table stands in docs/pipelock.md. */
export interface Difference {
  readonly what: string;
  readonly pipelock: string;
  readonly embedded: string;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    what: 'rules for secrets',
    pipelock: 'its own patterns, entropy of URLs, seed phrases, secrets in its own environment',
    embedded: 'the rules of daemons/scanner, and the fingerprints of the credentials of the bundle',
  },
  {
    what: 'a redirect',
    pipelock: 'follows it itself, up to 5 times, to hosts of the allow-list',
    embedded: 'passes it on, so that egress judges where it leads',
  },
  {
    what: 'Content-Length of an answer',
    pipelock: 'dropped; the answer is chunked',
    embedded: 'kept',
  },
  {
    what: 'trailers of an answer',
    pipelock: 'dropped',
    embedded: 'passed on',
  },
  {
    what: 'trailers of a request',
    pipelock: 'not scanned',
    embedded: 'refused',
  },
  {
    what: 'a credential of egress in a WebSocket handshake',
    pipelock: 'scanned whatever ignore_headers says; refused if it looks like a known kind of token',
    embedded: 'passes',
  },
  {
    what: 'binary messages of a WebSocket, where they are allowed',
    pipelock: 'not scanned',
    embedded: 'scanned',
  },
  {
    what: 'a WebSocket whose server refuses the handshake',
    pipelock: '101, then close code 1011',
    embedded: '502 with the reason',
  },
  {
    what: 'an upgrade as an absolute-URI request',
    pipelock: 'forwarded as a plain request, without the upgrade',
    embedded: '501',
  },
  {
    what: 'response_scanning: warn or block',
    pipelock: 'searches answers for prompt injection',
    embedded: 'refused at the start, exit code 2',
  },
  {
    what: 'a name of internal_hosts that resolves to metadata or a link-local address',
    pipelock: 'passes',
    embedded: 'refused',
  },
  {
    what: 'CONNECT without a TLS server name',
    pipelock: 'passes',
    embedded: 'cut off, unless the host is an address',
  },
  {
    what: 'body that is called JSON and is none',
    pipelock: 'refused by newer versions',
    embedded: 'scanned as text',
  },
  {
    what: '/fetch, /stats, the API of the kill switch, SIGUSR1',
    pipelock: 'there (SIGUSR1 never reaches it)',
    embedded: 'not there',
  },
];
