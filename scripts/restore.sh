#!/bin/sh
# Puts an archive of "bottled backup" into the volumes of a bottle that does not run. What is there already, and the same, stays.
# An encrypted archive is opened before: age --decrypt -i KEY FILE.age | restore.sh DIRECTORY -
set -eu
USAGE='[--force] [--with-config] DIRECTORY ARCHIVE'
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

force='' config=--without-config
while [ $# -gt 2 ]; do
  case $1 in
    --force) force=--force ;;
    --with-config) config='' ;;
    *) usage "$1 is not known" ;;
  esac
  shift
done
[ $# -eq 2 ] || usage 'needs the directory of a bottle, and an archive'
bottle=$(directory "$1")
archive=$2
[ -f "$bottle/compose.yaml" ] || fail "there is no $bottle/compose.yaml; render it first: bottles.sh --render $bottle"
[ "$archive" = - ] || [ -r "$archive" ] || fail "the archive $archive cannot be read"
[ -z "$(bundles_of "$bottle")" ] || fail "the bottle runs; stop it first: (cd $bottle && docker compose down)"

run() {
  # shellcheck disable=SC2086  # each is one word, or none
  (cd "$bottle" && compose run --rm -T --no-deps --entrypoint bottled sidecars restore $force $config -)
}

if [ "$archive" = - ]; then table=$(run); else table=$(run <"$archive"); fi
printf '%s\n' "$table"
if printf '%s\n' "$table" | grep -q ' restored$\| moved aside'; then
  say "restored   $bottle"
else
  say "unchanged  $bottle: all of it was there"
fi
