#!/bin/sh
# Renders and starts each bottle of a directory: bottle.yaml in it, or in a directory right below. --render starts nothing.
set -eu
USAGE='[--render] [--image NAME] DIRECTORY'
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

image=bottled-sidecars:latest
only_render=no
place=''
while [ $# -gt 0 ]; do
  case $1 in
    --render) only_render=yes ;;
    --image)
      [ $# -gt 1 ] || usage '--image needs a name'
      image=$2
      shift
      ;;
    -*) usage "$1 is not known" ;;
    *)
      [ -z "$place" ] || usage 'names two directories'
      place=$1
      ;;
  esac
  shift
done
[ -n "$place" ] || usage 'names no directory'

place=$(directory "$place")
list=$(bottles_in "$place")
[ -n "$list" ] || fail "there is no bottle.yaml in $place, nor in a directory right below it"

# Prints what the project in directory $1 consists of.
containers() { (cd "$1" && compose ps --all --quiet --no-trunc) | sort; }

failed=''
while IFS= read -r bottle; do
  if ! rendered=$(bottled_on "$image" "$bottle" render compose); then
    failed="$failed $bottle"
    continue
  fi
  changed=$(printf '%s\n' "$rendered" | grep -v ' unchanged$' || :)
  if [ -z "$changed" ]; then say "unchanged  $bottle: as rendered"; else printf '%s\n' "$changed" | sed "s|^|rendered   $bottle/|"; fi
  [ "$only_render" = no ] || continue
  before=$(containers "$bottle")
  if ! said=$(cd "$bottle" && compose up --detach --wait --quiet-pull 2>&1 </dev/null); then
    say "failed     $bottle: $(printf '%s\n' "$said" | tail -n 1); see docker compose logs there"
    failed="$failed $bottle"
    continue
  fi
  if [ "$before" = "$(containers "$bottle")" ]; then say "unchanged  $bottle: runs"; else say "started    $bottle"; fi
done <<LIST
$list
LIST

[ -z "$failed" ] || fail "not all bottles are well:$failed"
