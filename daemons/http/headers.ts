/** Names and values as they came over the wire, in order, one pair after the other: Node's `rawHeaders`. */
export type RawHeaders = readonly string[];

/** Fields that mean one connection only, whether `Connection` names them or not (RFC 9110 7.6.1), and what belongs to the proxy itself. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Answers that would lead a client around the proxy: another address (RFC 7838), another protocol version. */
const detours = new Set(['alt-svc']);

const nothing: ReadonlySet<string> = new Set();

/** The values of a field, in order. `name` in lower case. */
export function allValues(headers: RawHeaders, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const value = headers[i + 1];
    if (isNamed(headers[i], name) && value !== undefined) values.push(value);
  }
  return values;
}

/** The first value of a field. `name` in lower case. */
export function firstValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) if (isNamed(headers[i], name)) return headers[i + 1];
  return undefined;
}

/** The field names that `Connection` lists, in lower case: they end here (RFC 9110 7.6.1). */
export function connectionOptions(headers: RawHeaders): ReadonlySet<string> {
  let options: Set<string> | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!isNamed(headers[i], 'connection')) continue;
    options ??= new Set();
    for (const option of (headers[i + 1] ?? '').split(',')) options.add(option.trim().toLowerCase());
  }
  return options ?? nothing;
}

/**
 * What of a message may be passed on: without hop-by-hop fields, those that `Connection` names, and those that would lead a client
 * around the proxy. Framing is the sender's own: Transfer-Encoding goes, Content-Length stays.
 */
export function endToEnd(headers: RawHeaders): string[] {
  const named = connectionOptions(headers);
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i];
    const value = headers[i + 1];
    if (name === undefined || value === undefined) continue;
    const lower = name.toLowerCase();
    if (!hopByHop.has(lower) && !detours.has(lower) && !named.has(lower)) kept.push(name, value);
  }
  return kept;
}

/** The same headers without some fields. Names in lower case. */
export function without(headers: RawHeaders, names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i];
    const value = headers[i + 1];
    if (name !== undefined && value !== undefined && !names.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function isNamed(field: string | undefined, lower: string): boolean {
  return field !== undefined && field.length === lower.length && (field === lower || field.toLowerCase() === lower);
}
