#!/bin/sh
# What `npm start` runs: the bundle of a bottle, with a local repository as the upstream of git-gate. All that it makes is in
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

export BOTTLED_CONFIG="$data/config" BOTTLED_DATA="$data" LOG_FORMAT="${LOG_FORMAT:-text}"
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
exec "$root/bin/bottled" run -f "$root/daemons/bundle.yaml"
