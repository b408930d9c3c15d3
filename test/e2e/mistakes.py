"""Command lines with a mistake: each gives one error that names it, and exit status 1.
Then files of inputs: what has another shape, or is not there. mistakes.py FOLDER"""
import os
import re
import stat
import subprocess
import sys

import numpy as np

folder = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from compare import read, write  # noqa: E402

LINEAR = os.path.abspath(os.path.join(here, "../../examples/linear.mom"))
BLOCK = os.path.abspath(os.path.join(here, "../../examples/mixture-of-mamba.mom"))
SMALL = ("--set", "D=16", "--set", "depth=1")
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
bad = 0


def momc(*arguments):
    done = subprocess.run(["momc", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


def expect(arguments, *parts, status=1):
    """One error if it fails, with these parts; else they are in either text."""
    global bad
    code, out, err = momc(*arguments)
    text = err if status else out + err
    errors = [line for line in err.splitlines() if "error: " in line or " option: " in line]
    if code == status and len(errors) == (status != 0) and all(part in text for part in parts):
        return out
    bad += 1
    print(f"momc {' '.join(arguments)}: expected status {status} and {parts}, but got status {code} and:\n{out}{err}")
    return out


# Options that a verb has no use for.
for verb, options in {"emit": ("--inputs=a", "--outputs=a", "--seed=2", "--json=a"),
                      "run": ("-o=a", "--stage=mom", "--steps=3"),
                      "interpret": ("-o=a", "--stage=mom", "--target=sm_90a", "--cache=c", "--cpu-threads=1"),
                      "bench": ("-o=a", "--top=3"), "profile": ("--json=a", "--kernel=a"),
                      "gradcheck": ("--checkpoint=a", "--cache=c", "--fuse=0"),
                      "eval": ("--steps=3", "--resume", "--out=a", "--eval-every=3", "--save-every=3", "--seed=3"),
                      "schedule": ("--stage=mom", "--inputs=a", "--outputs=a", "--strict-kernels"),
                      "compile": ("--stage=mom",), "check": ("--entry=loss", "-o=a", "--strict-kernels"),
                      "fmt": ("--set=D=3", "--json=a"), "generate": ("--inputs=a", "--steps=3")}.items():
    shown = momc(verb, "--help")[1]
    for option in options:
        name = re.match("-+[a-z-]+", option).group(0)
        expect((verb, LINEAR, option), f"`momc {verb}` has no option {name}\n")
        if re.search(rf"^ +{name}\b(?!-)", shown, re.M):
            bad += 1
            print(f"momc {verb} --help shows {name}")

# Combinations of which one part would do nothing.
expect(("emit", LINEAR, "--entry", "loss"), "--entry chooses what stage split keeps, but --stage is mom")
expect(("emit", LINEAR, "--entry", "foo", "--stage", "split"), "no entry 'foo', only loss")
table = expect(("emit", BLOCK, *SMALL, "--entry", "next", "--stage", "split"), "mom.entry = \"next\"", status=0)
if 'mom.entry = "gradient"' in table:
    bad += 1
    print("emit --entry next keeps the gradient")
expect(("emit", LINEAR, "--stage", "split", "-o", "split.mlir"), status=0)
expect(("emit", "split.mlir", "--start-from", "split", "--stage", "fused", "--entry", "loss"), "the input is of stage split")
expect(("emit", "split.mlir", "--start-from", "split", "--stage", "fused", "--set", "D=3"), "--set D=3", "split.mlir is IR")
expect(("schedule", LINEAR, "--ceilings", "c.json"), "--explain")
expect(("fmt", LINEAR, "--check", "-o", "x"), "--check", "-o")
expect(("check", LINEAR, "--json", "--verify-diagnostics"), "--json", "--verify-diagnostics")
expect(("run", LINEAR, "--inputs", "in", "--entry", "loss", "--entry", "gradient"), "expected one --entry, but got loss and gradient")
expect(("run", LINEAR, "--inputs", "in", "--cache", "c", "--dump-stages", "d"), "--dump-stages", "--cache")
expect(("compile", LINEAR, "-o", "m.o", "--header", "./m.o"), "two are m.o")
expect(("compile", LINEAR, "--shared", "-"), "--shared FILE.so")
expect(("run", LINEAR, "--inputs", "in", "--outputs", "-"), "--outputs FILE")
expect(("generate", LINEAR, "--prompts", "in", "-o", "-"), "-o FILE")
if os.path.exists("m.o") or os.path.exists("-"):
    bad += 1
    print("a file was written by a command that failed")

# Numbers out of range, and names of nothing.
for verb, option, value, expected in (
        ("interpret", "scan-checkpoint", "-4", "0 or more"), ("run", "scan-checkpoint", "-4", "0 or more"),
        ("generate", "prefix", "-1", "0 or more"), ("generate", "documents", "-1", "0 or more"),
        ("check", "fuse", "9", "0 to 2"), ("check", "recompute", "9", "0 to 3"), ("check", "recompute", "-1", "0 to 3"),
        ("train", "save-every", "-3", "0 or more"), ("train", "eval-every", "-3", "0 or more"),
        ("train", "steps", "0", "1 or more"), ("train", "steps", "many", "1 or more"), ("bench", "repeats", "0", "1 to 1000000")):
    expect((verb, LINEAR, f"--{option}={value}"), f"--{option}", f"expected {expected}, but got {value}")
expect(("gradcheck", LINEAR, "--tolerance", "-1"), "--tolerance 0 or more")
expect(("check", LINEAR, "--cpu", "banana"), "--cpu", "banana")
expect(("check", LINEAR, "--storage", "banana"), "--storage", "banana")
expect(("check", LINEAR, "--memory", "banana"), "--memory", "banana")
for line, text in (("bf16 (wieghts f32)", "but got 'wieghts'"), ("bf16 (weights f31)", "expected types f32, bf16 and f16")):
    expect(("emit", LINEAR, "--stage", "stored", "--storage", line), text, line)
expect(("check", LINEAR, "extra.mom"), "expected one model, but got", "extra.mom")
expect(("check", "--json", "messages.json", LINEAR), "expected one model, but got messages.json", "--json=FILE")
expect(("check",), "expected a model")

# Help, versions, messages as JSON.
for word in ("--help", "-h", "help"):
    expect((word,), "usage: momc VERB MODEL", status=0)
for words in (("--version",), ("train", "--version")):
    expect(words, "momc 0.", ", with LLVM 22", status=0)
expect(("check", LINEAR, "--json"), '{"messages":[]}', status=0)
expect(("check", "--json=messages.json", LINEAR), status=0)
if open("messages.json").read() != '{"messages":[]}\n':
    bad += 1
    print("check --json=FILE writes something else")
if momc("train", LINEAR, "--stepz", "5")[2].count("\n") > 2:
    bad += 1
    print("a misspelt option is more than one mistake")

# fmt in place: through a link, with the file's mode.
open("real.mom", "w").write("const   A = 1\n")
os.chmod("real.mom", 0o750)
os.symlink("real.mom", "link.mom")
expect(("fmt", "link.mom"), status=0)
if not os.path.islink("link.mom") or open("real.mom").read() != "const A = 1\n" or \
        stat.S_IMODE(os.stat("real.mom").st_mode) != 0o750:
    bad += 1
    print("fmt replaces a link, or changes the file's mode")

# Inputs of a layer, whose weights have the right number of elements but another shape.
open("layer.mom", "w").write("""
modality M { a, b }
batch { token by M { id: index[4] } }
layer f(x: token[2]) -> token[4] { part a = linear(2 -> 4); return a(x) }
export f
""")
random = np.random.default_rng(3)


def draw(*shape):
    return random.standard_normal(shape).astype(np.float32)


x, weight, dy = draw(5, 2), draw(4, 2), draw(5, 4)
wrong = {"a weight that is transposed": ({"x": x, "a.weight": draw(2, 4)}, "'a.weight' of shape [4, 2], but got [2, 4]"),
         "a weight that is flat": ({"x": x, "a.weight": draw(8)}, "'a.weight' of shape [4, 2], but got [8]"),
         "rows that are too wide": ({"x": draw(5, 3), "a.weight": weight}, "'x' of shape [5, 2], but got [5, 3]"),
         "no weight": ({"x": x}, "an input 'a.weight'")}
for what, (tensors, text) in wrong.items():
    write("in", {"modality": np.zeros(5, np.uint8), **tensors})
    for verb in ("run", "interpret"):
        expect((verb, "layer.mom", "--entry", "f", "--inputs", "in"), f"in: expected ", text)
for document, text in (([0, 3], "offset 1 is 3"), ([1, 5], "offset 0 is 1"), ([0, 4, 2, 5], "offset 2 is 2"), ([0, -5], "offset 1 is -5"),
                       ([], "it is empty")):
    write("in", {"x": x, "a.weight": weight, "document": np.array(document, np.int64), "modality": np.zeros(5, np.uint8)})
    for verb in ("run", "interpret"):
        expect((verb, "layer.mom", "--entry", "f", "--inputs", "in"), "in: expected 'document' to hold offsets", text)
write("in", {"x": x, "a.weight": weight, "modality": np.array([0, 1, 2, 0, 0], np.uint8)})
for verb in ("run", "interpret"):
    expect((verb, "layer.mom", "--entry", "f", "--inputs", "in"), "in: expected a modality below 2, but token 2 has 2")
write("in", {"x": x, "a.weight": weight, "a.bias": draw(4), "dy": dy, "d0": dy})
for verb in ("run", "interpret"):
    for entry in ("f", "f.vjp"):
        expect((verb, "layer.mom", "--entry", entry, "--inputs", "in", "--outputs", f"{verb}.{entry}"),
               "warning: in has no 'modality': all tokens have the first", status=0)
for entry in ("f", "f.vjp"):
    got, wanted = (read(f"{verb}.{entry}") for verb in ("run", "interpret"))
    shapes = [{name: value.shape for name, value in tensors.items()} for tensors in (got, wanted)]
    if shapes[0] != shapes[1]:
        bad += 1
        print(f"{entry}: run writes {shapes[0]}, interpret {shapes[1]}")

# Entries: all digits of what they print; those of sequences; those that no file has inputs for.
write("in", {"id": random.integers(0, 64, 40).astype(np.int32), "modality": np.zeros(40, np.uint8)})
both = [expect((verb, BLOCK, *SMALL, "--inputs", "in"), "loss.lm: ", "--seed 1", status=0) for verb in ("run", "interpret")]
losses = [float(re.search(r"loss.lm: (\d\.\d{6,8})", text).group(1)) for text in both]
if abs(losses[0] - losses[1]) > 1e-5:
    bad += 1
    print(f"losses differ: {losses}")
for verb in ("run", "interpret"):
    expect((verb, BLOCK, *SMALL, "--inputs", "in", "--seed", "2", "--entry", "next", "--outputs", f"{verb}.next"), status=0)
    expect((verb, BLOCK, *SMALL, "--inputs", "in", "--entry", "update"), "the entry 'update'", "gradients, moments", "such as gradient")
    expect((verb, BLOCK, *SMALL, "--inputs", "in", "--entry", "mama"), "no entry 'mama', only loss")
got, wanted = read("run.next"), read("interpret.next")
if set(got) != set(wanted) or any(np.abs(got[name] - wanted[name]).max() > 1e-4 for name in wanted):
    bad += 1
    print(f"next: run gives {sorted(got)}, interpret {sorted(wanted)}, or other values")
expect(("run", LINEAR, "--inputs", "in", "--cache", "/proc/nope"), "warning: --cache /proc/nope keeps no programs", status=0)

# Measures: those without groups are shown, too; what is counted has its name; no row is no mean.
open("measures.mom", "w").write("""
modality M { a, b }
batch { token by M { id: index[4] } }
model measures(t: token) {
  part embed = embedding(4, 2), head = linear(2 -> 4)
  target = next(t.id)
  nll = cross_entropy(head(embed(t.id)), target)
  loss lm = mean(nll)
  loss never = mean(nll where modality(target) == b)
  metric plain = mean(nll)
  metric each = mean(nll) by modality(target)
  metric whole = mean(sum(pool(embed(t.id))))
}
train measures { minimize lm; batch 1 by 16; adamw(rate: 1e-2) }
""")
write("tokens", {"id": random.integers(0, 4, 30).astype(np.int32), "modality": np.zeros(30, np.uint8),
                 "document": np.array([0, 10, 30], np.int64)},
      {"format": "momc tokens", "version": "1", "modalities": "a,b", "vocabulary": "4"})
for status, steps in ((0, "1"), (1, "2")):
    expect(("train", "measures.mom", "--data", "tokens", "--steps", steps, "--out", "run"),
           *(("already holds a run",) if status else (" plain ", " each a ", " whole ")), status=status)
shown = expect(("eval", "measures.mom", "--data", "tokens", "--checkpoint", "run"), "lm  ", status=0)
with open("measures.mom") as file, open("batchless.mom", "w") as copy:
    copy.write(re.sub("train [^}]*}", "", file.read()))
expect(("eval", "batchless.mom", "--data", "tokens", "--checkpoint", "run"), "no train section: there is no size of a batch")
for line in ("never +none +[(]0 tokens[)]", "plain +1.[0-9]+ +[(]27 tokens[)]", "each a +1.[0-9]+ +[(]27 tokens[)]",
             "each b +none +[(]0 tokens[)]", "whole +-?0.[0-9]+ +[(][23] documents[)]"):
    if not re.search(f"^{line}$", shown, re.M):
        bad += 1
        print(f"eval has no line {line}:\n{shown}")
print(f"{bad} cases differ")
sys.exit(bad > 0)
