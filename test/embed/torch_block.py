"""momc.torch against the official formulas in double precision by PyTorch's own autodiff:
the block with masks, its ablations and biases, and selective_scan_fn."""
import sys
from types import SimpleNamespace

import torch
import torch.nn.functional as F

import momc.torch as momc_torch

momc_torch.CACHE = sys.argv[1]
DEVICE = sys.argv[2] if len(sys.argv) > 2 else "cpu"
torch.manual_seed(int(torch.empty((), dtype=torch.int64).random_().item()))


def scan(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False):
    """mamba_ssm's selective_scan_ref: u, delta, z [b, d, l], A [d, n], B, C [b, n, l]."""
    if delta_bias is not None:
        delta = delta + delta_bias[:, None]
    delta = F.softplus(delta) if delta_softplus else delta
    h, ys = torch.zeros(u.shape[0], *A.shape, dtype=u.dtype, device=u.device), []
    for t in range(u.shape[2]):
        h = torch.exp(delta[:, :, t, None] * A) * h \
            + (delta[:, :, t] * u[:, :, t])[:, :, None] * B[:, None, :, t]
        ys.append((h * C[:, None, :, t]).sum(2))
    y = torch.stack(ys, 2)
    y = y if D is None else y + u * D[:, None]
    return (y if z is None else y * F.silu(z)), h


def block(module, x, masks):
    """The official forward, with the bias of a dt_proj that is not split."""
    def project(name, rows):
        experts = getattr(module, f"local_experts_{name}", None)
        if experts is None:
            return getattr(module, name)(rows)
        out = None
        for mask, expert in zip(masks, experts):
            part = expert(rows) * mask.reshape(-1, 1)
            out = part if out is None else out + part
        return out

    b, l, d = x.shape
    xz = project("in_proj", x.reshape(b * l, d)).view(b, l, -1).transpose(1, 2)
    u, z = xz.chunk(2, 1)
    u = F.silu(module.conv1d(u)[..., :l])
    dbl = project("x_proj", u.transpose(1, 2).reshape(b * l, -1))
    dt, B, C = torch.split(dbl, [module.dt_rank, module.d_state, module.d_state], -1)
    delta = F.softplus(project("dt_proj", dt)).view(b, l, -1).transpose(1, 2)
    B, C = (t.view(b, l, -1).transpose(1, 2) for t in (B, C))
    y, _ = scan(u, delta, -torch.exp(module.A_log), B, C, module.D, z)
    return project("out_proj", y.transpose(1, 2).reshape(b * l, -1)).view(b, l, d)


def close(got, want, what, rtol=3e-5 if DEVICE == "cpu" else 1e-4):
    error = torch.linalg.vector_norm(got.double() - want)
    limit = rtol * torch.linalg.vector_norm(want) + 1e-6 * want.numel() ** 0.5
    assert error <= limit, f"{what}: off by {error:.3g}, at most {limit:.3g}"


def check_block(shared=(), batch=2, length=11, compiled=False, dtype=torch.float32,
                rtol=3e-5 if DEVICE == "cpu" else 1e-4, **more):
    args = SimpleNamespace(n_modalities=3, **{f"do_not_split_{name}": True for name in shared})
    module = momc_torch.MixtureOfMamba(args, 24, d_state=5, device=DEVICE, **more)
    double = momc_torch.MixtureOfMamba(args, 24, d_state=5, device=DEVICE, **more).double()
    double.load_state_dict(module.state_dict())
    modality = torch.randint(0, 3, (batch * length,), device=DEVICE)
    masks = [modality == number for number in range(3)]
    x = torch.randn(batch, length, 24, device=DEVICE, dtype=dtype, requires_grad=True)
    dy = torch.randn(batch, length, 24, device=DEVICE)
    run = torch.compile(module, backend="aot_eager", fullgraph=True) if compiled else module
    y = run(x, modality_masks=masks)
    assert y.dtype == x.dtype and y.shape == x.shape
    y.backward(dy.to(dtype))
    x2 = x.detach().double().requires_grad_()
    want = block(double, x2, masks)
    want.backward(dy.to(dtype).double())
    close(y.detach(), want.detach(), "y", rtol)
    close(x.grad, x2.grad, "dx", rtol)
    for (name, got), (_, there) in zip(module.named_parameters(), double.named_parameters()):
        close(got.grad, there.grad, f"d{name}", rtol)
    return set(module.state_dict())


names = check_block()
assert {"local_experts_in_proj.2.weight", "conv1d.weight", "local_experts_dt_proj.0.bias",
        "A_log", "D"} <= names, names
assert "in_proj.weight" in check_block(shared=["in_proj", "x_proj", "dt_proj", "out_proj"])
check_block(bias=True, conv_bias=False, batch=1, length=1)
check_block(compiled=True)
rough = 3e-2 if DEVICE != "cpu" else 1e-2  # rows in bf16 round to 8 bits
check_block(dtype=torch.bfloat16, rtol=rough)

# A token without a modality is an error, not a wrong result.
module = momc_torch.MixtureOfMamba(SimpleNamespace(n_modalities=2), 16)
none = [torch.zeros(4, dtype=torch.bool)] * 2
try:
    module(torch.randn(1, 4, 16), none)
    raise AssertionError("expected an error")
except momc_torch.lib.Error as error:
    assert "expected modalities below 2 but position 0 has -1" in str(error), error


def check_scan(groups, **with_):
    b, d, l, n = 2, 6, 13, 4
    random = lambda *shape: torch.randn(*shape, device=DEVICE)
    u, delta, z = random(b, d, l), random(b, d, l), random(b, d, l)
    delta = delta if with_["delta_softplus"] else delta.abs()
    A, shape = -random(d, n).exp(), (b, groups, n, l) if groups else (b, n, l)
    B, C = random(*shape), random(*shape)
    D = random(d) if with_.pop("D") else None
    z = z if with_.pop("z") else None
    bias = random(d) if with_.pop("bias") else None
    ours = [t if t is None else t.clone().requires_grad_() for t in (u, delta, A, B, C, D, z, bias)]
    theirs = [t if t is None else t.double().requires_grad_() for t in (u, delta, A, B, C, D, z, bias)]
    y, last = momc_torch.selective_scan_fn(*ours, return_last_state=True, **with_)
    if groups:
        part = d // groups
        cut = lambda t, g, axis=1: None if t is None else t.narrow(axis, g * part, part)
        U, DELTA, AA, BB, CC, DD, Z, BIAS = theirs
        outs = [scan(cut(U, g), cut(DELTA, g), cut(AA, g, 0), BB[:, g], CC[:, g], cut(DD, g, 0),
                     cut(Z, g), cut(BIAS, g, 0), **with_) for g in range(groups)]
        want, state = torch.cat([o[0] for o in outs], 1), torch.cat([o[1] for o in outs], 1)
    else:
        want, state = scan(*theirs, **with_)
    dy = torch.randn_like(y)
    y.backward(dy)
    want.backward(dy.double())
    close(y.detach(), want.detach(), "scan's y")
    close(last, state.detach(), "last state")
    for name, got, there in zip(["u", "delta", "A", "B", "C", "D", "z", "bias"], ours, theirs):
        if got is not None:
            close(got.grad, there.grad, f"scan's d{name}")


check_scan(0, D=True, z=True, bias=True, delta_softplus=True)
check_scan(0, D=False, z=False, bias=False, delta_softplus=False)
check_scan(2, D=True, z=False, bias=True, delta_softplus=True)
print("ok")
