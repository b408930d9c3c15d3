"""block.py VERB TOLERANCE: the block's model by `momc VERB` against the golden file."""
import os
import subprocess
import sys
import tempfile

import numpy as np

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "../e2e"))
from compare import read  # noqa: E402

verb, tolerance = sys.argv[1], float(sys.argv[2])
golden = os.path.join(here, "block.safetensors")
with tempfile.TemporaryDirectory() as folder:
    outputs = os.path.join(folder, "out")
    subprocess.run(["momc", verb, os.path.join(here, "Inputs/block.mom"), "--entry", "gradient", "--inputs", golden,
                    "--checkpoint", golden, "--outputs", outputs], check=True, stdout=subprocess.DEVNULL)
    got = read(outputs)
expected = {name[9:]: value for name, value in read(golden).items() if name.startswith("expected.")}
# The mean's own sum and count are outputs, too.
missing, bad = sorted(set(expected) - set(got)), 0
for name in expected.keys() & got.keys():
    error = np.abs(got[name].ravel() - expected[name].ravel()).max()
    if not error <= tolerance * max(np.abs(expected[name]).max(), 1e-3):
        bad += 1
        print(f"{name}: error {error:.3g}, largest {np.abs(expected[name]).max():.3g}")
print(f"{len(expected)} tensors compared, {bad} differ")
sys.exit(f"absent: {missing}" if missing else bad > 0)
