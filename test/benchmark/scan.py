#!/usr/bin/env python3
"""Times the selective scan on a GPU at the sizes of a list, and checks it.

scan.py [--momc PATH] [--target sm_90a] [--case PATTERN] compiles scan.mom beside it,
runs `momc bench` for each case on random rows, sorted by modality, in bf16, and prints
the milliseconds of the scan's kernels, all their launches together, beside what they
should be. Then `momc run` is compared with `momc interpret`: all gradients in bf16, and
in f32 over a document of 4097 tokens with delta from 1e-3 on.
"""
import argparse
import array
import fnmatch
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scan.mom")
# Streams, their length, channels, states; milliseconds that are wanted.
FORWARD = [(8, 4096, 2048, 16, .36), (8, 4096, 4096, 16, .70), (4, 4096, 2048, 16, .20),
           (1, 4096, 4096, 16, .14), (1, 65536, 4096, 16, 2.4), (8, 4096, 2048, 64, 1.4)]
BACKWARD = [(8, 4096, 2048, 16, 1.2), (8, 4096, 4096, 16, 2.3), (4, 4096, 2048, 16, .65),
            (8, 4096, 2048, 64, 4.0)]


def momc(options, verb, *arguments):
    command = [options.momc, verb, MODEL, *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}: {result.stderr or result.stdout}")
    return result.stdout


def milliseconds(options, entry, streams, length, channels, states):
    """Of the scan among an entry's kernels: of its gradient, if the entry has one."""
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, "bench.json")
        momc(options, "bench", "--target", options.target, "--storage", "bf16", "--entry", entry,
             "--set", f"E={channels}", "--set", f"N={states}", "--streams", str(streams),
             "--length", str(length), "--whole-streams", "--ceilings", options.ceilings,
             "--json", figures)
        with open(figures) as file:
            entry = json.load(file)["entries"][0]
    assert entry["repeated"], "the same batch gave other bits"
    scans = [kernel for kernel in entry["kernels"]
             if kernel["exps"] >= streams * length * channels * states]
    backward = entry["entry"].endswith(".vjp")
    wanted = [kernel for kernel in scans if ("mulf" in kernel["kernel"]) != backward]  # y's gate
    assert len(wanted) == 1, [kernel["kernel"] for kernel in scans]
    return wanted[0]["milliseconds"]


def write(path, tensors):
    """Tensors by name: (type, shape, array.array)."""
    header, offset = {}, 0
    for name, (kind, shape, values) in tensors.items():
        size = len(values) * values.itemsize
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, values in tensors.values():
            file.write(values.tobytes())


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    types = {"F32": "f", "F64": "d"}
    return {name: array.array(types[entry["dtype"]],
                              data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in json.loads(data[8:8 + size]).items() if name != "__metadata__"}


def check(options, storage, lengths, channels, limit):
    tokens, width, states, groups = sum(lengths), 64, 16, 3
    ends = [sum(lengths[:i]) for i in range(len(lengths) + 1)]

    def normals(*shape, scale=1.0):
        return "F32", shape, array.array("f", (random.gauss(0, scale) for _ in range(math.prod(shape))))

    def vector(*shape, values):
        return "F32", shape, array.array("f", values)

    spread = [math.exp(random.uniform(math.log(1e-3), 0)) for _ in range(channels)]  # of delta
    tensors = {
        "x": normals(tokens, width), "dy": normals(tokens, width),
        "in_proj.weight": normals(groups, 3 * channels, width, scale=.1),
        "x_proj.weight": normals(groups, 2 * states, width, scale=.1),
        "out_proj.weight": normals(groups, width, channels, scale=.1),
        "A_log": vector(channels, states, values=[math.log(n + 1) for n in range(states)] * channels),
        "skip": normals(channels),
        "rate": vector(channels, values=[math.log(math.expm1(delta)) for delta in spread]),
        "modality": ("U8", [tokens], array.array("B", random.choices(range(groups), k=tokens))),
        "document": ("I64", [len(ends)], array.array("q", ends))}
    with tempfile.TemporaryDirectory() as folder:
        batch = os.path.join(folder, "in")
        write(batch, tensors)
        common = ("--entry", "sequence.vjp", "--inputs", batch, "--seed", "3", "--set", f"E={channels}")
        got, wanted = os.path.join(folder, "got"), os.path.join(folder, "wanted")
        momc(options, "run", *common, "--target", options.target, "--storage", storage, "--outputs", got)
        momc(options, "interpret", *common, "--outputs", wanted)
        got, wanted = read(got), read(wanted)
    worst = 0
    for name, reference in wanted.items():
        norm = math.sqrt(sum(x * x for x in reference))
        error = math.sqrt(sum((x - y) ** 2 for x, y in zip(got[name], reference, strict=True))) / norm
        worst = max(worst, error if error == error else math.inf)
    print(f"{storage} rows, {lengths} tokens, {len(wanted)} results: relative error {worst:.1e}, "
          f"at most {limit:.0e}{'' if worst <= limit else '  TOO LARGE'}")
    return worst <= limit


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--momc", default="momc")
    parser.add_argument("--target", default="sm_90a")
    parser.add_argument("--case", default="*", help="pattern of the cases' names")
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".json") as ceilings:
        json.dump({"copy": 1, "product": 1, "exps": 1}, ceilings)
        ceilings.flush()
        options.ceilings = ceilings.name
        for entry, cases in (("sequence", FORWARD), ("sequence.vjp", BACKWARD)):
            for streams, length, channels, states, wanted in cases:
                direction = "backward" if entry.endswith(".vjp") else "forward"
                name = f"{direction} {streams}x{length}x{channels} N={states}"
                if fnmatch.fnmatch(name, options.case):
                    got = milliseconds(options, entry, streams, length, channels, states)
                    print(f"{name:32} {got:8.3f} ms, wanted {wanted:5.2f}", flush=True)
    random.seed(5)
    good = [check(options, "bf16", [130, 1, 77], 96, 2e-2), check(options, "f32", [4097], 16, 1e-5)]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
