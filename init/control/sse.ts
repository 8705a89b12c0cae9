/** One server-sent event, as the HTML standard writes it ("Server-sent events"). `data` is sent as one line of JSON. */
export function serverSentEvent(event: string, data: unknown, id?: number): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** A comment line: keeps proxies and clients from taking a silent stream for a dead one. */
export const SSE_HEARTBEAT = ':\n\n';

export const SSE_TYPE = 'text/event-stream';

/** True where the client asks for server-sent events. */
export function wantsEvents(accept: string | undefined): boolean {
  return accept?.toLowerCase().includes(SSE_TYPE) ?? false;
}
