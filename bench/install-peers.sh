#!/bin/sh
# Installs what the benchmarks compare with: Debian packages (as root), and pm2 and mockttp into DIR, outside of the project.
# Usage: bench/install-peers.sh [DIR]; DIR is ~/.cache/bottled-bench where it is not given.
set -eu

directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/bottled-bench}

apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc libc6-dev supervisor s6 runit tini mitmproxy git >/dev/null

mkdir -p "$directory"
npm install --silent --no-audit --no-fund --no-save --prefix "$directory" pm2@7 mockttp@4.6.5

echo "now: BENCH_PM2=$directory/node_modules/.bin/pm2-runtime BENCH_MOCKTTP=$directory/node_modules/mockttp npm run bench"
