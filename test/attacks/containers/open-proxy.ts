/**
 * What stands in the place of egress when a guard is to be off: a proxy that forwards whatever it is asked for to wherever it is asked
 * for, in the network namespace of the bundle. It reads HTTP as the careless do: the first length counts, an "@" ends the user.
 */
import { connect, createServer, type Socket } from 'node:net';

interface Head {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  /** Bytes of the body. */
  readonly length: number;
  readonly isChunked: boolean;
}

createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  void serve(socket).catch(() => socket.destroy());
}).listen(9999, () => process.stdout.write('ready\n'));

async function serve(socket: Socket): Promise<void> {
  let bytes = '';
  const pieces = socket.setEncoding('latin1')[Symbol.asyncIterator]();
  const more = async (): Promise<boolean> => {
    const { done, value } = await pieces.next();
    if (done !== true) bytes += String(value);
    return done !== true;
  };
  for (;;) {
    while (!bytes.includes('\r\n\r\n')) if (!(await more())) return void socket.end();
    const end = bytes.indexOf('\r\n\r\n');
    const head = readHead(bytes.slice(0, end).replace(/^[\r\n]+/, ''));
    bytes = bytes.slice(end + 4);
    if (head.method === 'CONNECT') return await tunnel(head, socket, bytes, pieces);
    const isWhole = () => (head.isChunked ? bytes.includes('0\r\n\r\n') : bytes.length >= head.length);
    while (!isWhole()) if (!(await more())) break;
    const size = head.isChunked ? bytes.indexOf('0\r\n\r\n') + 5 : head.length;
    await forward(head, bytes.slice(0, size), socket);
    bytes = bytes.slice(size);
  }
}

function readHead(text: string): Head {
  const [line = '', ...fields] = text.split('\r\n');
  const [method = '', target = ''] = line.split(' ');
  const valueFor = (name: string) => fields.find((field) => field.toLowerCase().startsWith(`${name}:`))?.split(':')[1];
  const length = valueFor('content-length');
  return {
    method,
    target,
    fields,
    length: Number(length ?? 0),
    isChunked: length === undefined && valueFor('transfer-encoding') !== undefined,
  };
}

/** One request and its answer. */
function forward({ method, target, fields }: Head, body: string, socket: Socket): Promise<void> {
  const [, named = '', path = ''] = /^http:\/\/([^/]*)(.*)$/.exec(target) ?? [];
  const { host, port } = placeOf(named.split('@').at(-1) ?? '', 80);
  return new Promise((resolve) => {
    const upstream = connect(port, host);
    const kept = fields.filter((field) => !/^(proxy-)?connection:/i.test(field));
    upstream.write(
      `${[`${method} ${path} HTTP/1.1`, ...kept, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`,
      'latin1',
    );
    upstream.on('data', (data) => socket.write(data));
    upstream.on('error', () => socket.write('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'));
    upstream.on('close', () => resolve());
  });
}

async function tunnel({ target }: Head, socket: Socket, first: string, rest: AsyncIterator<unknown>): Promise<void> {
  const { host, port } = placeOf(target, 443);
  const upstream = connect(port, host);
  upstream.on('error', () => socket.destroy());
  upstream.on('close', () => socket.end());
  upstream.on('data', (data) => socket.write(data));
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
  upstream.write(first, 'latin1');
  for (;;) {
    const { done, value } = await rest.next();
    if (done === true) return void upstream.end();
    upstream.write(String(value), 'latin1');
  }
}

/** An address in any spelling, as `new URL` reads it. */
function placeOf(named: string, otherwise: number): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${named}`);
  const isDefault = port === '' && !/:80$/.test(named);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: isDefault ? otherwise : Number(port || 80) };
}
