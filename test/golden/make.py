"""Writes the golden files with PyTorch on the CPU, in float64: python3 make.py [FOLDER].

The formulas are those of the official Mixture-of-Mamba block (Weixin-Liang/Mixture-of-Mamba,
MixtureOfMamba.py) and of mamba_ssm's `selective_scan_ref`; gradients are autograd's. Every
number that a program is given is one that f32 holds. Documents are computed one by one.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from compare import write  # noqa: E402

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(20250116)
LENGTHS = [7, 1, 5]
MODALITY = torch.tensor([0, 0, 1, 1, 1, 2, 0, 2, 1, 1, 2, 2, 0])
TOKENS = len(MODALITY)
STARTS = np.cumsum([0] + LENGTHS)


def normal(*shape, scale=1.0):
    """Numbers that f32 holds, to be differentiated."""
    return (torch.randn(*shape, generator=generator) * scale).float().double().requires_grad_()


def positive(*shape):
    return (0.1 + torch.rand(*shape, generator=generator)).float().double().requires_grad_()


def negative(*shape):
    return (-0.2 - torch.rand(*shape, generator=generator)).float().double().requires_grad_()


def by_document(function, *rows):
    """`function` on the rows of each document."""
    return torch.cat([function(*(x[a:b] for x in rows)) for a, b in zip(STARTS, STARTS[1:])])


def selective_scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, state=None):
    """selective_scan_ref for one sequence, token-major: u, delta, z [L, E], A [E, N], B, C [L, N],
    state [E, N] instead of zeros. Returns y [L, E] and the last state."""
    if delta_bias is not None:
        delta = delta + delta_bias
    if delta_softplus:
        delta = F.softplus(delta)
    delta_a = torch.exp(torch.einsum("le,en->len", delta, A))
    delta_b_u = torch.einsum("le,ln,le->len", delta, B, u)
    x = torch.zeros_like(A) if state is None else state
    ys = []
    for i in range(len(u)):
        x = delta_a[i] * x + delta_b_u[i]
        ys.append(torch.einsum("en,n->e", x, C[i]))
    y = torch.stack(ys)
    out = y if D is None else y + u * D
    return (out if z is None else out * F.silu(z)), x


def causal_conv(x, weight, bias=None, state=None):
    """The block's depthwise conv1d for one sequence: x [L, E], weight [E, W], state [W - 1, E]
    instead of padding. Returns y [L, E] and the last W - 1 inputs."""
    width = weight.shape[1]
    before = torch.zeros(width - 1, x.shape[1]) if state is None else state
    padded = torch.cat([before, x])
    y = F.conv1d(padded.t()[None], weight[:, None], bias, groups=x.shape[1])[0].t()
    return y, padded[len(padded) - (width - 1):]


def linear_by_modality(x, weight, modality, bias=None):
    """Each token meets the weight of its modality: weight [M, out, in], bias [M, out]."""
    out = torch.zeros(len(x), weight.shape[1])
    for m in range(len(weight)):
        mask = modality == m
        out[mask] = F.linear(x[mask], weight[m], None if bias is None else bias[m])
    return out


def rms_norm(x, scale, eps=1e-5):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * scale


def case(tensors, name, arguments, results, batch_at, segments=None, streams=0):
    """A function's joint form: arguments in order with the batch in its place, then gradients of the
    results; results, then gradients of float arguments."""
    seeds = [torch.randn(r.shape, generator=generator).float().double() for r in results]
    total = sum((r * s).sum() for r, s in zip(results, seeds))
    floats = [a for a in arguments if a.dtype == torch.float64]
    gradients = torch.autograd.grad(total, floats)
    prefix = name + ".joint."
    values = list(arguments)
    values.insert(batch_at, None)
    for i, value in enumerate(values + seeds):
        if value is not None:
            # i32 rows are integers; the rest is what f32 holds.
            tensors[f"{prefix}argument{i}"] = value.detach().numpy().astype(
                np.float32 if value.dtype == torch.float64 else np.int32)
    for i, value in enumerate(list(results) + list(gradients)):
        tensors[f"{prefix}result{i}"] = value.detach().numpy()
    if segments is None:
        segments = [(a, b - a, -1, -1) for a, b in zip(STARTS, STARTS[1:])]
    tensors[prefix + "batch"] = np.array([TOKENS, streams, len(segments)], np.int32)
    tensors[prefix + "modality"] = MODALITY.numpy().astype(np.uint8)
    tensors[prefix + "segments"] = np.array(segments, np.int32)


# Two streams: documents 0 and 1 in the first, which is carried from before; document 2 in the
# second, which is carried from before and on. The first stream's end is document 1's.
CARRIED = [(0, 7, 0, -1), (7, 1, -1, 0), (8, 5, 1, 1)]


def ops():
    tensors = {}
    E, N = 3, 2

    def inputs():
        return [normal(TOKENS, E), positive(TOKENS, E), negative(E, N), normal(TOKENS, N), normal(TOKENS, N)]

    u, delta, A, B, C = inputs()
    y = by_document(lambda u, d, b, c: selective_scan(u, d, A, b, c)[0], u, delta, B, C)
    case(tensors, "scan", [u, delta, A, B, C], [y], 5)

    def flip(x):
        return x.flip(0)

    for name, turn in (("scan_states", lambda x: x), ("scan_reverse", flip)):
        u, delta, A, B, C = inputs()
        init = normal(2, E * N)
        ys, final = [], [None, None]
        for start, length, first, last in CARRIED:
            rows = slice(start, start + length)
            y, state = selective_scan(*(turn(x[rows]) for x in (u, delta)), A, turn(B[rows]), turn(C[rows]),
                                      state=init[first].view(E, N) if first >= 0 else None)
            ys.append(turn(y))
            if last >= 0:
                final[last] = state.reshape(-1)
        case(tensors, name, [u, delta, A, B, C, init], [torch.cat(ys), torch.stack(final)], 6, CARRIED, 2)

    u, raw, A, B, C = inputs()
    raw = normal(TOKENS, E)
    D, z, bias = normal(E), normal(TOKENS, E), normal(E)
    y = by_document(lambda u, d, b, c, z: selective_scan(u, d, A, b, c, D, z, bias, True)[0], u, raw, B, C, z)
    case(tensors, "gated", [u, raw, A, B, C, D, z, bias], [y], 8)

    x, weight, bias = normal(TOKENS, E), normal(E, 4), normal(E)
    case(tensors, "conv", [x, weight, bias], [by_document(lambda x: causal_conv(x, weight, bias)[0], x)], 3)
    x, weight, bias, init = normal(TOKENS, E), normal(E, 4), normal(E), normal(2, 3 * E)
    ys, final = [], [None, None]
    for start, length, first, last in CARRIED:
        y, state = causal_conv(x[start:start + length], weight, bias, init[first].view(3, E) if first >= 0 else None)
        ys.append(y)
        if last >= 0:
            final[last] = state.reshape(-1)
    case(tensors, "conv_states", [x, weight, bias, init], [torch.cat(ys), torch.stack(final)], 4, CARRIED, 2)
    x, weight = normal(TOKENS, E), normal(E, 4)
    y = by_document(lambda x: flip(causal_conv(flip(x), weight)[0]), x)
    case(tensors, "conv_reverse", [x, weight], [y], 2)

    x, scale = normal(TOKENS, E), normal(E)
    case(tensors, "norm", [x, scale], [rms_norm(x, scale)], 2)
    x, weight, bias, second = normal(TOKENS, E), normal(3, 2, E), normal(3, 2), normal(E, 2)
    y = F.linear(linear_by_modality(x, weight, MODALITY, bias), second)
    case(tensors, "routed", [x, weight, bias, second], [y], 4)
    logits = normal(TOKENS, E, scale=3.0)
    target = torch.randint(-1, E, (TOKENS,), generator=generator)
    nll = F.cross_entropy(logits, target, ignore_index=-1, reduction="none")
    case(tensors, "loss", [logits, target[:, None]], [nll[:, None]], 2)
    table, ids = normal(5, E), torch.randint(0, 5, (TOKENS,), generator=generator)
    case(tensors, "embed", [table, ids[:, None]], [F.embedding(ids, table)], 2)
    x, p = normal(TOKENS, E, scale=2.0), positive(TOKENS, E)
    results = [F.silu(x), F.softplus(x), torch.sigmoid(x), torch.exp(x), torch.log(p), torch.sqrt(p),
               torch.tanh(x), torch.abs(x), x / p]
    case(tensors, "functions", [x, p], results, 2)
    return tensors


def block():
    """The model of Inputs/block.mom: parameters and ids as it takes them, loss, metric, gradients."""
    D, E, N, R, V, M, depth = 4, 8, 3, 2, 5, 3, 2
    parameters = {"embed.weight": normal(V, D)}
    for i in range(depth):
        for name, shape, scale in (("norm.scale", (D,), 1.0), ("in_proj.weight", (M, 2 * E, D), 0.5),
                                   ("conv.weight", (E, 4), 0.5), ("conv.bias", (E,), 0.5),
                                   ("x_proj.weight", (M, R + 2 * N, E), 0.5), ("dt_proj.weight", (M, E, R), 0.5),
                                   ("dt_proj.bias", (M, E), 1.0), ("out_proj.weight", (M, D, E), 0.5),
                                   ("A_log", (E, N), 0.5), ("skip", (E,), 1.0)):
            parameters[f"layers.{i}.{name}"] = normal(*shape, scale=scale)
    parameters["norm.scale"] = normal(D)
    parameters["head.weight"] = normal(V, D)
    ids = torch.randint(0, V, (TOKENS,), generator=generator)

    def mamba(hidden, modality, p):
        xz = linear_by_modality(rms_norm(hidden, p("norm.scale")), p("in_proj.weight"), modality)
        x, z = xz.chunk(2, dim=1)
        x = F.silu(causal_conv(x, p("conv.weight"), p("conv.bias"))[0])
        dt, B, C = torch.split(linear_by_modality(x, p("x_proj.weight"), modality), [R, N, N], dim=-1)
        dt = linear_by_modality(dt, p("dt_proj.weight"), modality, p("dt_proj.bias"))
        y, _ = selective_scan(x, dt, -torch.exp(p("A_log")), B, C, p("skip"), z, None, True)
        return hidden + linear_by_modality(y, p("out_proj.weight"), modality)

    losses, predicted = [], []
    for a, b in zip(STARTS, STARTS[1:]):
        hidden, modality = F.embedding(ids[a:b], parameters["embed.weight"]), MODALITY[a:b]
        for i in range(depth):
            hidden = mamba(hidden, modality, lambda name, i=i: parameters[f"layers.{i}.{name}"])
        logits = F.linear(rms_norm(hidden, parameters["norm.scale"]), parameters["head.weight"])
        losses.append(F.cross_entropy(logits[:-1], ids[a + 1:b], reduction="none"))
        predicted.append(modality[1:])
    nll, predicted = torch.cat(losses), torch.cat(predicted)
    loss = nll.mean()
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    tensors = {"id": ids.numpy().astype(np.int32), "modality": MODALITY.numpy().astype(np.uint8),
               "document": STARTS.astype(np.int64)}
    for (name, value), gradient in zip(parameters.items(), gradients):
        tensors[name] = value.detach().numpy().astype(np.float32)
        tensors["expected.gradient." + name] = gradient.numpy()
    tensors["expected.loss.lm"] = loss.detach().numpy().reshape(1)
    masks = [predicted == m for m in range(M)]
    tensors["expected.sum.bits"] = np.array([(nll[mask].sum() / np.log(2)).item() for mask in masks])
    tensors["expected.count.bits"] = np.array([float(mask.sum()) for mask in masks])
    return tensors


def adamw():
    """Steps of torch.optim.AdamW on the flat vectors of Inputs/adamw.mom, clipped by min(1, clip / norm).

    Each function step<N> is `adamw.update` with what step N begins with."""
    tensors = {}
    rate, betas, eps, clip = 1e-2, (0.9, 0.999), 1e-8, 1.0
    decayed, plain = normal(32), normal(16)
    optimizer = torch.optim.AdamW([{"params": [decayed], "weight_decay": 0.1},
                                   {"params": [plain], "weight_decay": 0.0}], lr=rate, betas=betas, eps=eps)

    def state(parameter):
        kept = optimizer.state.get(parameter, {})
        zeros = torch.zeros_like(parameter)
        return [x.detach().clone() for x in
                (parameter, kept.get("exp_avg", zeros), kept.get("exp_avg_sq", zeros))]

    for step, scale in ((1, 0.1), (2, 3.0), (3, 1e-6), (4, 0.3)):
        gradients = [(torch.randn(p.shape, generator=generator) * scale) for p in (decayed, plain)]
        norm = torch.sqrt(sum((g * g).sum() for g in gradients))
        hyper = [rate, *betas, eps, 1 / (1 - betas[0] ** step), 1 / (1 - betas[1] ** step), clip]
        before = state(decayed) + state(plain)
        for parameter, gradient in zip((decayed, plain), gradients):
            parameter.grad = gradient * min(1.0, clip / norm.item())
        optimizer.step()
        arguments = [torch.tensor([x]) for x in hyper] + gradients + before
        for i, value in enumerate(arguments):
            tensors[f"step{step}.argument{i}"] = value.numpy()
        for i, value in enumerate(state(decayed) + state(plain) + [norm.reshape(1)]):
            tensors[f"step{step}.result{i}"] = value.numpy()
    return tensors


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for maker in (ops, block, adamw):
        write(os.path.join(folder, maker.__name__ + ".safetensors"), maker())
