#!/bin/sh
# Builds and runs the benchmarks, from any folder: Holdfast beside its ceiling, Redis and
# beanstalkd. Installs what they need. The report goes to standard output, as Markdown.
#
#   tests/bench/run.sh                       a short run, under ten minutes
#   tests/bench/run.sh --full                every goal as it is stated; takes hours
#   tests/bench/run.sh --only wear           one measure; --only may be repeated
#   tests/bench/run.sh --json FILE           figures, written after each measure
#   tests/bench/run.sh --pictures FOLDER     SVG
#   tests/bench/run.sh --directory FOLDER    on the disk in question; the build folder if absent
#   tests/bench/run.sh --help                all options
#
# The build is kept in build-bench/, or below HOLDFAST_BUILD_DIR. It is the one that is
# installed: no sanitizers, no test hooks, meson's options as they stand.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
build=${HOLDFAST_BUILD_DIR:-$root}/build-bench
programs='bench_load bench_ceiling bench_cycle bench_spawner bench_handler bench_sync bench_micro'

"$root/config/install-dependencies.sh" --bench

LC_ALL=C.UTF-8
PYTHONDONTWRITEBYTECODE=1
export LC_ALL PYTHONDONTWRITEBYTECODE

# Also after the checkout moved.
if ! { [ -f "$build/build.ninja" ] && meson setup --reconfigure "$build" "$root" >&2; }; then
  rm -rf "$build"
  meson setup "$build" "$root" >&2
fi
# shellcheck disable=SC2046
ninja -C "$build" daemon/holdfastd client/holdfast tests/libbench_self_exec.so \
  $(printf 'tests/bench/%s ' $programs) >&2

exec /usr/bin/python3 "$root/tests/bench/bench.py" --build "$build" "$@"
