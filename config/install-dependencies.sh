#!/bin/sh
# Installs what building and testing Holdfast needs on Debian 12.
#
#   config/install-dependencies.sh
#   config/install-dependencies.sh --libfuzzer    and clang, for long runs of the fuzz targets
#   config/install-dependencies.sh --bench        and what tests/bench compares and counts with
#
# Does nothing when all of it is there, so the other scripts simply call it first.
# Otherwise it needs root or sudo, and Debian's package archive.
set -eu

packages='
  g++ meson ninja-build pkg-config
  librocksdb-dev libuv1-dev libmsgpack-cxx-dev libxxhash-dev libspdlog-dev libfmt-dev
  libsystemd-dev libtomlplusplus-dev libcli11-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev
  python3 python3-msgpack
'
case "${1:-}" in
  '') ;;
  --libfuzzer) packages="$packages clang-14 libclang-rt-14-dev" ;;
  --bench)
    packages="$packages libbenchmark-dev redis-server redis-tools beanstalkd valgrind binutils"
    packages="$packages util-linux"
    ;;
  *)
    echo "usage: config/install-dependencies.sh [--libfuzzer | --bench]" >&2
    exit 2
    ;;
esac

missing() {
  if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "$packages"
    return
  fi
  for package in $packages; do
    case "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" in
      installed*) ;;
      *) echo "$package" ;;
    esac
  done
}

fail() {
  echo "install-dependencies: $1" >&2
  exit 1
}

needed=$(missing | tr -s ' \n' ' ' | sed 's/^ //; s/ $//')
if [ -z "$needed" ]; then
  exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
  fail "this is not a Debian system. Install what your system calls these, or use Debian 12:
  $needed"
fi

as_root=''
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || fail "root is needed. As root, run:
  apt-get install -y --no-install-recommends $needed"
  as_root='sudo'
fi

# sudo clears the environment, hence env on its inner side. $needed is a list of words.
apt() {
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

echo "install-dependencies: installing $needed" >&2
# The lists may be absent (a fresh image) or too old to name files that still exist.
# shellcheck disable=SC2086
if ! apt install -y --no-install-recommends $needed >&2; then
  apt update >&2 || fail "the package archive cannot be read (see above)"
  # shellcheck disable=SC2086
  apt install -y --no-install-recommends $needed >&2 ||
    fail "some packages cannot be installed. Debian 12 (bookworm) has all of:
  $needed"
fi
