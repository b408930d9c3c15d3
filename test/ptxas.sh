#!/bin/bash
# Puts NVIDIA's ptxas, which assembles GPU kernels, into build/bin from its package on
# PyPI, unless this machine has the CUDA toolkit. Without either the tests that need it
# are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
version=13.0.88
for found in "$(command -v ptxas || true)" /usr/local/cuda/bin/ptxas build/bin/ptxas; do
  [[ -n $found && -x $found ]] && exit 0
done
printf '\n== Fetching ptxas %s\n' "$version"
if ! python3 -m pip --version >/dev/null 2>&1; then
  root=()
  ((EUID == 0)) || root=(sudo)
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    python3-pip >/dev/null
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip download -q --no-deps -d "$folder" "nvidia-cuda-nvcc==$version"
python3 - "$folder" build/bin <<'END'
import glob, os, sys, zipfile
package, = glob.glob(sys.argv[1] + "/*.whl")
with zipfile.ZipFile(package) as wheel:
    name, = [n for n in wheel.namelist() if n.endswith("/bin/ptxas")]
    data = wheel.read(name)
place = sys.argv[2] + "/ptxas"
with open(place + ".part", "wb") as file:
    file.write(data)
os.chmod(place + ".part", 0o755)
os.rename(place + ".part", place)
END
