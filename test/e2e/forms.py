"""The ablation's 16 forms of one file: each projection has a weight for each modality, or one
for all. forms.py MODEL FOLDER [--all] trains some, or each, for two steps on random tokens, and
checks the others."""
import itertools
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import read, write  # noqa: E402

folder = sys.argv[2]
random = np.random.default_rng(3)
tokens, names = 600, ["split_in", "split_x", "split_dt", "split_out"]
parts = ["in_proj", "x_proj", "dt_proj", "out_proj"]
os.makedirs(folder, exist_ok=True)
model = os.path.join(folder, "model.mom")
with open(sys.argv[1]) as whole, open(model, "w") as small:
    small.write(whole.read().replace("batch 8 by 512", "batch 2 by 64"))
data = os.path.join(folder, "data.safetensors")
write(data, {"document": np.arange(0, tokens + 1, 50, dtype=np.int64),
             "id": random.integers(0, 1280, size=tokens, dtype=np.int32),
             "modality": np.repeat(random.integers(0, 3, size=tokens // 10), 10).astype(np.uint8)},
      {"format": "momc tokens", "version": "1", "modalities": "text,image,speech", "vocabulary": "1280"})


def train(form):
    out = os.path.join(folder, "".join("1" if split else "0" for split in form))
    settings = ["D=8", "depth=1"] + [f"{name}={str(split).lower()}" for name, split in zip(names, form)]
    subprocess.run(["momc", "train", model, "--data", data, "--steps", "2", "--seed", "3", "--out", out,
                    "--cpu-threads", "1"] + [word for text in settings for word in ("--set", text)],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(os.path.join(out, "log.jsonl")) as file:
        losses = [json.loads(line)["loss"]["lm"] for line in file]
    weights = read(os.path.join(out, "checkpoint-00000002.safetensors"))
    for part, split in zip(parts, form):
        shape = weights[f"layers.0.{part}.weight"].shape
        assert len(shape) == (3 if split else 2), (form, part, shape)
        assert not split or shape[0] == 3, (form, part, shape)
    assert len(losses) == 2 and all(math.isfinite(loss) and 0 < loss < 20 for loss in losses), (form, losses)
    return losses[-1]


def check(form):
    settings = [f"{name}={str(split).lower()}" for name, split in zip(names, form)]
    done = subprocess.run(["momc", "check", model] + [word for text in settings for word in ("--set", text)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and not done.stdout, (form, done.stdout)


forms = list(itertools.product([False, True], repeat=4))
trained = forms if "--all" in sys.argv else [forms[0], forms[5], forms[15]]
with ThreadPoolExecutor(2) as pool:
    losses = list(pool.map(train, trained))
    list(pool.map(check, forms))
assert len(set(losses)) == len(trained), losses
print(f"{len(forms)} forms checked, {len(trained)} trained")
