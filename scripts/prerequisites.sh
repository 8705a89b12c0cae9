#!/bin/sh
# Looks whether this machine has what the other scripts need, and says what to install. --install does that on Debian, as root.
set -eu
USAGE='[--install]'
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

install=no
case ${1-} in
  '') ;;
  --install) install=yes ;;
  *) usage "$1 is not known" ;;
esac

lacking=''
changed=no

# Installs Debian package $1.
add() {
  if [ "$changed" = no ]; then apt-get update -qq; fi
  changed=yes
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq "$1" >/dev/null
  say "installed  $1"
}

# Notes that $1 is lacking; $2 says how to get it.
lack() {
  say "missing    $1: $2"
  lacking="$lacking $1"
}

# Has command $1 by Debian package $2, or notes that it is lacking.
need() {
  if ! command -v "$1" >/dev/null 2>&1; then
    if [ "$install" = no ]; then
      lack "$1" "apt-get install $2, or run this with --install"
      return
    fi
    add "$2"
  fi
  say "ok         $1 $("$1" --version 2>&1 | sed -n 's/[^0-9]*\([0-9][0-9A-Za-z.]*\).*/\1/p;q')"
}

if [ "$install" = yes ]; then
  command -v apt-get >/dev/null 2>&1 || fail '--install knows Debian only; install docker, Compose and git by hand'
  [ "$(id -u)" = 0 ] || fail '--install has to run as root'
fi

need git git
need docker docker.io

if command -v docker >/dev/null 2>&1; then
  if version=$(docker version --format '{{.Server.Version}}' 2>/dev/null); then
    say "ok         engine $version"
  else
    lack engine 'docker does not answer: start it (systemctl start docker), or join the group docker'
  fi
fi

# Compose 2: Debian 13 has it as docker-compose, Docker's own repository as docker-compose-plugin. Version 1 is too old.
version=$(compose version --short 2>/dev/null || :)
case ${version#v} in
  '' | 1.*) lack compose 'install docker-compose-plugin from https://docs.docker.com/engine/install/debian/ (or docker-compose of Debian 13)' ;;
  *) say "ok         compose ${version#v}" ;;
esac

[ -z "$lacking" ] || fail "this machine lacks:$lacking"
if [ "$changed" = yes ]; then say 'all is there now'; else say 'all was there; nothing was changed'; fi
