import { type Attack, NO_LISTENER, NOT_THERE, OPEN_PROXY, type Twin } from '../attack.ts';
import { fromTool } from './from-tool.ts';

const ALIASES = 'pipelock egress git-gate supervise mcp-bridge sidecars';
/** This container, seen from the proxy. */
const SELF =
  '127.0.0.1 127.1 2130706433 0x7f.1 0.0.0.0 [::1] [::] [::ffff:127.0.0.1] localhost LOCALHOST localhost. x.localhost egress pipelock $SIDE';

const BESIDE: Twin = { without: "the network namespace: the attacker is in the bundle's", at: 'beside the daemons' };

/** Ports that are the operator's, and how one knows that one of them answered. */
const PORTS: readonly {
  readonly what: string;
  readonly port: number;
  readonly path: string;
  readonly gains: string;
}[] = [
  { what: "pipelock's proxy", port: 8888, path: '/health', gains: '"status"' },
  { what: "pipelock's health", port: 8889, path: '/health', gains: '"status"' },
  { what: 'metrics of pipelock', port: 9190, path: '/metrics', gains: 'pipelock_info' },
  { what: 'metrics of egress', port: 9098, path: '/metrics', gains: '# HELP' },
  { what: 'metrics of supervise', port: 9101, path: '/metrics', gains: '# HELP' },
  { what: 'metrics of mcp-bridge', port: 8091, path: '/metrics', gains: '# HELP' },
];

const ports = PORTS.flatMap(({ what, port, path, gains }): Attack[] => [
  {
    name: `${what} (${port}) cannot be reached by any alias`,
    script: `for host in ${ALIASES} $SIDE; do curl -sS -m 2 --noproxy '*' http://$host:${port}${path}; done`,
    gains,
    told: /exit (6|7|28)$/,
    trace: NO_LISTENER,
    twin: { ...BESIDE, script: `curl -sS -m 5 http://127.0.0.1:${port}${path}` },
  },
  {
    name: `${what} (${port}) cannot be reached through the proxy by any name`,
    script: `for host in ${SELF}; do say $EGRESS "GET http://$host:${port}${path} HTTP/1.1\\r\\nHost: $host:${port}\\r\\nConnection: close\\r\\n\\r\\n"; echo; done`,
    gains,
    told: /HTTP\/1\.1 40[03] /,
    trace: /^(egress|pipelock) .*(host-not-allowed|port-not-allowed|SSRF)/,
    twin: {
      ...OPEN_PROXY,
      script: `say $EGRESS "GET http://127.0.0.1:${port}${path} HTTP/1.1\\r\\nHost: 127.0.0.1:${port}\\r\\nConnection: close\\r\\n\\r\\n"`,
    },
  },
]);

const SOCKETS = {
  'control socket of the init': { path: '/run/bottled/control.sock', url: '/v1/status', gains: '"daemons"' },
  'socket of the init for reading': { path: '/run/bottled/read.sock', url: '/v1/status', gains: '"daemons"' },
  "operator's socket of supervise": {
    path: '/var/lib/bottled/supervise/operator.sock',
    url: '/v1/proposals',
    gains: '"proposals"',
  },
} as const;

const viaNode = (path: string, url: string): string =>
  `node -e 'require("http").get({ socketPath: "${path}", path: "${url}" }, (a) => a.pipe(process.stdout)).on("error", (e) => { console.error(e.code); process.exitCode = 7; })'`;

const sockets = Object.entries(SOCKETS).flatMap(([what, { path, url, gains }]): Attack[] => [
  {
    name: `the ${what} is not in the agent's container`,
    script: `curl -sS -m 5 --unix-socket ${path} http://init${url}`,
    gains,
    told: /exit 7$/,
    trace: NOT_THERE,
    twin: {
      without: 'the wall between the containers: root of the daemons',
      at: 'root of the daemons',
      script: viaNode(path, url),
    },
  },
  fromTool(`the ${what} does not open`, viaNode(path, url), gains, /EACCES/),
]);

export const OPERATOR: readonly Attack[] = [
  ...ports,
  ...sockets,
  {
    name: "the operator's side of supervise is not at the agent's port",
    script:
      "for path in /v1/proposals /v1/status /v1/events /mcp/../v1/proposals; do curl -sS -m 3 --path-as-is --noproxy '*' http://supervise:9100$path; done",
    gains: '"proposals"',
    told: /exit \d+$/,
    trace: /^supervise .*refused/,
    twin: {
      without: 'the socket: root of the daemons',
      at: 'root of the daemons',
      script: viaNode(SOCKETS["operator's socket of supervise"].path, '/v1/proposals'),
    },
  },
  {
    name: 'nobody decides on a proposal but by the socket',
    script:
      'curl -sS -m 3 --noproxy \'*\' -X POST http://supervise:9100/v1/proposals/p-1/decision -d \'{"verdict":"approved"}\'; curl -sS -m 3 --noproxy \'*\' -X POST http://supervise:9100/v1/incidents -d \'{"text":"\'$N\'","daemon":"egress","cause":"c","lines":[]}\'',
    gains: '"kind":"incident"',
    told: /exit 0$/,
    trace: /^supervise .*refused/,
    twin: {
      without: 'the socket: root of the daemons',
      at: 'root of the daemons',
      script: `node -e 'const a = require("http").request({ socketPath: "${SOCKETS["operator's socket of supervise"].path}", path: "/v1/incidents", method: "POST" }, (b) => b.pipe(process.stdout)); a.end(JSON.stringify({ text: "t", daemon: "egress", cause: "c", lines: [] }))'`,
    },
  },
  {
    name: 'supervise answers only to its own names',
    script:
      'curl -sS -m 3 --noproxy \'*\' -o /dev/null -w \'status %{http_code}\' http://supervise:9100/mcp -H \'Host: attacker.test\' -H \'Content-Type: application/json\' -H \'Accept: application/json, text/event-stream\' -d \'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}\'',
    gains: 'status 200',
    told: /status 403/,
    trace: /^supervise .*refused/,
    twin: {
      without: 'the check of Host: the name is its own',
      at: 'agent with an open proxy',
      script:
        'curl -sS -m 3 --noproxy \'*\' -o /dev/null -w \'status %{http_code}\' http://supervise:9100/mcp -H \'Content-Type: application/json\' -H \'Accept: application/json, text/event-stream\' -d \'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}\'',
    },
  },
];
