const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'address not available',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no such host for now (name server not reachable)',
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOTSOCK: 'not a socket',
  EPROTOTYPE: 'not a stream socket',
  EMFILE: 'the init has no file descriptor left',
  EPROTO: 'TLS handshake failed',
  HPE_HEADER_OVERFLOW: 'headers of the answer are too large',
};

/** Why a probe failed, in the field's words and without a stack; never throws. */
export function reason(error: unknown): string {
  // A host name with several addresses fails with one error for each; the first speaks for all.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  // Node gives an orderly close before any answer the code of a reset.
  if (error.message === 'socket hang up') return 'connection closed without an answer';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  if (/^ERR_(SSL|TLS)_/.test(code)) return 'TLS handshake failed';
  return error.message === '' ? code || error.name : error.message;
}
