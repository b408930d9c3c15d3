"""momc.torch on a GPU, beside what torch_block.py checks: a CUDA graph of it gives what it gives,
on a stream of the caller's, torch.compile does not break it, and what it takes.

    torch_gpu.py CACHE [TOKENS [D]]
"""
import sys
from types import SimpleNamespace

import torch

import momc.torch as momc_torch

momc_torch.CACHE = sys.argv[1]
TOKENS = int(sys.argv[2]) if len(sys.argv) > 2 else 4096
WIDTH = int(sys.argv[3]) if len(sys.argv) > 3 else 1024
torch.manual_seed(5)
device = torch.device("cuda")


def made(batch, length, width, dtype):
    module = momc_torch.MixtureOfMamba(SimpleNamespace(n_modalities=3), width, device=device,
                                       dtype=dtype)
    modality = torch.arange(batch * length, device=device) // 100 % 3
    masks = [modality == number for number in range(3)]
    x = torch.randn(batch, length, width, device=device, dtype=dtype, requires_grad=True)
    return module, masks, x


def same(a, b, what):
    assert torch.equal(a, b), f"{what}: {(a.float() - b.float()).abs().max().item()}"


# A stream of the caller's: work is ordered with what is before and after it there.
module, masks, x = made(2, 300, 256, torch.bfloat16)
want = module(x, modality_masks=masks).detach()
stream = torch.cuda.Stream()
with torch.cuda.stream(stream):
    later = torch.zeros_like(x)
    torch.cuda._sleep(20_000_000)
    later.copy_(x)
    got = module(later.detach(), modality_masks=masks).detach()
stream.synchronize()
same(got, want, "on another stream")
print("stream ok")

# Captured: forward and backward of the module on new inputs.
static, gradient = x.detach().clone().requires_grad_(), torch.randn_like(x)
side = torch.cuda.Stream()
side.wait_stream(torch.cuda.current_stream())
with torch.cuda.stream(side):
    for _ in range(3):
        static.grad = None
        module.zero_grad(set_to_none=True)
        module(static, modality_masks=masks).backward(gradient)
torch.cuda.current_stream().wait_stream(side)
static.grad = None
module.zero_grad(set_to_none=True)
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    y = module(static, modality_masks=masks)
    y.backward(gradient)
for seed in (1, 2):
    torch.manual_seed(seed)
    fresh = torch.randn_like(x).requires_grad_()
    with torch.no_grad():
        static.copy_(fresh)
    graph.replay()
    eager = made(2, 300, 256, torch.bfloat16)[0]
    eager.load_state_dict(module.state_dict())
    there = eager(fresh, modality_masks=masks)
    there.backward(gradient)
    same(y.detach(), there.detach(), "y of the graph")
    same(static.grad, fresh.grad, "dx of the graph")
    for (name, a), (_, b) in zip(module.named_parameters(), eager.named_parameters()):
        same(a.grad, b.grad, f"d{name} of the graph")
print("graph ok")

for backend in ("aot_eager", "inductor"):
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    try:
        got = compiled(x, modality_masks=masks)
    except Exception as problem:  # inductor wants a C++ compiler and Triton
        if backend == "aot_eager":
            raise
        print(f"{backend} is not there: {type(problem).__name__}")
        continue
    same(got.detach(), want, backend)
    print(f"torch.compile ({backend}) ok")

module, masks, x = made(8, TOKENS, WIDTH, torch.bfloat16)
gradient = torch.randn_like(x)


def milliseconds(body, repeats=10):
    for _ in range(3):
        body()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(repeats):
        body()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / repeats


def both():
    x.grad = None
    module.zero_grad(set_to_none=True)
    module(x, modality_masks=masks).backward(gradient)


with torch.no_grad():
    forward = milliseconds(lambda: module(x, modality_masks=masks))
print(f"8 x {TOKENS} tokens, d_model {WIDTH}, bf16: forward {forward:.2f} ms, "
      f"forward and backward {milliseconds(both):.2f} ms, "
      f"peak {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
print("ok")
