"""What users and disks do wrong: each case gives one line that names both facts, exit
status 1, and leaves what was there. faults.py FOLDER"""
import os
import shutil
import signal
import subprocess
import sys

import numpy as np

folder = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
from compare import read, write  # noqa: E402

MODEL = os.path.join(here, "../../examples/linear.mom")
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
bad = 0


def momc(*arguments, **how):
    done = subprocess.run(["momc", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    return done.returncode, [line for line in done.stderr.splitlines() if "error:" in line], done.stderr


def train(*arguments, data="tokens", out="run", steps=4, **how):
    return momc("train", MODEL, "--data", data, "--steps", str(steps), "--out", out, "--save-every", "2", *arguments, **how)


def expect(what, result, *parts, status=1):
    """One error, with these parts."""
    global bad
    code, errors, text = result
    if code == status and len(errors) == (status != 0) and all(part in errors[0] for part in parts):
        return
    bad += 1
    print(f"{what}: expected status {status} and {parts}, but got status {code} and:\n{text}")


def state():
    """The run's checkpoints, as bytes."""
    return {name: open(f"run/{name}", "rb").read() for name in sorted(os.listdir("run")) if name.startswith("checkpoint")}


random = np.random.default_rng(3)
tokens = 600
good = {"id": random.integers(0, 64, tokens).astype(np.int32), "modality": random.integers(0, 2, tokens).astype(np.uint8),
        "document": np.array([0, 100, 101, tokens], np.int64)}
card = {"format": "momc tokens", "version": "1", "modalities": "text,image", "vocabulary": "64"}
write("tokens", good, card)
expect("a good run", train(), status=0)
before = state()
whole = open("tokens", "rb").read()

# Data files: cut off at any place, of another kind, with what does not belong.
for size in [0, 8, int(random.integers(9, len(whole) - 1)), len(whole) - 1]:
    open("cut", "wb").write(whole[:size])
    expect(f"data of {size} bytes", train("--resume", data="cut", steps=6), "'cut'")
open("text", "w").write("this is no token file, but it is long enough to look like one\n" * 3)
expect("a text as data", train("--resume", data="text", steps=6), "'text' is no safetensors file")
expect("a checkpoint as data", train("--resume", data="run/checkpoint-00000004.safetensors", steps=6), "is no token file")
expect("no data", train("--resume", data="absent", steps=6), "absent", "No such file")
write("ids", {**good, "id": np.where(np.arange(tokens) == 555, 64, good["id"]).astype(np.int32)}, {**card, "vocabulary": "0"})
expect("an id out of range", train(data="ids", out="ids-run", steps=50), "64")
write("negative", {**good, "id": np.where(np.arange(tokens) == 5, -3, good["id"]).astype(np.int32)}, {**card, "vocabulary": "0"})
expect("a negative id", train(data="negative", out="negative-run", steps=50), "-3")
write("modality", {**good, "modality": np.where(np.arange(tokens) == 9, 2, good["modality"]).astype(np.uint8)}, card)
expect("a bad modality", train(data="modality", out="modality-run", steps=50), "modalities below 2", "position 9 has 2")
write("vocabulary", good, {**card, "vocabulary": "65"})
expect("a larger vocabulary", train("--resume", data="vocabulary", steps=6), "65", "64")
write("names", good, {**card, "modalities": "text,speech"})
expect("other modalities", train("--resume", data="names", steps=6), "text,speech", "text,image")
write("order", {**good, "document": np.array([0, 200, 101, tokens], np.int64)}, card)
expect("documents that overlap", train("--resume", data="order", steps=6), "document")
write("short", {**good, "modality": good["modality"][:-1]}, card)
expect("a short column", train("--resume", data="short", steps=6), "modality", "599")

# Continuous rows that are no numbers; the run goes on from its checkpoint with good ones.
open("dense.mom", "w").write("""
modality M { text, image }
batch { token by M { id: index[64], image: latent: f32[8] } }
model dense(t: token) {
  part guess = linear(8 -> 8)
  loss lm = mean(mse(guess(t.latent), 0 * t.latent + 1) where modality(t.id) == image)
}
train dense { minimize lm; batch 4 by 64; adamw(rate: 1e-2) }
""")
rows = int(good["modality"].sum())


def trainDense(value, steps, row=0, channel=0):
    latent = np.ones((rows, 8), np.float32)
    latent[row, channel] = value
    write("dense", {**good, "latent": latent}, card)
    return momc("train", "dense.mom", "--data", "dense", "--steps", str(steps), "--out", "dense-run", "--resume", "--save-every", "1")


expect("a run of continuous rows", trainDense(1, 2), status=0)
for value in (np.nan, np.inf, -np.inf):
    row, channel = int(random.integers(rows)), int(random.integers(8))
    expect(f"{value} in a dense input", trainDense(value, 100, row, channel), f"'latent' of 'dense', but row {row}, channel {channel} is {value}")
    last = max(name for name in os.listdir("dense-run") if name.startswith("checkpoint"))
    if last < "checkpoint-00000002.safetensors":
        bad += 1
        print(f"after {value} in the data {last} is the last checkpoint")
expect("going on with good rows", trainDense(1, 20), status=0)

# Checkpoints: of other settings, of another model, cut off, with what is no number.
last = "run/checkpoint-00000004.safetensors"
parameters = {name: value for name, value in read(last).items() if not name.startswith("moment")}
numbers = {name: value.astype(np.float32) for name, value in parameters.items()}
first = next(iter(numbers))
write("nan", {**numbers, first: np.full_like(numbers[first], np.nan)})
expect("parameters that are no numbers", train("--checkpoint", "nan", out="nan-run"), "nan", "step 1")
write("other", {**numbers, first: numbers[first][:, :-1].copy()})
expect("parameters of other shapes", train("--checkpoint", "other", out="other-run"), first)
write("fewer", {name: value for name, value in numbers.items() if name != first})
expect("fewer parameters", train("--checkpoint", "fewer", out="fewer-run"), first)
open("cut", "wb").write(open(last, "rb").read()[:-5])
expect("a checkpoint that is cut off", train("--checkpoint", "cut", out="cut-run"), "'cut'")
expect("other data for a run", (write("longer", {**good, "document": np.array([0, 50, tokens], np.int64)}, card),
                                train("--resume", data="longer", steps=6))[1], "data documents 3", "2")
expect("another seed for a run", train("--resume", "--seed", "5", steps=6), "seed 1", "5")
expect("a run that is there", train(steps=6), "already holds a run")

# Folders: nothing can be made, a file has the name, nothing more fits, another run.
expect("a folder that cannot be made", train(out="/proc/momc/run"), "/proc/momc")
expect("a file where the folder goes", train(out="tokens"), "tokens")


def smallFiles():
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


expect("files that cannot grow", train("--resume", steps=6, preexec_fn=smallFiles), "cannot write", "File too large")
for verb in (("emit", "--stage", "asm", "-o", "out.s"), ("compile", "-o", "out.o"),
             ("emit", "--stage", "lowered", "--dump-stages", "stages")):
    expect(f"momc {verb[0]} where files cannot grow", momc(verb[0], MODEL, *verb[1:], preexec_fn=smallFiles),
           "cannot write", "File too large")
if any(os.path.exists(name) for name in ("out.s", "out.o")) or any(".partial" in name for name in os.listdir(".")):
    bad += 1
    print("a part of a file was left")
running = subprocess.Popen(["momc", "train", MODEL, "--data", "tokens", "--steps", "1000000", "--out", "busy"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while running.poll() is None and not os.path.exists("busy/log.jsonl"):
    pass
expect("two runs in one folder", train(out="busy"), "another run is using the folder 'busy'")
running.kill()
running.wait()

if state() != before:
    bad += 1
    print("the run's checkpoints have changed")
# A damaged last checkpoint is passed over, and the run ends with the same bits.
shutil.copytree("run", "damaged")
with open("damaged/checkpoint-00000004.safetensors", "r+b") as file:
    file.truncate(len(before["checkpoint-00000004.safetensors"]) - 1)
for out in ("run", "damaged"):
    expect(f"going on in {out}", train("--resume", out=out, steps=6), status=0)
a, b = (read(f"{out}/checkpoint-00000006.safetensors") for out in ("run", "damaged"))
if any(not np.array_equal(a[name], b[name]) for name in a):
    bad += 1
    print("after a damaged checkpoint the run has other bits")
print(f"{bad} cases differ")
sys.exit(bad > 0)
