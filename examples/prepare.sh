#!/bin/sh
# Makes a bare repository with one commit, unless it is there already.
set -eu
repository="$DATA/example.git"
if [ -d "$repository" ]; then
  echo "$repository is there already"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git init --quiet --initial-branch=main "$work"
cd "$work"
echo "Served by git-daemon, kept alive by bottled." >README
git add README
git -c user.name=Example -c user.email=example@example.invalid commit --quiet -m "First commit"
cd - >/dev/null
mkdir -p "$DATA"
git clone --quiet --bare "$work" "$repository"
echo "made $repository"
