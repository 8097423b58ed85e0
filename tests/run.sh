#!/bin/sh
# Builds and runs all tests, from any folder, and ends with one line:
#
#   N passed, N failed, N skipped
#
#   tests/run.sh           address and undefined-behaviour sanitizers; two thousand seeds
#                          of the simulation without them; then the threaded tests again
#                          under the thread sanitizer
#   tests/run.sh --fast    the first of these builds only
#   tests/run.sh --soak    the random tests (sim, crash_cuts, crash_kill_test, fuzz) go on for
#                          HOLDFAST_SOAK_SECONDS each (3,600); then the fuzz targets once
#                          more, under clang's libFuzzer
#
# The builds are kept in build-test/, build-plain/, build-tsan/ and build-fuzz/, or below
# HOLDFAST_BUILD_DIR.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

# What has threads of ours: meson's test names. Not `rocks`: Debian's RocksDB is not
# instrumented, and what the sanitizer says of its locks is wrong; nor `crash_test`, likewise.
thread_tests='daemon entry_list key_filter'

fast=no
soak=no
time_limits=1
for argument in "$@"; do
  case "$argument" in
    --fast) fast=yes ;;
    --soak)
      soak=yes
      HOLDFAST_SOAK_SECONDS=${HOLDFAST_SOAK_SECONDS:-3600}
      HOLDFAST_SOAK=$HOLDFAST_SOAK_SECONDS
      HOLDFAST_FUZZ_SECONDS=$HOLDFAST_SOAK_SECONDS
      export HOLDFAST_SOAK HOLDFAST_SOAK_SECONDS HOLDFAST_FUZZ_SECONDS
      time_limits=0
      ;;
    *)
      echo "usage: tests/run.sh [--fast] [--soak]" >&2
      exit 2
      ;;
  esac
done

builds=${HOLDFAST_BUILD_DIR:-$root}
mkdir -p "$builds" 2>/dev/null || true
if [ ! -w "$builds" ]; then
  builds=$(mktemp -d)
  trap 'rm -rf "$builds"' EXIT
  echo "run.sh: building in $builds because the source folder is read-only" >&2
fi

"$root/config/install-dependencies.sh"

LC_ALL=C.UTF-8
PYTHONDONTWRITEBYTECODE=1
# A small quarantine, since some tests bound the daemon's memory. Ten frames of where memory
# came from: to find and to keep thirty is a tenth of the time.
ASAN_OPTIONS='quarantine_size_mb=16:malloc_context_size=10:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1'
UBSAN_OPTIONS='halt_on_error=1:print_stacktrace=1'
TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:suppressions='$root/tests/tsan.supp'"
export LC_ALL PYTHONDONTWRITEBYTECODE ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS

# configure FOLDER SANITIZERS OPTIMISATION [CPP_ARGS]: also after the checkout moved or the
# options changed.
#
# Under the sanitizers eight files are compiled as one, in half the time; without them each
# by itself, so that no file lives on what another one includes.
configure() {
  folder=$1
  unity=on
  if [ "$2" = none ]; then
    unity=off
  fi
  set -- "-Doptimization=$3" "-Dunity=$unity" -Dunity_size=8 -Ddebug=false \
    "-Dcpp_args=-g1 -DHOLDFAST_TEST_HOOKS${4:+ $4}" \
    "-Db_sanitize=$2" -Db_lundef=false "$folder" "$root"
  if [ -f "$folder/build.ninja" ] && meson setup --reconfigure "$@" >/dev/null 2>&1; then
    return
  fi
  rm -rf "$folder"
  meson setup "$@"
}

jobs=$(nproc)
failed=0
logs="$builds/build-test/meson-logs/testlog.json"

echo "== address and undefined-behaviour sanitizers"
configure "$builds/build-test" address,undefined 0
ninja -C "$builds/build-test" -j "$jobs"
rm -f "$logs"
meson test -C "$builds/build-test" --no-rebuild --print-errorlogs --num-processes "$jobs" \
  --timeout-multiplier "$time_limits" || failed=1

plain_logs="$builds/build-plain/meson-logs/testlog.json"
if [ "$fast" = no ]; then
  echo "== two thousand seeds of the simulation, without sanitizers"
  configure "$builds/build-plain" none 2
  # The programs as well: some warnings come with optimisation only.
  ninja -C "$builds/build-plain" -j "$jobs" tests/sim_test daemon/holdfastd client/holdfast
  rm -f "$plain_logs"
  meson test -C "$builds/build-plain" --no-rebuild --print-errorlogs --num-processes "$jobs" \
    --timeout-multiplier "$time_limits" sim_1 sim_2 || failed=1

  echo "== thread sanitizer: $thread_tests"
  configure "$builds/build-tsan" thread 0
  chosen=$(meson test -C "$builds/build-tsan" --list 2>/dev/null | sed 's/.* \/ //' | sort -u |
    grep -Fxe "$(echo "$thread_tests" | tr ' ' '\n')" || true)
  if [ -n "$chosen" ]; then
    targets=$(echo "$chosen" | sed 's/$/_test/')
    # The thread sanitizer of g++ 12 cannot place its shadow on kernels that randomise
    # more address bits than it knows. Without randomisation it always can.
    place=''
    if setarch "$(uname -m)" -R true 2>/dev/null; then
      place="setarch $(uname -m) -R"
    fi
    thread_logs="$builds/build-tsan/meson-logs/testlog.json"
    rm -f "$thread_logs"
    # shellcheck disable=SC2086
    meson compile -C "$builds/build-tsan" -j "$jobs" $targets
    # shellcheck disable=SC2086
    $place meson test -C "$builds/build-tsan" --no-rebuild --print-errorlogs \
      --num-processes "$jobs" --timeout-multiplier "$((time_limits * 3))" $chosen || failed=1
    set -- "$plain_logs" "$thread_logs"
  else
    set -- "$plain_logs"
  fi
else
  set --
fi

# Each target beside a copy of its corpus, which grows; what ends one is kept there, too.
if [ "$soak" = yes ]; then
  echo "== libFuzzer, for $HOLDFAST_SOAK_SECONDS s each"
  "$root/config/install-dependencies.sh" --libfuzzer
  # Warnings are g++'s affair.
  CC=clang-14 CXX=clang++-14 configure "$builds/build-fuzz" address,undefined 1 \
    '-fsanitize=fuzzer-no-link -w'
  names=$(ls "$root/tests/fuzz/corpus")
  # shellcheck disable=SC2086
  ninja -C "$builds/build-fuzz" -j "$jobs" $(echo "$names" | sed 's/^/tests\/fuzz\/fuzz_/')
  for name in $names; do
    mkdir -p "$builds/build-fuzz/found/$name"
  done
  echo "$names" | (cd "$builds/build-fuzz/found" && xargs -P "$jobs" -I '{}' sh -c '
    if "$0/build-fuzz/tests/fuzz/fuzz_$1" -max_total_time="$HOLDFAST_SOAK_SECONDS" \
      -max_len=65536 -artifact_prefix="$1/ended-by-" "$1" "$2/$1" >"$1.log" 2>&1; then
      echo "fuzz_$1: $(grep "^Done" "$1.log")"
    else
      cat "$1.log"
      exit 1
    fi' "$builds" '{}' "$root/tests/fuzz/corpus") || failed=1
fi

echo
/usr/bin/python3 "$root/tests/tidy/tally.py" "$logs" "$@" || failed=1
exit "$failed"
