#!/bin/sh
# What `npm start` runs: the bundle of a bottle, with a local repository as the upstream of git-gate and one MCP tool. All that it makes is in
# examples/data/bottle, and is found again at the next start.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
data=$root/examples/data/bottle
mkdir -p "$data/config" "$data/upstream"

if [ ! -d "$data/upstream/example.git" ]; then
  work=$(mktemp -d)
  git init --quiet --initial-branch=main "$work"
  echo "A repository behind the gate." >"$work/README"
  git -C "$work" add README
  git -C "$work" -c user.name=example -c user.email=example@localhost commit --quiet --message "First commit"
  git clone --quiet --bare "$work" "$data/upstream/example.git"
  rm -rf "$work"
fi

# Rewritten in place at each start: edit examples/bottle/routes.yaml, or these while it runs.
cat "$root/examples/bottle/routes.yaml" >"$data/config/routes.yaml"
cat >"$data/config/git-gate.yaml" <<YAML
repos:
  example: { url: "file://$data/upstream/example.git" }
YAML

# A published MCP server as the one tool, by the Node that runs the daemons.
node=node
for candidate in "$root"/node_modules/node-linux-*/bin/node; do [ -x "$candidate" ] && node=$candidate; done
cat >"$data/config/polis-policy.yaml" <<YAML
apiVersion: polis.io/v1
kind: Policy
metadata: { name: example }
spec:
  governance: { mode: blocking }
  tools:
    - name: everything
      driver: local
      command: ["$node", "$root/node_modules/@modelcontextprotocol/server-everything/dist/index.js", stdio]
YAML

export BOTTLED_CONFIG="$data/config" BOTTLED_DATA="$data" LOG_FORMAT="${LOG_FORMAT:-text}"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
export BOTTLED_READ_SOCKET="${BOTTLED_READ_SOCKET:-$XDG_RUNTIME_DIR/bottled-read.sock}"

# In a container SIGHUP is for reloading; here it means that the terminal was closed, and nobody is left to end the bundle.
"$root/bin/bottled" run -f "$root/daemons/bundle.yaml" "$@" &
bundle=$!
trap 'kill -TERM "$bundle"' HUP TERM
trap : INT
while :; do
  code=0
  wait "$bundle" || code=$?
  kill -0 "$bundle" 2>/dev/null || exit "$code"
done
