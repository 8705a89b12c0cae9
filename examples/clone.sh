#!/bin/sh
# Clones the repository at $1 and says what is in it.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git clone --quiet "$1" "$copy/clone"
echo "cloned $1: $(git -C "$copy/clone" log --oneline --no-decorate | head -n 1)"
