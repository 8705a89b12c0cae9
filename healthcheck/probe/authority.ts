/** host:port as a URL writes it, an IPv6 address in brackets. */
export function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
