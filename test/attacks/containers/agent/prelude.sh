# What the scripts of the attacks are told first. EGRESS is the proxy as host:port.

# One tool of mcp-bridge, called with arguments in JSON (MCP 2026-07-28): tool SERVER NAME '{…}'
tool() {
  curl --silent --show-error --max-time 15 --noproxy '*' "http://mcp-bridge:8090/mcp/$1" \
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
    -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H "Mcp-Name: $2" -d @- <<JSON
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$2","arguments":$3,
 "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}
JSON
}

# The commands on stdin, in a shell that a tool of mcp-bridge runs, and what they print
in_tool() {
  tool files shell "$(python3 -c 'import json, sys; print(json.dumps({"command": sys.stdin.read()}))')" |
    python3 -c 'import json, sys
text = sys.stdin.read()
try: print(json.loads(text.removeprefix("data: "))["result"]["content"][0]["text"])
except Exception: print(text)'
}

# Bytes to a port, and what comes back: say HOST:PORT 'printf format'
say() {
  # shellcheck disable=SC2059
  printf "$2" | timeout 6 nc -w 4 "${1%:*}" "${1##*:}"
}

# TLS through a tunnel of the proxy: tunnel HOST:PORT SERVERNAME, with what is to be sent on stdin
tunnel() {
  (cat; sleep 1) | timeout 6 openssl s_client -quiet -proxy "$EGRESS" -connect "$1" -servername "$2" 2>&1
}

# One question to a name server: ask_name_server NAME SERVER PORT
ask_name_server() {
  python3 - "$@" <<'PYTHON'
import socket, struct, sys
name, server, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
question = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
    asked.settimeout(float(__import__('os').environ['WAIT']))
    asked.sendto(struct.pack('>6H', 7, 256, 1, 0, 0, 0) + question + struct.pack('>2H', 1, 1), (server, port))
    print(len(asked.recv(512)), 'bytes of an answer')
PYTHON
}

# A repository of its own for one push, on a branch of its own: clone BRANCH
clone() {
  rm -rf "/tmp/$1" && git clone --quiet /tmp/project.git "/tmp/$1" && cd "/tmp/$1" &&
    git remote set-url origin https://upstream.test/git/project.git && git checkout --quiet -b "$1"
}

save() {
  git add --all && git commit --quiet --message "${1:-Work} $N"
}

# An echo request with data, by the kind of socket that needs no capability: echo_by_icmp ADDRESS DATA
echo_by_icmp() {
  python3 - "$@" <<'PYTHON'
import os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as echo:
    echo.settimeout(float(os.environ['WAIT']))
    echo.sendto(struct.pack('>BBHHH', 8, 0, 0, 0, 1) + sys.argv[2].encode(), (sys.argv[1], 0))
    print('echoed', echo.recv(1500)[8:].decode())
PYTHON
}
