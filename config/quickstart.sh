#!/bin/sh
# Builds Holdfast on a fresh Debian 12, and shows it at work on real files: over a thousand
# events, a SIGKILL half way, a table of what became of them all, and a redrive.
#
#   config/quickstart.sh               in a temporary folder, which is removed afterwards
#   config/quickstart.sh --keep DIR    state, log and archive stay in DIR, to be looked at
#
# Needs root or sudo only if packages are missing. Exit status: 0 all counts are right; 1 one
# is not, or it could not go on; 2 the command line; 130 interrupted. The build stays in
# build/, or below HOLDFAST_BUILD_DIR.
set -eu

usage() {
  echo "usage: config/quickstart.sh [--keep DIR]" >&2
  exit 2
}

keep=''
case "$#" in
  0) ;;
  2)
    if [ "$1" != --keep ] || [ -z "$2" ]; then usage; fi
    keep=$2
    ;;
  *) usage ;;
esac

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
builds=${HOLDFAST_BUILD_DIR:-$root}
mkdir -p "$builds" 2>/dev/null || true
if [ ! -w "$builds" ]; then
  echo "quickstart: $builds cannot be written; name another folder with HOLDFAST_BUILD_DIR" >&2
  exit 1
fi
build=$(CDPATH='' cd -- "$builds" && pwd -P)/build

"$root/config/install-dependencies.sh"

echo "== building in $build"
# Again from the beginning when the checkout has moved since, or Debian was upgraded.
if [ -d "$build/meson-private" ]; then
  meson setup --reconfigure "$build" "$root" >/dev/null 2>&1 || rm -rf "$build"
fi
[ -f "$build/build.ninja" ] || meson setup "$build" "$root"
ninja -C "$build" daemon/holdfastd client/holdfast

echo "== running"
set -- --holdfastd "$build/daemon/holdfastd" --holdfast "$build/client/holdfast"
if [ -n "$keep" ]; then
  set -- "$@" --keep "$keep"
fi
# Debian's own Python: that is the one for which python3-msgpack is installed.
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
exec /usr/bin/python3 "$root/config/quickstart/run.py" "$@"
