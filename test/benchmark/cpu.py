"""The Mixture-of-Mamba block on a CPU beside PyTorch with the official formulas, turn by
turn in one run, with as many threads each: python3 cpu.py [--rounds N] [--threads N].

Needs torch, numpy and a C++ compiler. The block has norm and residual on both sides, three
modalities in spans, 2 x 512 tokens, f32. PyTorch's scan is `selective_scan_ref`, a loop over
time; `loop` is a compiled one in C++ (-O3 -ffast-math, forward). Ratios are of medians.
"""
import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
STREAMS, LENGTH, GROUPS, N, WIDTH = 2, 512, 3, 16, 4

LOOP = r"""
#include <cmath>
extern "C" void scan(long streams, long length, long E, const float *u, const float *delta, const float *A,
                     const float *B, const float *C, float *y) {
#pragma omp parallel for collapse(2)
  for (long b = 0; b < streams; ++b)
    for (long e = 0; e < E; ++e) {
      float h[16] = {};
      for (long t = b * length; t < (b + 1) * length; ++t) {
        float d = delta[t * E + e], x = d * u[t * E + e], sum = 0;
        for (int n = 0; n < 16; ++n) {
          h[n] = std::exp(d * A[e * 16 + n]) * h[n] + x * B[t * 16 + n];
          sum += C[t * 16 + n] * h[n];
        }
        y[t * E + e] = sum;
      }
    }
}
"""


