#!/bin/bash
# The runtime and its tests under the address, undefined-behaviour and thread
# sanitizers, in build folders of their own: test/sanitize.sh [address,undefined|thread ...]
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
[[ $# -gt 0 ]] || set -- address,undefined thread
for kind in "$@"; do
  build=build-sanitize/${kind%%,*}
  printf '\n== %s\n' "$kind"
  cmake -B "$build" -G Ninja -DMOMC_SANITIZE="$kind" > /dev/null
  ninja -C "$build" momrt-tests
  folder=$(mktemp -d)
  export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    TSAN_OPTIONS=halt_on_error=1
  for test in "$build"/bin/momrt-test-*; do
    case $test in
    *-abi) continue ;; # loads libmomrt.so, which finds no sanitizer of its own
    esac
    printf '%-24s ' "$(basename "$test")"
    program=$PWD/$test
    (cd "$folder" && "$program" > log 2>&1 && tail -n 1 log) || {
      status=1
      echo "FAILED"
      tail -n 60 "$folder/log"
    }
  done
  rm -rf "$folder"
done
exit $status
