"""Mixture-of-Mamba layers and the selective scan for PyTorch, compiled by momc.

`MixtureOfMamba` has the constructor, the parameters and the calling convention of the
official block, and `selective_scan_fn` the signature of mamba_ssm's. Both are opaque ops:
torch.compile does not look inside, and on a GPU they launch kernels on the current stream
and wait for nothing, so that a CUDA graph may capture them once they have run.

On a GPU rows and weights of products cross into a program in the type of `hidden_states` (of
`u`): f32, bf16 or f16. Small parameters are f32 throughout.
"""
from __future__ import annotations

import math
import threading
from typing import Any, List, Optional, Sequence

import torch
from torch import Tensor, nn

from . import _library as lib
from ._program import Program, compile
from ._tensor import View

CACHE: Optional[str] = "~/.cache/momc"
"""Folder of compiled programs, or None."""


_TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def _storage(dtype: torch.dtype) -> str:
    name = {torch.bfloat16: "bf16", torch.float16: "f16"}.get(dtype)
    return f"{name} (interface {name})" if name else "f32"


class _Runner:
    """A layer's program on a device, with one session that calls take turns at."""

    def __init__(self, layer: "Layer", device: torch.device) -> None:
        self.layer = layer
        cuda = device.type == "cuda"
        target = "cpu"
        if cuda:
            major, minor = torch.cuda.get_device_capability(device)
            target = f"sm_{major}{minor}" + ("a" if major == 9 else "")
        self.program = compile(layer.text, target=target, name=f"{layer.name}.mom",
                               storage=layer.storage if cuda else "auto", cache=CACHE)
        self.device, self.cuda = device, cuda
        self.session = self.program.session(
            device=device.index or 0,
            stream=torch.cuda.current_stream(device).cuda_stream if cuda else None)
        self.lock = threading.Lock()
        self.shape: Any = None
        self.inputs, self.outputs = ({entry: list(getattr(self.program.entries[entry], kind).values())
                                      for entry in (layer.name, layer.name + ".vjp")}
                                     for kind in ("inputs", "outputs"))

    def run(self, entry: str, inputs: dict[str, Tensor], lengths: Sequence[int],
            modality: Tensor) -> dict[str, Tensor]:
        """Lends the inputs and new tensors for the outputs; rows of `lengths` documents."""
        with self.lock:
            session = self.session
            if self.cuda:
                session.set_stream(torch.cuda.current_stream(self.device).cuda_stream)
            memory = self._place(lengths)
            if self.layer.routed:
                session.set_modality(modality)
            held = {value.name: self._aligned(inputs[value.name].detach(), _TYPES[value.type])
                    for value in self.inputs[entry]}
            for name, tensor in held.items():
                session.bind(name, tensor)
            results = {}
            for value in self.outputs[entry]:
                if value.name == "y" and entry != self.layer.name:
                    continue  # the forward pass has returned it
                rows = (sum(lengths),) if value.kind == "rows" else ()
                results[value.name] = torch.empty(rows + (value.channels,), device=self.device,
                                                  dtype=_TYPES[value.type])
                session.bind_output(entry, value.kind, value.name, results[value.name])
            session.enqueue(entry)
            del memory
            # What is lent is the session's until its work is done; on a GPU that is so for
            # whatever follows on this stream, and PyTorch hands memory on in that order.
            session._loans.clear()
            return results

    def result_type(self, entry: str, name: str) -> torch.dtype:
        return next(_TYPES[value.type] for value in self.outputs[entry] if value.name == name)

    def _aligned(self, tensor: Tensor, dtype: torch.dtype) -> Tensor:
        tensor = tensor.to(dtype).contiguous()
        return tensor.clone() if self.cuda and tensor.data_ptr() % 16 else tensor

    def _place(self, lengths: Sequence[int]) -> Tensor:
        """Memory for activations from PyTorch's allocator; the batch is described to the
        session when its shape changes, which is when the host copies something."""
        if self.shape != tuple(lengths):
            held = []

            def workspace(size: int) -> Tensor:
                held.append(torch.empty(size + 64, dtype=torch.uint8, device=self.device))
                self.size = size
                return self._at_64(held[0], size)

            self.shape = None  # until it fits
            self.session.set_batch(list(lengths), workspace=workspace)
            self.shape = tuple(lengths)
            return held[0]
        memory = torch.empty(self.size + 64, dtype=torch.uint8, device=self.device)
        self.session.set_workspace(self._at_64(memory, self.size))
        return memory

    @staticmethod
    def _at_64(memory: Tensor, size: int) -> Tensor:
        offset = -memory.data_ptr() % 64
        return memory[offset:offset + size]


