#!/bin/sh
# Builds the image of the bundle from this checkout. What follows -- goes to "docker build": --build-arg NODE_IMAGE=…, say.
set -eu
USAGE='[--tag NAME] [-- ARGUMENT...]'
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

tag=bottled-sidecars:latest
while [ $# -gt 0 ]; do
  case $1 in
    --tag)
      [ $# -gt 1 ] || usage '--tag needs a name'
      tag=$2
      shift 2
      ;;
    --)
      shift
      break
      ;;
    *) usage "$1 is not known" ;;
  esac
done

root=$(directory "$(dirname "$0")/..")
before=$(docker image inspect --format '{{.Id}}' "$tag" 2>/dev/null || :)
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$root/package.json")
# A checkout of another user, or none, has no revision.
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)

docker build --quiet --file "$root/Dockerfile.sidecars" --tag "$tag" \
  --build-arg "VERSION=${version:-dev}" --build-arg "REVISION=$revision" "$@" "$root" >/dev/null ||
  fail "the image could not be built; the same without --quiet: docker build -f Dockerfile.sidecars -t $tag $root"

after=$(docker image inspect --format '{{.Id}}' "$tag")
if [ "$before" = "$after" ]; then say "unchanged  $tag $after"; else say "built      $tag $after"; fi
