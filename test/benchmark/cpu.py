"""The Mixture-of-Mamba block and its scan on a CPU beside PyTorch with the official formulas
and a compiled loop, turn by turn in one run, with as many threads each:

    python3 test/benchmark/cpu.py [--rounds N] [--threads N]

Needs torch, a C++ compiler with OpenMP, and momc on the PATH. The block has norm and residual
on both sides, three modalities in spans, 2 x 512 tokens, f32. PyTorch's scan is a loop over
time like `selective_scan_ref`, but reads its steps with `unbind`, whose gradient costs no more
than the loop. The compiled loop is loop.cpp, with -O3 -march=native -ffast-math. A figure is
the least of all rounds, since what else runs on a machine only adds to it.
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


def momc(model, entry, settings, threads, streams=STREAMS, length=LENGTH, repeats=5):
    """Milliseconds of an entry, the least of a few."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = ["momc", "bench", model, "--streams", str(streams), "--length", str(length),
                   "--repeats", str(repeats), "--warm-up", "1", "--entry", entry, "--whole-streams",
                   "--cpu-threads", str(threads), "--json", file.name,
                   "--ceilings", os.path.join(HERE, "../e2e/Inputs/ceilings.json")]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return next(e["least"] for e in json.load(open(file.name))["entries"] if e["entry"] == entry)


def timed(function, repeats=1):
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


def scan_loop(u, delta, A, B, C):
    """[batch, length, ...]: a loop over time."""
    decays = torch.exp(torch.einsum("ble,en->blen", delta, A)).unbind(1)
    inputs = torch.einsum("ble,bln,ble->blen", delta, B, u).unbind(1)
    x, ys = torch.zeros(u.shape[0], u.shape[2], A.shape[1]), []
    for decay, input, c in zip(decays, inputs, C.unbind(1)):
        x = decay * x + input
        ys.append(torch.einsum("ben,bn->be", x, c))
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

    def __call__(self):
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


def both(function):
    function().sum().backward()


def without_gradients(function):
    with torch.no_grad():
        function()


class Loop:
    """loop.cpp on the inputs of a scan."""

    def __init__(self, folder, threads, inputs):
        library = os.path.join(folder, "loop.so")
        subprocess.run(["c++", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC",
                        os.path.join(HERE, "loop.cpp"), "-o", library], check=True)
        self.library = ctypes.CDLL(library)
        self.inputs, self.threads = inputs, threads
        u, delta, A, B, C = inputs
        self.E, tokens = u.shape[1], u.shape[0]
        self.y, self.dy = torch.empty(tokens, self.E), torch.ones(tokens, self.E)
        self.gradients = [torch.empty(tokens, self.E), torch.empty(tokens, self.E), torch.empty_like(A),
                          torch.empty(threads, tokens, N), torch.empty(threads, tokens, N)]

    def call(self, function, tensors):
        function(*(ctypes.c_long(v) for v in (STREAMS, LENGTH, self.E)), ctypes.c_int(self.threads),
                 *(ctypes.c_void_p(v.data_ptr()) for v in tensors))

    def forward(self):
        self.call(self.library.forward, [*self.inputs, self.y])

    def both(self):
        self.call(self.library.both, [*self.inputs, self.dy, self.y, *self.gradients])
        for parts in self.gradients[3:]:
            parts.sum(0)


def report(what, ours, theirs):
    ratios = ", ".join(f"{name} {min(times):9.2f} ms ({min(times) / min(ours):6.2f} times)"
                       for name, times in theirs.items())
    print(f"{what:36} momc {min(ours):8.2f} ms, {ratios}", flush=True)


def blocks(options):
    model = os.path.join(HERE, "../../examples/mixture-of-mamba.mom")
    for D in options.sizes:
        block, settings = Block(D), [f"D={D}", "depth=1"]
        ours, theirs = ([], []), ([], [])
        for _ in range(options.rounds):
            for at, (entry, run) in enumerate((("mamba", lambda: without_gradients(block)),
                                               ("mamba.vjp", lambda: both(block)))):
                ours[at].append(momc(model, entry, settings, options.threads))
                theirs[at].append(timed(run))
        report(f"block, d_model {D}, forward", ours[0], {"PyTorch": theirs[0]})
        report(f"block, d_model {D}, forward+backward", ours[1], {"PyTorch": theirs[1]})


def same(got, want):
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-3 * want.abs().max().item())


def scans(options, model):
    E, tokens = 512, STREAMS * LENGTH
    inputs = [torch.randn(tokens, E), torch.randn(tokens, E).square(), -torch.exp(torch.randn(E, N)),
              torch.randn(tokens, N), torch.randn(tokens, N)]
    leaves = [v.clone().requires_grad_() for v in inputs]

    def reference():
        u, delta, B, C = (leaves[i].view(STREAMS, LENGTH, -1) for i in (0, 1, 3, 4))
        return scan_loop(u, delta, leaves[2], B, C)

    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(folder, options.threads, inputs)
    loop.both()
    y = reference()
    y.sum().backward()
    for got, want in [(loop.y.view_as(y), y), *zip(loop.gradients, (v.grad for v in leaves))]:
        same(got if got.dim() < 3 or got is loop.y or got.shape == want.shape else got.sum(0), want)
    for what, entry, torch_scan, compiled in (
            ("forward", "walk", lambda: without_gradients(reference), loop.forward),
            ("forward+backward", "walk.vjp", lambda: both(reference), loop.both)):
        ours, theirs = [], {"PyTorch": [], "compiled loop": []}
        for _ in range(options.rounds):
            ours.append(momc(model, entry, [f"E={E}"], options.threads))
            theirs["PyTorch"].append(timed(torch_scan))
            theirs["compiled loop"].append(timed(compiled, 5))
        report(f"scan of {E} channels, {what}", ours, theirs)


def lengths(options, model):
    """One stream of up to 65,536 tokens: a token costs as much as in a short one."""
    for entry in ("walk", "walk.vjp"):
        costs = {length: [] for length in (1024, 4096, 16384, 65536)}
        for _ in range(options.rounds):
            for length, times in costs.items():
                times.append(momc(model, entry, ["E=256"], options.threads, 1, length, 3))
        print(f"{entry}, ns a token: " + ", ".join(f"{min(times) * 1e6 / length:.0f} of {length}"
                                                  for length, times in costs.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 512])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = os.path.join(HERE, "scan-cpu.mom")
    scans(options, model)
    lengths(options, model)
    blocks(options)


if __name__ == "__main__":
    sys.exit(main())
