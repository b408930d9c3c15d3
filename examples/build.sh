#!/bin/bash
# Installs what momc needs (Debian 12 and later) and builds it into build/.
# examples/build.sh [target ...]: builds these targets, or momc.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }

packages=(cmake ninja-build ccache git python3 libfmt-dev nlohmann-json3-dev zlib1g-dev libzstd-dev
          clang-22 libclang-rt-22-dev lld-22 llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools)
mapfile -t -O ${#packages[@]} packages < <(sed 's/#.*//; /^ *$/d' examples/data/packages.txt)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  say "Installing ${missing[*]}"
  root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    "${missing[@]}" >/dev/null
fi

say "Building ${*:-momc} (build/)"
mkdir -p build
if [[ ! -f build/build.ninja ]]; then
  cmake -S . -B build -G Ninja >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
fi
ninja -C build "${@:-momc}"
