/** Where the TCP listener listens. `host` undefined: on all addresses. */
export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** Reads `host:port`, `[ipv6]:port` or `:port`; `undefined` where the text is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^\s:[\]/]*)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? (match[2] === '' ? undefined : match[2]), port };
}
