#!/bin/sh
# Installs what the benchmarks compare with: Debian packages (as root), and packages of npm into DIR, outside of the project.
# Usage: bench/install-peers.sh [DIR]; DIR is ~/.cache/bottled-bench where it is not given.
set -eu

directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/bottled-bench}

apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc libc6-dev supervisor s6 runit tini mitmproxy git >/dev/null

mkdir -p "$directory"
npm install --silent --no-audit --no-fund --no-save --prefix "$directory" pm2@7 mockttp@4.6.5 supergateway@4.0.0 mcp-proxy@6.7.19

modules=$directory/node_modules
echo "now: BENCH_PM2=$modules/.bin/pm2-runtime BENCH_MOCKTTP=$modules/mockttp BENCH_SUPERGATEWAY=$modules/supergateway BENCH_MCP_PROXY=$modules/mcp-proxy npm run bench"
