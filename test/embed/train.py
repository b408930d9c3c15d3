"""Training through the Python package, by steps and from a token file; what a callback raises,
and an interrupt, ends a run that is saved.

    train.py MODEL DATA FOLDER, DATA being the folder of tokens.py
"""
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref

import numpy as np

import momc
from refusals import refused

MODEL, DATA, FOLDER = sys.argv[1:4]
sys.path.insert(0, DATA)
import tokens

gc.disable()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
program = momc.compile(MODEL, cache=FOLDER + "/cache")
COUNT, LENGTH = 1024, 128
id = np.arange(COUNT, dtype=np.uint16) * 3 % 64  # the next one can be learnt
modality = (np.arange(COUNT) // 8 % 2).astype(np.uint8)
os.makedirs(FOLDER, exist_ok=True)
FILE = FOLDER + "/tokens.safetensors"
tokens.write_safetensors(
    FILE, {"id": id, "modality": modality, "document": np.arange(0, COUNT + 1, LENGTH)},
    {"format": "momc tokens", "version": "1", "modalities": ",".join(program.modalities)})


# By steps: the gradient, the step's scalars, the update.
session = program.session(threads=1)
session.initialise(7)
session.set_batch([LENGTH] * 2, modality[:2 * LENGTH])
losses = []
for step in range(1, 21):
    losses.append(session.run("gradient", {"id": id[:2 * LENGTH].astype(np.int32)})["lm"].item())
    session.set_step(step, 20)
    session.run("update")
assert losses[-1] < 0.9 * losses[0], losses

# By hand, a step of no rate changes nothing, and one of a rate does.
hypers = dict(beta1=0.9, beta2=0.95, eps=1e-8, bias1=10, bias2=20, clip=1, keep=0)
for rate in (0, 0.1):
    before = session.parameters["head.weight"]
    session.set_hypers(rate=rate, **hypers)
    session.run("update")
    assert (session.parameters["head.weight"] == before).all() == (rate == 0), rate
refused("expected rate, beta1, beta2, eps, bias1, bias2, clip, keep but got none",
        session.set_hypers)
refused("expected a step from 1 to 2 but got 3", lambda: session.set_step(3, 2))

# From a file: the same to the bit in one run, or in two.
def trained(folder, **options):
    with program.session(threads=1) as session:
        last = session.train(FILE, f"{FOLDER}/{folder}", streams=2, length=LENGTH, **options)
        return last, dict(session.parameters), session.evaluate(FILE)


seen = []
last, whole, (measure,) = trained("one", steps=12, seed=3, on_step=seen.append,
                                  validation=FILE, evaluate_every=6, save_every=6)
assert seen[-1] == last and [progress.step for progress in seen] == list(range(1, 13)), seen
assert last.steps == 12 and last.tokens == 12 * 2 * LENGTH and last.loss < 0.95 * seen[0].loss
assert (measure.name, measure.group) == ("lm", -1), measure
assert measure.count == COUNT - COUNT / 64, measure  # streams of 64: no token follows the last
assert measure.value < last.loss + 0.1, (measure, last)
assert {f"checkpoint-000000{step}.safetensors" for step in ("06", "12")} <= set(
    os.listdir(FOLDER + "/one"))
last, _, _ = trained("two", steps=12, seed=3, on_step=lambda progress: progress.step == 5)
assert last.step == 5, last
last, parts, _ = trained("two", steps=12, seed=3, resume=True)
assert last.step == 12 and all((parts[name] == whole[name]).all() for name in whole)
assert trained("two", steps=12, seed=3, resume=True)[0] is None
for part, options in (("already holds a run", dict(steps=12)), ("at least 1 step", dict(steps=0)),
                      ("wrong.safetensors", dict(steps=1, start="wrong.safetensors"))):
    refused(part, lambda: trained("one" if part[0] == "a" else "new", **options))
refused("no.safetensors", lambda: program.session().evaluate(b"no.safetensors"))


# What a callback raises, or an interrupt while it runs, or while the runtime does.
def fails(progress):
    if progress.step == 4:
        raise ValueError("no more")


def interrupts(progress):
    if progress.step == 4:
        signal.raise_signal(signal.SIGINT)


def handled(*_):
    raise TimeoutError("handled")


session = program.session(threads=1)
refused("a callback cannot close the session", lambda: session.train(
    FILE, FOLDER + "/closes", steps=2, on_step=lambda _: session.close()))
for folder, kind, on_step in (("fails", ValueError, fails),
                              ("interrupts", KeyboardInterrupt, interrupts),
                              ("handled", TimeoutError, interrupts)):
    former = signal.signal(signal.SIGINT, handled) if kind is TimeoutError else None
    text = {"fails": "no more", "handled": "handled"}.get(folder, "")
    refused(text, lambda: session.train(FILE, f"{FOLDER}/{folder}", steps=12, on_step=on_step), kind)
    if former:
        assert signal.signal(signal.SIGINT, former) is handled
    assert os.path.exists(f"{FOLDER}/{folder}/checkpoint-00000004.safetensors"), folder
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
gone = weakref.ref(session)
del session
assert gone() is None, "what was raised keeps the session"

# From another thread, which Python gives no signals.
results = []
thread = threading.Thread(target=lambda: results.append(trained("thread", steps=2)[0].step))
thread.start()
thread.join()
assert results == [2], results

# Python prints what it cannot raise; nothing was.
many = """
import os, signal, sys, threading, momc
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupt = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
try:
    momc.compile(sys.argv[1], cache=sys.argv[2]).session(threads=1).train(
        sys.argv[3], sys.argv[4], steps=10**7, on_step=lambda p: p.step == 1 and interrupt.start())
except KeyboardInterrupt:
    print("interrupted")
"""
done = subprocess.run([sys.executable, "-B", "-c", many, MODEL, FOLDER + "/cache", FILE,
                       FOLDER + "/many"], text=True, stdout=subprocess.PIPE,
                      stderr=subprocess.STDOUT)
assert done.stdout == "interrupted\n" and done.returncode == 0, done
print("ok")
