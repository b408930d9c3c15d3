"""Two training steps against AdamW written out in numpy, from the same parameters
and the same batch: gradient, clipping, moments, decay with its exceptions, rate."""
import fnmatch
import os
import subprocess
import sys

import numpy as np

folder = sys.argv[1]
sys.path.insert(0, os.path.dirname(__file__))
from compare import read, write  # noqa: E402

model = os.path.join(os.path.dirname(__file__), "../../examples/mixture-of-mamba.mom")
settings = ["--set", "D=16", "--set", "depth=2"]
random = np.random.default_rng(5)
tokens = 8 * 512  # one batch: every step sees all of it
data = {"id": random.integers(0, 1280, tokens).astype(np.int32),
        "modality": np.repeat(random.integers(0, 3, tokens // 16), 16).astype(np.uint8)}
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
write("train.safetensors", {**data, "document": np.array([0, tokens], np.int64)},
      {"format": "momc tokens", "version": "1", "modalities": "text,image,speech", "vocabulary": "1280"})
# The one document is cut into 8 streams, each a segment.
write("batch.safetensors", {**data, "document": np.arange(0, tokens + 1, 512)})


def gradients(checkpoint):
    subprocess.run(["momc", "run", model, *settings, "--entry", "gradient", "--inputs", "batch.safetensors",
                    "--outputs", "gradients", "--checkpoint", checkpoint], check=True, stdout=subprocess.DEVNULL)
    return {name[9:]: value for name, value in read("gradients").items() if name.startswith("gradient.")}


subprocess.run(["momc", "run", model, *settings, "--entry", "gradient", "--inputs", "batch.safetensors",
                "--outputs", "shapes"], check=True, stdout=subprocess.DEVNULL)
start = {name[9:]: random.normal(0, 0.1, value.shape).astype(np.float32)
         for name, value in read("shapes").items() if name.startswith("gradient.")}
write("start.safetensors", start)

parameters = {name: value.astype(np.float64) for name, value in start.items()}
first = {name: np.zeros_like(value) for name, value in parameters.items()}
second = {name: np.zeros_like(value) for name, value in parameters.items()}
for step in (1, 2):
    write("now.safetensors", {name: value.astype(np.float32) for name, value in parameters.items()})
    gradient = gradients("now.safetensors")
    norm = np.sqrt(sum((g ** 2).sum() for g in gradient.values()))
    rate = 2e-3 * step / 30  # warmup(30)
    for name, w in parameters.items():
        g = gradient[name] * min(1, 1.0 / norm)
        own = name.split(".", 2)[-1] if name.startswith("layers.") else name
        kept = any(fnmatch.fnmatch(own, pattern) for pattern in ("A_log", "skip", "*.bias", "*.scale"))
        first[name] = 0.9 * first[name] + 0.1 * g
        second[name] = 0.95 * second[name] + 0.05 * g ** 2
        change = first[name] / (1 - 0.9 ** step) / (np.sqrt(second[name] / (1 - 0.95 ** step)) + 1e-8)
        parameters[name] = w - rate * (change + (0.0 if kept else 0.1) * w)

subprocess.run(["momc", "train", model, *settings, "--data", "train.safetensors", "--steps", "2", "--out", "run",
                "--checkpoint", "start.safetensors"], check=True, stdout=subprocess.DEVNULL,
               stderr=subprocess.DEVNULL)
got = read("run/checkpoint-00000002.safetensors")
bad = 0
for prefix, expected in (("", parameters), ("moment1.", first), ("moment2.", second)):
    for name, value in expected.items():
        error = np.linalg.norm(got[prefix + name] - value) / max(np.linalg.norm(value), 1e-30)
        if not error < (1e-6 if prefix == "" else 2e-5):
            bad += 1
            print(f"{prefix}{name}: relative error {error:.3g}")
# A step of two batches that are alike is a step of one, to the bit.
with open(model) as text, open("twice.mom", "w") as twice:
    twice.write(text.read().replace("accumulate 1", "accumulate 2"))
subprocess.run(["momc", "train", "twice.mom", *settings, "--data", "train.safetensors", "--steps", "2", "--out", "twice",
                "--checkpoint", "start.safetensors"], check=True, stdout=subprocess.DEVNULL,
               stderr=subprocess.DEVNULL)
again = read("twice/checkpoint-00000002.safetensors")
for name, value in got.items():
    if not np.array_equal(again[name], value):
        bad += 1
        print(f"{name}: differs where two batches make a step")
print(f"{3 * len(parameters)} tensors compared, {bad} differ")
sys.exit(bad > 0)