def momc(model, entry, settings, threads):
    """Milliseconds of an entry, the least of a few."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = ["momc", "bench", model, "--streams", str(STREAMS), "--length", str(LENGTH), "--repeats", "5",
                   "--warm-up", "1", "--entry", entry, "--cpu-threads", str(threads), "--json", file.name,
                   "--ceilings", os.path.join(HERE, "../e2e/Inputs/ceilings.json")]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return next(e["least"] for e in json.load(open(file.name))["entries"] if e["entry"] == entry)


def timed(function, repeats=3):
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def scan_loop(u, delta, A, B, C):
    """selective_scan_ref, [batch, length, ...]: a loop over time."""
    delta_a = torch.exp(torch.einsum("ble,en->blen", delta, A))
    delta_b_u = torch.einsum("ble,bln,ble->blen", delta, B, u)
    x, ys = torch.zeros(u.shape[0], u.shape[2], A.shape[1]), []
    for i in range(u.shape[1]):
        x = delta_a[:, i] * x + delta_b_u[:, i]
        ys.append(torch.einsum("ben,bn->be", x, C[:, i]))
    return torch.stack(ys, 1)


class Block:
    """The official block, with norm and residual."""

    def __init__(self, D):
        E, R = 2 * D, (D + 15) // 16
        shapes = {"scale": (D,), "in_proj": (GROUPS, 2 * E, D), "conv": (E, 1, WIDTH), "bias": (E,),
                  "x_proj": (GROUPS, R + 2 * N, E), "dt_proj": (GROUPS, E, R), "dt_bias": (GROUPS, E),
                  "out_proj": (GROUPS, D, E), "skip": (E,)}
        self.p = {name: (torch.randn(shape) * 0.1).requires_grad_() for name, shape in shapes.items()}
        self.p["A_log"] = torch.log(torch.arange(1.0, N + 1)).repeat(E, 1).requires_grad_()
        spans = torch.randint(0, GROUPS, (STREAMS * LENGTH // 32,)).repeat_interleave(32)
        self.masks = [spans == m for m in range(GROUPS)]
        self.x = torch.randn(STREAMS, LENGTH, D, requires_grad=True)
        self.D, self.E, self.R = D, E, R

    def routed(self, x, name, bias=None):
        weight = self.p[name]
        out = torch.empty(len(x), weight.shape[1])
        for m, mask in enumerate(self.masks):
            out[mask] = F.linear(x[mask], weight[m], None if bias is None else self.p[bias][m])
        return out

    def forward(self):
        p, tokens = self.p, STREAMS * LENGTH
        normed = self.x * torch.rsqrt(self.x.pow(2).mean(-1, keepdim=True) + 1e-5) * p["scale"]
        x, z = self.routed(normed.view(tokens, self.D), "in_proj").chunk(2, dim=1)
        x = x.view(STREAMS, LENGTH, self.E).transpose(1, 2)
        x = F.silu(F.conv1d(x, p["conv"], p["bias"], padding=WIDTH - 1, groups=self.E)[..., :LENGTH])
        x = x.transpose(1, 2).reshape(tokens, self.E)
        dt, B, C = torch.split(self.routed(x, "x_proj"), [self.R, N, N], dim=-1)
        delta = F.softplus(self.routed(dt, "dt_proj", "dt_bias"))
        whole = [v.view(STREAMS, LENGTH, -1) for v in (x, delta, B, C)]
        y = scan_loop(whole[0], whole[1], -torch.exp(p["A_log"]), whole[2], whole[3]).view(tokens, self.E)
        y = (y + p["skip"] * x) * F.silu(z)
        return self.x + self.routed(y, "out_proj").view(STREAMS, LENGTH, self.D)

    def both(self):
        self.forward().sum().backward()


def compiled_loop(folder):
    source, library = os.path.join(folder, "scan.cpp"), os.path.join(folder, "scan.so")
    with open(source, "w") as file:
        file.write(LOOP)
    subprocess.run(["c++", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC", source, "-o", library],
                   check=True)
    return ctypes.CDLL(library).scan


def median(values):
    return sorted(values)[len(values) // 2]


def report(what, ours, theirs):
    ratios = ", ".join(f"{name} {median(times):9.2f} ms ({median(times) / median(ours):6.1f} times)"
                       for name, times in theirs.items())
    print(f"{what:34} momc {median(ours):8.2f} ms, {ratios}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 512])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    model = os.path.join(HERE, "../../examples/mixture-of-mamba.mom")
    with tempfile.TemporaryDirectory() as folder:
        loop = compiled_loop(folder)
    for D in options.sizes:
        block, settings = Block(D), [f"D={D}", "depth=1"]
        ours, theirs = ([], []), ([], [])
        for _ in range(options.rounds):
            for at, (entry, run) in enumerate((("mamba", block.forward), ("mamba.vjp", block.both))):
                ours[at].append(momc(model, entry, settings, options.threads))
                theirs[at].append(timed(run, 2))
        report(f"block, d_model {D}, forward", ours[0], {"PyTorch": theirs[0]})
        report(f"block, d_model {D}, forward+backward", ours[1], {"PyTorch": theirs[1]})

    E, tokens = 512, STREAMS * LENGTH
    u, delta = torch.randn(tokens, E), F.softplus(torch.randn(tokens, E))
    A, B, C = -torch.exp(torch.randn(E, N)), torch.randn(tokens, N), torch.randn(tokens, N)
    y = torch.empty(tokens, E)

    def call():
        loop(*(ctypes.c_long(v) for v in (STREAMS, LENGTH, E)),
             *(ctypes.c_void_p(v.data_ptr()) for v in (u, delta, A, B, C, y)))

    def reference():
        with torch.no_grad():
            return scan_loop(*(v.view(STREAMS, LENGTH, -1) for v in (u, delta)), A,
                             *(v.view(STREAMS, LENGTH, -1) for v in (B, C)))

    call()
    assert torch.allclose(y.view(STREAMS, LENGTH, E), reference(), rtol=1e-3, atol=1e-3)
    ours, theirs = [], {"PyTorch": [], "loop": []}
    for _ in range(options.rounds):
        ours.append(momc(os.path.join(HERE, "scan-cpu.mom"), "walk", [f"E={E}"], options.threads))
        theirs["PyTorch"].append(timed(reference))
        theirs["loop"].append(timed(call, 10))
    report(f"scan of {E} channels, forward", ours, theirs)


if __name__ == "__main__":
    sys.exit(main())
