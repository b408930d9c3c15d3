"""Weights of other programs: reads and writes their safetensors under their names.

    python3 -m momc.weights import hf  MODEL.mom FILE OUT [--set D=64] [--upcycle]
    python3 -m momc.weights export hf  MODEL.mom CHECKPOINT OUT [--set D=64]

`hf` are the names of Hugging Face's Mamba, `official` those of the official
Mixture-of-Mamba block, under whatever names a host gave its layers (--layer, --norm ...).
`--upcycle` starts every modality of a routed weight from the one dense weight.

| momc | hf | official, in a layer |
|---|---|---|
| embed.weight | backbone.embeddings.weight | |
| layers.N.norm.scale | backbone.layers.N.norm.weight | |
| layers.N.P.weight, P = in_proj, x_proj, dt_proj, out_proj | backbone.layers.N.mixer.P.weight | local_experts_P.G.weight, or P.weight if not split |
| layers.N.P.bias | backbone.layers.N.mixer.P.bias | local_experts_P.G.bias, or P.bias |
| layers.N.conv.weight [E, width] | backbone.layers.N.mixer.conv1d.weight [E, 1, width] | conv1d.weight |
| layers.N.conv.bias | backbone.layers.N.mixer.conv1d.bias | conv1d.bias |
| layers.N.A_log, layers.N.skip | backbone.layers.N.mixer.A_log, .D | A_log, D |
| norm.scale | backbone.norm_f.weight | |
| head.weight | lm_head.weight; if there is none, the embedding's | |
"""
from __future__ import annotations

import argparse
import json
import re
import struct
import sys
from dataclasses import dataclass
from typing import Mapping, Optional

import numpy as np

from ._library import Error
from ._program import Program, compile

_TYPES = {"F32": np.float32, "F16": np.float16, "F64": np.float64}


def read_safetensors(path: str) -> dict[str, np.ndarray]:
    """The floating-point tensors of a file, as f32."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in (*_TYPES, "BF16"):
                continue
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "BF16":
                values = (np.frombuffer(data[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(data[begin:end], _TYPES[entry["dtype"]])
            tensors[name] = values.reshape(entry["shape"]).astype(np.float32)
        return tensors
    except (KeyError, TypeError, ValueError, struct.error) as problem:
        raise Error(f"{path}: expected safetensors, but its header is damaged: {problem}") from None


def write_safetensors(path: str, tensors: Mapping[str, np.ndarray]) -> None:
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [offset, offset + 4 * values.size]}
        offset += 4 * values.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, "<f4").tobytes())


@dataclass(frozen=True)
class Names:
    """Where another program keeps its layers; {} stands for the number of one."""
    block: str = "backbone.layers.{}.mixer."
    layer_norm: str = "backbone.layers.{}.norm.weight"
    embedding: str = "backbone.embeddings.weight"
    norm: str = "backbone.norm_f.weight"
    head: str = "lm_head.weight"
    experts: bool = False  # routed weights are `local_experts_P.G`, as the official block's

    def of(self, name: str) -> str:
        """The other program's name of a parameter; of a projection if it is not split."""
        whole = {"embed.weight": self.embedding, "norm.scale": self.norm, "head.weight": self.head}
        if name in whole:
            return whole[name]
        match = re.fullmatch(r"(\w+?)\.(\d+)\.(.+)", name)
        if not match:
            raise Error(f"parameter '{name}' has no name elsewhere: expected embed, norm, head or "
                        "layers.N")
        number, inner = match[2], match[3]
        if inner == "norm.scale":
            return self.layer_norm.replace("{}", number)
        renamed = {"skip": "D", "conv.weight": "conv1d.weight", "conv.bias": "conv1d.bias"}
        return self.block.replace("{}", number) + renamed.get(inner, inner)

    def of_expert(self, name: str, group: int) -> str:
        there = self.of(name)
        return re.sub(r"(\w+)\.(weight|bias)$", rf"local_experts_\1.{group}.\2", there)


