"""Compiled code against the reference interpreter: one entry, one batch.

compare.py MODEL [--entry gradient] [--tokens 129] [--set name=value] ... makes a
random batch, runs `momc run` and `momc interpret` on it, and compares every
output by ||out - ref|| <= rtol * ||ref|| + atol * sqrt(n).
"""
import argparse
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np

TYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}


def write(path, tensors, metadata=None):
    header, offset = {"__metadata__": metadata or {}}, 0
    names = {np.dtype(kind): name for name, kind in TYPES.items()}
    for name, array in tensors.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(array.tobytes())


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    result = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + size + begin:8 + size + end], TYPES[entry["dtype"]])
            result[name] = values.reshape(entry["shape"]).astype(np.float64)
    return result


def documents(random, tokens, lengths):
    """Offsets of documents: given lengths, or random ones with length 1 among them."""
    if lengths:
        return np.cumsum([0] + lengths).astype(np.int64)
    cuts = random.choice(np.arange(1, max(tokens, 2)), size=min(5, max(tokens - 1, 0)), replace=False)
    inner = sorted(set(cuts.tolist() + ([1] if tokens > 1 else [])))
    return np.array([0] + [c for c in inner if c < tokens] + [tokens], np.int64)


def settings_of(rest):
    return [word for at, word in enumerate(rest) if word == "--set" or (at and rest[at - 1] == "--set")]


def inputs_of(arguments, rest):
    """What the model, or the exported layer that is the entry, reads: (name, sizes but the
    rows, type, rows, attributes)."""
    text = subprocess.run(["momc", "emit", arguments.model, "--stage", "grad"] + settings_of(rest), check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    entries = [line for line in re.findall(r"func\.func @.*", text) if "mom.input" in line]
    layer = [line for line in entries if line.startswith(f"func.func @{arguments.entry}.entry(")]
    model = [line for line in entries if ".entry(" not in line]
    quoted = r'(?:[^}"]|"[^"]*")*'
    found = re.findall(r'(?:!mom\.stack<(\d+) x )?tensor<([\dx?]+)x(\w+)(?:, #mom\.rows<(\w+)>)?>>? '
                       r'\{(' + quoted + r'mom\.input = "([^"]+)"' + quoted + r')\}', (layer or model)[0])
    return [(name, tuple(int(size) for size in [rounds, *sizes.split("x")] if size not in ("", "?")), kind,
             rows, attributes) for rounds, sizes, kind, rows, attributes, name in found]


def values(random, shape, kind, attributes):
    if kind == "i32":
        limit = int(re.search(r"mom\.limit = (\d+)", attributes).group(1))
        return random.integers(0, limit, size=shape[0], dtype=np.int32)
    if init := re.search(r"#mom\.init<uniform\((\S+) : f64, (\S+) : f64\)>", attributes):
        return random.uniform(float(init[1]), float(init[2]), size=shape).astype(np.float32)
    draw = random.uniform if '"uniform"' in attributes else random.standard_normal
    return draw(size=shape).astype(np.float32)


def batch(arguments, random, inputs):
    tokens = sum(arguments.lengths) if arguments.lengths else arguments.tokens
    kinds = [int(kind) for kind in arguments.modalities.split(",")]
    spans = random.choice(kinds, size=tokens // 4 + 1)
    tensors = {"id": random.integers(0, arguments.vocabulary, size=tokens, dtype=np.int32),
               "modality": np.repeat(spans, 4)[:tokens].astype(np.uint8),
               "document": documents(random, tokens, arguments.lengths)}
    if not any(name == "id" for name, *_ in inputs):
        del tensors["id"]
    pieces = sum(np.diff(tensors["document"]) > 0)
    if any(rows == "stream" for *_, rows, _ in inputs):
        # Every other document begins with a state and leaves one; a stream may give both.
        states = np.arange(pieces, dtype=np.int32)
        tensors["initial"] = np.where(states % 2 == 0, states // 2, -1).astype(np.int32)
        tensors["final"] = np.where(states % 3 == 0, states // 2, -1).astype(np.int32)
    counts = {"token": tokens, "document": pieces, "stream": max(1, (pieces + 1) // 2)}
    for name, sizes, kind, rows, attributes in inputs:
        if name not in tensors:
            tensors[name] = values(random, (counts[rows],) + sizes if rows else sizes, kind, attributes)
    return tensors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--entry", default="gradient")
    parser.add_argument("--tokens", type=int, default=129)
    parser.add_argument("--lengths", type=int, nargs="*", help="of the documents")
    parser.add_argument("--vocabulary", type=int, default=64)
    parser.add_argument("--modalities", default="0,1,2", help="those that have tokens")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rtol", type=float, default=2e-5)
    parser.add_argument("--atol", type=float, default=1e-7)
    parser.add_argument("--verbose", action="store_true")
    arguments, rest = parser.parse_known_args()
    random = np.random.default_rng(arguments.seed)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "in.safetensors")
        write(inputs, batch(arguments, random, inputs_of(arguments, rest)))
        for verb in ("run", "interpret"):
            options = rest if verb == "run" else settings_of(rest)  # the others are about machine code
            subprocess.run(["momc", verb, arguments.model, "--entry", arguments.entry, "--inputs", inputs,
                            "--outputs", os.path.join(folder, verb)] + options, check=True,
                           stdout=subprocess.DEVNULL)
        got, expected = (read(os.path.join(folder, verb)) for verb in ("run", "interpret"))
    if set(got) != set(expected):
        sys.exit(f"outputs differ: {sorted(set(got) ^ set(expected))}")
    for name, reference in expected.items():
        error = np.linalg.norm(got[name].ravel() - reference.ravel())
        norm = np.linalg.norm(reference)
        limit = arguments.rtol * norm + arguments.atol * np.sqrt(reference.size)
        good = error <= limit  # false for NaN
        bad += not good
        if arguments.verbose or not good:
            print(f"{'ok ' if good else 'BAD'} {name} {reference.shape}: error {error:.3g}, norm {norm:.3g}")
    print(f"{len(expected)} outputs compared, {bad} differ")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