class Layer:
    """A layer of a model's text as the op `momc::layer(number, tensors, modality, lengths)`,
    differentiable in its tensors: rows [tokens, channels] of the arguments that `rows` names,
    then the weights. `modality` is i32[tokens] on their device, `lengths` are those of the
    documents; `routed` says whether any weight goes by modality."""

    def __init__(self, text: str, name: str, rows: Sequence[str], weights: Sequence[str],
                 storage: str = "auto", routed: bool = True) -> None:
        self.text, self.name, self.storage, self.routed = text, name, storage, routed
        self.rows, self.weights = list(rows), list(weights)
        self._runners: dict[torch.device, _Runner] = {}
        self._lock = threading.Lock()
        with _layers_lock:
            self.number = len(_layers)
            _layers.append(self)

    def runner(self, device: torch.device) -> _Runner:
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", torch.cuda.current_device())
        with self._lock:
            if device not in self._runners:
                self._runners[device] = _Runner(self, device)
            return self._runners[device]


_layers: list[Layer] = []
_layers_lock = threading.Lock()


def _inputs(layer: Layer, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
    return dict(zip(layer.rows + layer.weights, tensors))


# `List`: PyTorch 2.6 does not know `list` in the types of an operation.
@torch.library.custom_op("momc::layer", mutates_args=())
def _layer(number: int, tensors: List[Tensor], modality: Tensor, lengths: List[int]) -> Tensor:
    layer = _layers[number]
    results = layer.runner(modality.device).run(layer.name, _inputs(layer, tensors), lengths,
                                                modality)
    return results["y"]


@_layer.register_fake
def _(number: int, tensors: List[Tensor], modality: Tensor, lengths: List[int]) -> Tensor:
    layer = _layers[number]
    runner = layer.runner(modality.device)
    return tensors[0].new_empty((modality.shape[0], runner.outputs[layer.name][0].channels),
                                dtype=runner.result_type(layer.name, "y"))


@torch.library.custom_op("momc::layer_vjp", mutates_args=())
def _layer_vjp(number: int, tensors: List[Tensor], modality: Tensor, lengths: List[int],
               gradient: Tensor) -> List[Tensor]:
    layer = _layers[number]
    inputs = _inputs(layer, tensors)
    results = layer.runner(modality.device).run(layer.name + ".vjp", {**inputs, "dy": gradient},
                                                lengths, modality)
    return [results["d" + name].view(tensor.shape) for name, tensor in inputs.items()]


@_layer_vjp.register_fake
def _(number: int, tensors: List[Tensor], modality: Tensor, lengths: List[int],
      gradient: Tensor) -> List[Tensor]:
    layer = _layers[number]
    runner = layer.runner(modality.device)
    return [torch.empty_like(tensor, dtype=runner.result_type(layer.name + ".vjp", "d" + name),
                             memory_format=torch.contiguous_format)
            for name, tensor in _inputs(layer, tensors).items()]


def _setup(ctx: Any, inputs: Any, output: Tensor) -> None:
    number, tensors, modality, lengths = inputs
    ctx.number, ctx.lengths = number, lengths
    ctx.save_for_backward(modality, *tensors)


def _backward(ctx: Any, gradient: Tensor) -> Any:
    modality, *tensors = ctx.saved_tensors
    gradients = torch.ops.momc.layer_vjp(ctx.number, tensors, modality, ctx.lengths,
                                         gradient.contiguous())
    return None, [g.to(t.dtype) for g, t in zip(gradients, tensors)], None, None


_layer.register_autograd(_backward, setup_context=_setup)


def modality_of(masks: Sequence[Tensor]) -> Tensor:
    """i32[tokens] from one boolean mask [tokens] a modality. A token in several masks is of
    the first; one in none is of no modality, which kernels report as an index out of range."""
    modality = torch.full(masks[0].shape, -1, dtype=torch.int32, device=masks[0].device)
    for number in reversed(range(len(masks))):
        modality = modality.masked_fill(masks[number], number)
    return modality.reshape(-1)


# The layers of one shape are one program.
_layers_of: dict[Any, Layer] = {}


def _layer_of(key: Any, make: Any) -> Layer:
    with _layers_lock:
        found = _layers_of.get(key)
    if found is None:
        found = make()
        with _layers_lock:
            found = _layers_of.setdefault(key, found)
    return found


def _block_text(modalities: int, d_model: int, d_inner: int, d_state: int, d_conv: int,
                dt_rank: int, split: tuple[bool, ...], conv_bias: bool, bias: bool,
                dt_bias: bool) -> str:
    names = ", ".join(f"m{number}" for number in range(modalities))
    bracket = ["[M]" if one else "" for one in split]
    add = ", bias: zeros" if bias else ""
    return f"""modality M {{ {names} }}
const D = {d_model}, E = {d_inner}, N = {d_state}, R = {dt_rank}
batch {{ token by M {{ _id: index[1] }} }}
layer block(x: token[D]) -> token[D] {{
  part in_proj = linear{bracket[0]}(D -> E, E{add})
  part conv = conv1d(E, width: {d_conv}{', bias: zeros' if conv_bias else ''})
  part x_proj = linear{bracket[1]}(E -> R, N, N)
  part dt_proj = linear{bracket[2]}(R -> E{', bias: zeros' if dt_bias else ''})
  part out_proj = linear{bracket[3]}(E -> D{add})
  weight A_log: f32[E, N] = log(iota(1..N)), skip: f32[E] = 1
  a, z = in_proj(x)
  u = silu(conv(a))
  r, B, C = x_proj(u)
  h = scan(u, softplus(dt_proj(r)), -exp(A_log), B, C)
  return out_proj((h + skip*u) * silu(z))
}}
export block
"""


class MixtureOfMamba(nn.Module):
    """The official block (github.com/Weixin-Liang/Mixture-of-Mamba): the same arguments,
    parameters under the same names, and `forward(hidden_states, modality_masks)`.

    `args` has `n_modalities` and, optionally, `do_not_split_in_proj` and its kin. Where the
    official code drops the bias of a dt_proj that is not split, this adds it;
    `reference_dt_bias=True` drops it as well. Without masks all tokens are of the first
    modality. Decoding (`inference_params`) is not supported."""

    def __init__(self, args: Any, d_model: int, d_state: int = 16, d_conv: int = 4,
                 expand: float = 2, dt_rank: Any = "auto", dt_min: float = 0.001,
                 dt_max: float = 0.1, dt_init: str = "random", dt_scale: float = 1.0,
                 dt_init_floor: float = 1e-4, conv_bias: bool = True, bias: bool = False,
                 use_fast_path: bool = True, layer_idx: Optional[int] = None,
                 device: Any = None, dtype: Any = None, *,
                 reference_dt_bias: bool = False) -> None:
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        self.args, self.n_modalities = args, args.n_modalities
        self.d_model, self.d_state, self.d_conv, self.expand = d_model, d_state, d_conv, expand
        self.d_inner = int(expand * d_model)
        self.dt_rank = math.ceil(d_model / 16) if dt_rank == "auto" else dt_rank
        self.use_fast_path, self.layer_idx = use_fast_path, layer_idx
        self.reference_dt_bias = reference_dt_bias

        sizes = {"in_proj": (d_model, 2 * self.d_inner, bias),
                 "x_proj": (self.d_inner, self.dt_rank + 2 * d_state, False),
                 "dt_proj": (self.dt_rank, self.d_inner, True),
                 "out_proj": (self.d_inner, d_model, bias)}
        self._split = tuple(not getattr(args, f"do_not_split_{name}", False) for name in sizes)
        for (name, (inner, outer, has_bias)), split in zip(sizes.items(), self._split):
            experts = [nn.Linear(inner, outer, bias=has_bias, **factory)
                       for _ in range(self.n_modalities if split else 1)]
            if split:
                setattr(self, f"local_experts_{name}", nn.ModuleList(experts))
            else:
                setattr(self, name, experts[0])
        self.conv1d = nn.Conv1d(self.d_inner, self.d_inner, d_conv, groups=self.d_inner,
                                padding=d_conv - 1, bias=conv_bias, **factory)
        for linear in self._linears("dt_proj"):
            _initialise_dt(linear, self.dt_rank, dt_min, dt_max, dt_init, dt_scale, dt_init_floor)
        states = torch.arange(1, d_state + 1, dtype=torch.float32, device=device)
        self.A_log = nn.Parameter(torch.log(states).repeat(self.d_inner, 1))
        self.A_log._no_weight_decay = True
        self.D = nn.Parameter(torch.ones(self.d_inner, device=device))
        self.D._no_weight_decay = True

    def forward(self, hidden_states: Tensor, modality_masks: Any = None,
                inference_params: Any = None) -> Tensor:
        """hidden_states: (B, L, D); modality_masks[i]: bool, B*L elements. Returns (B, L, D)."""
        if inference_params is not None:
            raise NotImplementedError("the block has no decoding: inference_params must be None")
        batch, length, _ = hidden_states.shape
        if modality_masks is None:
            modality = torch.zeros(batch * length, dtype=torch.int32, device=hidden_states.device)
        else:
            modality = modality_of([modality_masks[i].reshape(-1)
                                    for i in range(self.n_modalities)])
        tensors = [hidden_states.reshape(batch * length, self.d_model)] + self._weights()
        y = torch.ops.momc.layer(self._number(hidden_states), tensors, modality,
                                 [length] * batch)
        return y.view(batch, length, self.d_model).to(hidden_states.dtype)

    def _number(self, hidden_states: Tensor) -> int:
        has_bias = self._linears("in_proj")[0].bias is not None
        conv_bias = self.conv1d.bias is not None
        dt_bias = self._split[2] or not self.reference_dt_bias
        storage = _storage(hidden_states.dtype)
        shape = (self.n_modalities, self.d_model, self.d_inner, self.d_state, self.d_conv,
                 self.dt_rank, self._split, conv_bias, has_bias, dt_bias)
        return _block_number(shape, storage, tuple(self._weight_names()))

    def _linears(self, name: str) -> Sequence[nn.Linear]:
        experts = getattr(self, f"local_experts_{name}", None)
        return [getattr(self, name)] if experts is None else experts

    def _named_weights(self) -> list[tuple[str, Tensor]]:
        named: list[tuple[str, Tensor]] = []
        for name in ("in_proj", "conv", "x_proj", "dt_proj", "out_proj"):
            if name == "conv":
                named.append(("conv.weight", self.conv1d.weight.squeeze(1)))
                if self.conv1d.bias is not None:
                    named.append(("conv.bias", self.conv1d.bias))
                continue
            linears = self._linears(name)
            together = torch.stack if len(linears) > 1 else lambda one: one[0]
            named.append((f"{name}.weight", together([one.weight for one in linears])))
            dropped = name == "dt_proj" and self.reference_dt_bias and not self._split[2]
            if linears[0].bias is not None and not dropped:
                named.append((f"{name}.bias", together([one.bias for one in linears])))
        return named + [("A_log", self.A_log), ("skip", self.D)]

    def _weights(self) -> list[Tensor]:
        return [weight for _, weight in self._named_weights()]

    def _weight_names(self) -> list[str]:
        return [name for name, _ in self._named_weights()]


@torch.compiler.assume_constant_result
def _block_number(shape: tuple, storage: str, weights: tuple[str, ...]) -> int:
    return _layer_of(("block", storage) + shape, lambda: Layer(
        _block_text(*shape), "block", ["x"], weights, storage, any(shape[6]))).number


def _initialise_dt(linear: nn.Linear, dt_rank: int, dt_min: float, dt_max: float, dt_init: str,
                   dt_scale: float, dt_init_floor: float) -> None:
    """softplus(bias) is log-uniform in [dt_min, dt_max]."""
    deviation = dt_rank ** -0.5 * dt_scale
    if dt_init == "constant":
        nn.init.constant_(linear.weight, deviation)
    elif dt_init == "random":
        nn.init.uniform_(linear.weight, -deviation, deviation)
    else:
        raise NotImplementedError(f"expected dt_init constant or random, but got {dt_init}")
    dt = torch.exp(torch.rand_like(linear.bias) * (math.log(dt_max) - math.log(dt_min))
                   + math.log(dt_min)).clamp(min=dt_init_floor)
    with torch.no_grad():
        linear.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
    linear.bias._no_reinit = True


def _scan_text(channels: int, states: int, softplus: bool, bias: bool, skip: bool,
               gate: bool) -> str:
    delta = "delta + delta_bias" if bias else "delta"
    delta = f"softplus({delta})" if softplus else delta
    weights = ["A: f32[E, N] = -1.0"] + ["D: f32[E] = 1"] * skip + ["delta_bias: f32[E] = 0"] * bias
    return f"""const E = {channels}, N = {states}
layer selective_scan(u: token[E], delta: token[E]{', z: token[E]' if gate else ''}, B: token[N], C: token[N]) -> token[E] {{
  weight {', '.join(weights)}
  h = scan(u, {delta}, A, B, C)
  return {'(h + D*u)' if skip else 'h'}{' * silu(z)' if gate else ''}
}}
export selective_scan
"""


@torch.compiler.assume_constant_result
def _scan_number(shape: tuple, storage: str) -> int:
    bias, skip, gate = shape[3:]
    return _layer_of(("scan", storage) + shape, lambda: Layer(
        _scan_text(*shape), "selective_scan", ["u", "delta"] + ["z"] * gate + ["B", "C"],
        ["A"] + ["D"] * skip + ["delta_bias"] * bias, storage, routed=False)).number


def selective_scan_fn(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                      D: Optional[Tensor] = None, z: Optional[Tensor] = None,
                      delta_bias: Optional[Tensor] = None, delta_softplus: bool = False,
                      return_last_state: bool = False) -> Any:
    """mamba_ssm's: u, delta, z are (B, D, L), A is (D, N), B and C are (B, N, L) or, for G
    groups of channels, (B, G, N, L). The gradient of the last state (B, D, N) is not
    considered, as there. Real A and B, C that vary along the sequence only."""
    if A.is_complex() or B.dim() < 3 or C.dim() < 3:
        raise NotImplementedError("expected a real A, and B and C that vary along the sequence, "
                                  f"but got A {A.dtype}, B {tuple(B.shape)}, C {tuple(C.shape)}")
    batch, channels, length = u.shape
    groups = B.shape[1] if B.dim() == 4 else 1
    if groups > 1:
        parts = [selective_scan_fn(*(t if t is None else t[:, s] for t in (u, delta)), A[s],
                                   B[:, g], C[:, g if C.dim() == 4 else ...],
                                   D if D is None else D[s], z if z is None else z[:, s],
                                   delta_bias if delta_bias is None else delta_bias[s],
                                   delta_softplus, return_last_state)
                 for g, s in enumerate(slice(g * channels // groups, (g + 1) * channels // groups)
                                       for g in range(groups))]
        if return_last_state:
            return tuple(torch.cat(part, 1) for part in zip(*parts))
        return torch.cat(parts, 1)
    B, C = (t.squeeze(1) if t.dim() == 4 else t for t in (B, C))
    shape = (channels, A.shape[1], delta_softplus, delta_bias is not None, D is not None,
             z is not None)
    storage = _storage(u.dtype)
    rows = [t.transpose(1, 2).reshape(batch * length, -1)
            for t in (u, delta, z, B, C) if t is not None]
    weights = [t for t in (A, D, delta_bias) if t is not None]
    modality = torch.zeros(batch * length, dtype=torch.int32, device=u.device)
    y = torch.ops.momc.layer(_scan_number(shape, storage), rows + weights, modality,
                             [length] * batch)
    out = y.view(batch, length, channels).transpose(1, 2).to(u.dtype)
    if not return_last_state:
        return out
    with torch.no_grad():
        return out, _last_state(u, delta, A, B, delta_bias, delta_softplus)


def _last_state(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, delta_bias: Optional[Tensor],
                delta_softplus: bool) -> Tensor:
    """sum_t exp(A sum_{s>t} delta_s) delta_t u_t B_t, a piece of the sequence at a time."""
    delta = delta.float() + (0 if delta_bias is None else delta_bias.float()[:, None])
    delta = torch.nn.functional.softplus(delta) if delta_softplus else delta
    later = delta.flip(2).cumsum(2).flip(2) - delta  # [B, D, L]
    state = torch.zeros(u.shape[0], u.shape[1], A.shape[1], device=u.device)
    for first in range(0, u.shape[2], 64):
        piece = slice(first, first + 64)
        decay = torch.exp(later[:, :, piece, None] * A.float()[:, None])  # [B, D, piece, N]
        state += torch.einsum("bdtn,bdt,bnt->bdn", decay, delta[:, :, piece]
                              * u[:, :, piece].float(), B[:, :, piece].float())
    return state
