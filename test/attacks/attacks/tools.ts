import type { Attack } from '../attack.ts';

/** At the tools themselves, through the policy. */
export const TOOLS: readonly Attack[] = [
  ...['/project/../etc/passwd', '/project/./../../etc/passwd', '/etc/passwd', '/project/x/../../etc/passwd'].map(
    (path): Attack => ({
      name: `a path that leads out of what the policy allows is refused: ${path}`,
      script: `tool files read '{"path":"${path}"}'`,
      gains: 'root:x:0:0',
      told: /blocked by rule|no rule allows/,
      trace: /^mcp-bridge .*policy-decision.*block/,
      twin: {
        without: 'the rule: another tool, the same program, has none for paths',
        at: 'agent with an open proxy',
        script: `tool unruled read '{"path":"${path.replace('/x/', '/')}"}'`,
      },
    }),
  ),
  {
    name: 'what no rule allows is refused',
    script: `tool files write '{"command":"echo ran"}'`,
    gains: 'ran',
    told: /no rule allows|blocked/,
    trace: /^mcp-bridge .*policy-decision.*block/,
    twin: {
      without: 'the rules: the tool that they allow',
      at: 'agent with an open proxy',
      script: `tool files shell '{"command":"echo ran"}'`,
    },
  },
  {
    name: 'a rule is not passed by saying the name twice, in the header and in the body',
    script: `curl -sS -m 10 --noproxy '*' http://mcp-bridge:8090/mcp/files -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/list' -H 'Mcp-Name: shell' -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"path":"/etc/passwd"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'`,
    gains: 'root:x:0:0',
    told: /-32020|blocked/,
    trace: /^mcp-bridge .*refused/,
    twin: {
      without: 'the comparison: header and body agree, with a tool without rules for paths',
      at: 'agent with an open proxy',
      script: `tool unruled read '{"path":"/etc/passwd"}'`,
    },
  },
  {
    name: "a tool's own secret does not reach the agent",
    script: "in_tool <<<'echo $TOOL_SECRET'",
    gains: '$TOOL_SECRET',
    told: /\[redacted: TOOL_SECRET\]/,
    trace: { none: 'the answer passes, without the secret' },
    twin: {
      without: 'redact: the file itself, as root of the daemons',
      at: 'root of the daemons',
      script: 'cat /run/secrets/mcp-bridge/TOOL_SECRET',
    },
  },
  {
    name: 'mcp-bridge answers only to its own names',
    script: `curl -sS -m 5 --noproxy '*' -o /dev/null -w 'status %{http_code}' http://mcp-bridge:8090/mcp/files -H 'Host: attacker.test' -H 'Content-Type: application/json' -d '{}'`,
    gains: 'status 400',
    told: /status 403/,
    trace: /^mcp-bridge .*refused/,
    twin: {
      without: 'the check of Host: the name is its own',
      at: 'agent with an open proxy',
      script: `curl -sS -m 5 --noproxy '*' -o /dev/null -w 'status %{http_code}' http://mcp-bridge:8090/mcp/files -H 'Content-Type: application/json' -d '{}'`,
    },
  },
  {
    name: 'a tool is no program that the agent may choose',
    script: `tool '../../bin/sh' shell '{}'; tool 'sh' shell '{"command":"echo ran"}'`,
    gains: '"ran',
    told: /no tool of the name|Not found/,
    trace: /^mcp-bridge .*request-refused/,
    twin: {
      without: 'the list: a tool of it',
      at: 'agent with an open proxy',
      script: `tool files shell '{"command":"echo ran"}'`,
    },
  },
];
