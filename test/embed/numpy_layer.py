"""A layer through the Python package on NumPy arrays: forward and vjp against the
official formulas in double precision, in lent memory, at awkward lengths."""
import os
import sys

import numpy as np

import momc
from reference import block, close
from refusals import refused

TEXT = """modality M { text, image, speech }
const D = 12, E = 24, N = 5, R = 3
batch { token by M { _id: index[1] } }
layer mamba(x: token[D]) -> token[D] {
  part in_proj = linear[M](D -> E, E), conv = conv1d(E, width: 4, bias: zeros)
  part x_proj = linear[M](E -> R, N, N), dt_proj = linear[M](R -> E, bias: zeros)
  part out_proj = linear[M](E -> D)
  weight A_log: f32[E, N] = log(iota(1..N)), skip: f32[E] = 1
  a, z    = in_proj(x)
  u       = silu(conv(a))
  r, B, C = x_proj(u)
  h       = scan(u, softplus(dt_proj(r)), -exp(A_log), B, C)
  return out_proj((h + skip*u) * silu(z))
}
export mamba
"""
SHAPES = {"in_proj.weight": (3, 48, 12), "conv.weight": (24, 4), "conv.bias": (24,),
          "x_proj.weight": (3, 13, 24), "dt_proj.weight": (3, 24, 3), "dt_proj.bias": (3, 24),
          "out_proj.weight": (3, 12, 24), "A_log": (24, 5), "skip": (24,)}
random = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))


def sample(shape):
    return random.normal(size=shape, scale=0.5).astype(np.float32)


program = momc.compile(TEXT, name="layer.mom", cache=sys.argv[1])
assert program.modalities == ["text", "image", "speech"], program.modalities
assert program.entries["mamba"].inputs["x"].channels == 12
session = program.session(threads=2, poison=True)


def check(lengths, modality):
    tokens = sum(lengths)
    weights = {name: sample(shape) for name, shape in SHAPES.items()}
    x, dy = sample((tokens, 12)), sample((tokens, 12))
    session.set_batch(lengths, modality, workspace=lambda size: aligned(size))
    inputs = {**weights, "x": x}
    kept = {name: value.copy() for name, value in inputs.items()}
    y = np.full((tokens, 12), np.nan, np.float32)
    assert session.run("mamba", inputs, {"y": y})["y"] is y
    double = {name: value.astype(np.float64) for name, value in weights.items()}
    close(y, block(double, x.astype(np.float64), modality, lengths), 2e-5, f"y of {lengths}")

    gradients = session.run("mamba.vjp", {**inputs, "dy": dy})
    for name, value in inputs.items():
        assert np.array_equal(value, kept[name]), f"{name} was written to"
        # <gradient, direction> is the derivative of <dy, y> along a random direction.
        direction, step = random.normal(size=value.shape), 1e-5
        def moved(by):
            there = {n: double.get(n) for n in double}
            at = x.astype(np.float64)
            if name == "x":
                at = at + by * direction
            else:
                there[name] = there[name] + by * direction
            return np.sum(dy * block(there, at, modality, lengths))
        if tokens:
            want = (moved(step) - moved(-step)) / (2 * step)
            got = np.sum(gradients["d" + name].reshape(value.shape).astype(np.float64) * direction)
            size = np.linalg.norm(gradients["d" + name]) * np.linalg.norm(direction)
            assert abs(got - want) <= 1e-4 * size + 1e-5, (name, lengths, got, want, size)


def aligned(size):
    memory = np.empty(size + 64, np.uint8)
    return memory[-memory.ctypes.data % 64:][:size]


for lengths in ([9, 15], [1], [3, 1, 1, 30]):
    check(lengths, random.integers(0, 3, sum(lengths), dtype=np.int32))
check([20], np.full(20, 2, np.int32))  # other modalities have no token

# Mistakes are errors with both facts, and the session goes on.
refused("its strides are", lambda: session.bind("x", sample((20, 24))[:, ::2]))
refused("expected input 'x' to be f32 with 12 channels but got f64 with 12",
        lambda: session.bind("x", np.zeros((20, 12))))
refused("expected 20 rows of input 'x' but got 3", lambda: session.bind("x", sample((3, 12))))
refused("has no input 'y'", lambda: session.bind("y", sample((3, 12))))
refused("no entry 'loss'", lambda: session.run("loss"))
refused("expected modalities below 3 but position 1 has 7",
        lambda: session.set_modality(np.array([0, 7] + 18 * [0], np.int32)))
refused("layer.mom:1:11: error:", lambda: momc.compile("const A = B\n", name="layer.mom"))
check([2, 3], np.array([0, 1, 2, 0, 1], np.int32))
print("ok")
