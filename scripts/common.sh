# What the scripts share, --help too; each reads it in. Nothing here is run by itself.
# shellcheck shell=sh

case ${1-} in
  -h | --help)
    printf 'usage: %s %s\n' "${0##*/}" "$USAGE"
    exit 0
    ;;
esac

# Says what was found or done.
say() { printf '%s\n' "$*"; }

# Ends the script with one line: what is wrong, and what to do.
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Ends the script for a wrong command line: what is wrong.
usage() {
  printf '%s: %s\nusage: %s %s\n' "${0##*/}" "$1" "${0##*/}" "$USAGE" >&2
  exit 2
}

# Runs Compose, docker's plugin or the program by itself.
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# Prints the absolute path of a directory.
directory() {
  [ -d "$1" ] || fail "there is no directory $1"
  # With CDPATH, cd would look elsewhere and say where it went.
  (unset CDPATH && cd -- "$1" && pwd)
}

# Prints the directory of each bottle.yaml in directory $1 or right below it, a line each.
bottles_in() {
  for file in "$1/bottle.yaml" "$1"/*/bottle.yaml; do
    [ -f "$file" ] && printf '%s\n' "${file%/bottle.yaml}"
  done
  return 0
}

# Runs a verb of bottled from image $1 on files of directory $2, as the user who runs this.
bottled_on() {
  image=$1 place=$2
  shift 2
  docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$place:/bottle" --workdir /bottle \
    --entrypoint bottled "$image" "$@"
}

# Prints the ids of the running containers of the project in directory $1 in which bottled is process 1.
bundles_of() {
  for id in $(cd "$1" && compose ps --quiet); do
    case $(docker inspect --format '{{.State.Running}} {{.Config.Entrypoint}}' "$id") in
      'true [bottled '*) printf '%s\n' "$id" ;;
    esac
  done
}
