#!/bin/bash
# Installs packages, builds everything and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."
begin=$SECONDS
examples/build.sh momc mom-opt mom-compare momrt-tests mlir-doc
printf '\n== Testing\n'
/usr/lib/llvm-22/bin/lit -v --no-progress-bar build/test
printf '\n== All tests passed, in %s s with everything\n' $((SECONDS - begin))