HF = Names()
OFFICIAL = Names(block="layers.{}.mamba_model.", layer_norm="layers.{}.norm.weight",
                 embedding="tok_embeddings.weight", norm="norm.weight", head="output.weight",
                 experts=True)


def _is_routed(name: str, shape: tuple[int, ...]) -> bool:
    """Projections have [groups, out, in] and biases [groups, out] where they are routed."""
    return bool(re.search(r"_proj\.(weight|bias)$", name)) and len(shape) == \
        (3 if name.endswith("weight") else 2)


def import_weights(shapes: Mapping[str, tuple[int, ...]], tensors: Mapping[str, np.ndarray],
                   names: Names, upcycle: bool = False) -> dict[str, np.ndarray]:
    """Values for parameters of these shapes from another program's tensors."""
    def get(there: str, name: str) -> np.ndarray:
        if there not in tensors:
            raise Error(f"expected '{there}' for parameter '{name}', but the file has none")
        return tensors[there]

    result = {}
    for name, shape in shapes.items():
        there = names.of(name)
        if name == "head.weight" and there not in tensors:
            there = names.embedding  # tied
        if _is_routed(name, shape):
            if names.experts and names.of_expert(name, 0) in tensors:
                values = np.stack([get(names.of_expert(name, group), name)
                                   for group in range(shape[0])])
            elif upcycle:
                values = np.broadcast_to(get(there, name), shape)
            else:
                raise Error(f"parameter '{name}' has {shape[0]} weights, one for each modality, "
                            f"but '{there}' is one: --upcycle starts each from it")
        else:
            values = get(there, name)
            if name.endswith("conv.weight") and values.ndim == 3:
                values = values[:, 0]
        if values.shape != tuple(shape):
            raise Error(f"expected '{there}' for parameter '{name}' of shape {tuple(shape)}, but "
                        f"got {values.shape}")
        result[name] = values
    return result


def export_weights(values: Mapping[str, np.ndarray], names: Names) -> dict[str, np.ndarray]:
    """Another program's tensors from parameters."""
    result = {}
    for name, value in values.items():
        if not _is_routed(name, value.shape):
            conv = name.endswith("conv.weight")
            result[names.of(name)] = value[:, None] if conv else value
        elif names.experts:
            for group, expert in enumerate(value):
                result[names.of_expert(name, group)] = expert
        else:
            raise Error(f"parameter '{name}' has {value.shape[0]} weights, one for each modality, "
                        "which these names have no place for: export them as official")
    return result


def _program(path: str, settings: list[str]) -> Program:
    return compile(path, entries=["loss"], settings=dict(pair.split("=", 1) for pair in settings))


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m momc.weights",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("direction", choices=["import", "export"])
    parser.add_argument("names", choices=["hf", "official"])
    parser.add_argument("model", help="the .mom file")
    parser.add_argument("source", help="the file to read")
    parser.add_argument("target", help="the file to write")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--upcycle", action="store_true",
                        help="each modality starts from the dense weight")
    for field in ("block", "layer-norm", "embedding", "norm", "head"):
        parser.add_argument(f"--{field}", metavar="NAME", help="where the other program keeps it")
    given = parser.parse_args(arguments)
    base = HF if given.names == "hf" else OFFICIAL
    fields = {field: getattr(given, field) or getattr(base, field)
              for field in ("block", "layer_norm", "embedding", "norm", "head")}
    names = Names(**fields, experts=base.experts)
    try:
        session = _program(given.model, given.set).session()
        if given.direction == "import":
            shapes = session.parameters.shapes
            values = import_weights(shapes, read_safetensors(given.source), names, given.upcycle)
            for name, value in values.items():
                session.parameters[name] = value
            session.save(given.target)
        else:
            session.load(given.source)
            write_safetensors(given.target, export_weights(session.parameters, names))
    except (Error, OSError) as problem:
        print(f"momc: error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
