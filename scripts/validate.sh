#!/bin/sh
# Checks the bottles of a directory: what runs, its image, its health, its versions, and what has drifted. Changes nothing.
set -eu
USAGE='DIRECTORY'
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

[ $# -eq 1 ] || usage 'needs the directory of the bottles'
place=$(directory "$1")
list=$(bottles_in "$place")
[ -n "$list" ] || fail "there is no bottle.yaml in $place, nor in a directory right below it"
failures=0

# Notes a check: $1 is what was checked, the rest is run; what it says is shown where it fails.
check() {
  what=$1
  shift
  if said=$("$@" 2>&1 </dev/null); then
    say "ok         $what"
  else
    failures=$((failures + 1))
    say "FAILED     $what"
    printf '%s\n' "$said" | grep -v ' ok  ' | sed 's/^/           /'
  fi
}

# True where container $1 runs the image that its name means now.
is_of_image() {
  name=$(docker inspect --format '{{.Config.Image}}' "$1")
  [ "$(docker inspect --format '{{.Image}}' "$1")" = "$(docker image inspect --format '{{.Id}}' "$name")" ] || {
    echo "$name is another image now: docker compose up --detach"
    return 1
  }
}

# True where nothing in directory $1 is to be rendered anew or started.
runs() {
  services=$(cd "$1" && compose config --services | sort)
  running=$(cd "$1" && compose ps --services --status running | sort)
  [ "$services" = "$running" ] || {
    printf 'declared: %s; running: %s\n' "$(echo "$services" | tr '\n' ' ')" "$(echo "$running" | tr '\n' ' ')"
    return 1
  }
}

say "versions   docker $(docker version --format '{{.Server.Version}}'), compose $(compose version --short)"
while IFS= read -r bottle; do
  check "$bottle: every service runs" runs "$bottle"
  ids=$(bundles_of "$bottle")
  if [ -z "$ids" ]; then
    failures=$((failures + 1))
    say "FAILED     $bottle: no bundle runs"
    continue
  fi
  for id in $ids; do
    name=$(docker inspect --format '{{.Name}}' "$id")
    name=${name#/}
    say "versions   $name: $(docker exec "$id" bottled version </dev/null)"
    check "$name: of the image that its name means" is_of_image "$id"
    check "$name: health" docker exec "$id" bottled health --strict
    check "$name: audit" docker exec "$id" bottled audit
  done
done <<LIST
$list
LIST

[ "$failures" -eq 0 ] || fail "$failures checks failed"
say 'all is well'
