"""Generation through the Python package: what a stepwise run gives is what the whole sequence
gives, whatever lies beside it, and tokens are drawn as the options say.

    generate.py MODEL CACHE [TARGET]
"""
import signal
import sys

import numpy as np

import momc
from refusals import refused

target = sys.argv[3] if len(sys.argv) > 3 else "cpu"
program = momc.compile(sys.argv[1], cache=sys.argv[2], settings={"D": 32, "depth": 3},
                       target=target, entries=["next", "loss"])
# On a GPU rows are rounded to bf16 between kernels, and not by the same kernels' tiles.
TOLERANCE = 2e-6 if target == "cpu" else 3e-2
V = program.entries["next"].outputs["rows", "id"].channels
random = np.random.default_rng(5)
session = program.session(threads=2, poison=True)
session.initialise(3)
for name, shape in session.parameters.shapes.items():  # logits that differ
    if name.endswith("weight"):
        session.parameters[name] = session.parameters[name] * 2

LENGTHS = [37, 1, 20]
ids = [random.integers(0, V, length).astype(np.int32) for length in LENGTHS]
modality = [random.integers(0, 3, length).astype(np.int32) for length in LENGTHS]


def logits(pieces, rows, first):
    """Of one run over pieces (sequence, from, to) whose states are in those rows."""
    session.set_batch([end - begin for _, begin, end in pieces],
                      np.concatenate([modality[s][begin:end] for s, begin, end in pieces]),
                      streams=4, initial=[-1 if start else row for row, start in zip(rows, first)],
                      final=rows)
    flat = np.concatenate([ids[s][begin:end] for s, begin, end in pieces])
    return session.run("next", {"id": flat})["id"]


whole = np.split(logits([(s, 0, n) for s, n in enumerate(LENGTHS)], [0, 1, 2], [True] * 3),
                 np.cumsum(LENGTHS)[:-1])

# The loss of the same program, from these logits.
session.set_batch(LENGTHS, np.concatenate(modality))
loss = session.run("loss", {"id": np.concatenate(ids)})["lm"].item()
nll = [np.log(np.exp(l[:-1].astype(float)).sum(1)) - l[np.arange(len(i) - 1), i[1:]]
       for l, i in zip(whole, ids)]
assert abs(np.concatenate(nll).mean() - loss) < max(TOLERANCE, 1e-5) * loss, (np.concatenate(nll).mean(), loss)


def close(got, wanted, what):
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    assert error < TOLERANCE, f"{what}: error {error}"


# Token by token, two sequences side by side in rows that are not theirs by number.
for at in range(20):
    both = logits([(2, at, at + 1), (0, at, at + 1)], [1, 3], [at == 0] * 2)
    close(both[0], whole[2][at], f"token {at} of sequence 2")
    close(both[1], whole[0][at], f"token {at} of sequence 0")
# The rest of one of them, in pieces of several tokens.
for begin, end in [(20, 25), (25, 26), (26, 37)]:
    close(logits([(0, begin, end)], [3], [False]), whole[0][begin:end], f"tokens {begin} to {end}")

# What generation draws is what the whole sequence would have drawn.
modality_of = np.arange(V) % 3
modality_of[7::11] = -1
prompts = [i[:12] for i in ids]
told = [m[:12] for m in modality]
made = session.generate(prompts, told, tokens=9, temperature=0, modality_of=modality_of)
for s, new in enumerate(made):
    assert len(new) == 9 and (modality_of[new] >= 0).all(), new
    ids[s] = np.concatenate([prompts[s], new]).astype(np.int32)
    modality[s] = np.concatenate([told[s], modality_of[new]]).astype(np.int32)
    after = logits([(s, 0, len(ids[s]))], [0], [True])[len(prompts[s]) - 1:-1]
    after[:, modality_of < 0] = -np.inf
    best = after.max(1)
    assert (best - after[np.arange(9), new] <= TOLERANCE * np.abs(best)).all(), (s, new)

options = dict(tokens=8, temperature=1.5, top_k=40, top_p=0.9, modality_of=modality_of)
one = session.generate(prompts, told, seed=1, **options)
assert all((a == b).all() for a, b in zip(one, session.generate(prompts, told, seed=1, **options)))
assert any((a != b).any() for a, b in zip(one, session.generate(prompts, told, seed=2, **options)))
# A sequence's tokens do not depend on what is beside it, and end with a stop.
assert (session.generate(prompts[:1], told[:1], seed=1, **options)[0] == one[0]).all()
stop = int(one[0][3])
cut = session.generate(prompts, told, seed=1, stops=[stop], **options)
for full, short in zip(one, cut):
    wanted = list(full).index(stop) + 1 if stop in full else 8
    assert (short == full[:wanted]).all(), (full, short)
seen = []
session.generate(prompts, told, seed=1, on_token=lambda p, i: seen.append((p, i)) or len(seen) == 4,
                 **options)
assert seen == [(0, one[0][0]), (1, one[1][0]), (2, one[2][0]), (0, one[0][1])], seen
# What is raised there ends the run, and is raised here.
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
for kind, act in ((ZeroDivisionError, lambda p, i: seen.append(1 / (4 - len(seen)))),
                  (KeyboardInterrupt, lambda p, i: signal.raise_signal(signal.SIGINT))):
    try:
        session.generate(prompts, told, seed=1, on_token=act, **options)
        raise AssertionError(f"expected {kind.__name__}")
    except kind:
        pass
assert len(seen) == 4, seen
# Ids of any width are the same ids.
wide = [(prompt.astype(np.uint64), list(map(int, m))) for prompt, m in zip(prompts, told)]
assert all((a == b).all() for a, b in zip(one, session.generate(*zip(*wide), seed=1, **options)))

for text, call in [
        ("expected 'prompt 1' to be integers but got float64",
         lambda: session.generate([[1], [1.7, 2.2]], tokens=1)),
        ("from -2147483648 to 2147483647 but got 4294967297",
         lambda: session.generate([[2 ** 32 + 1]], tokens=1)),
        ("'the modalities of prompt 0' to be integers",
         lambda: session.generate([[1]], [[0.5]], tokens=1)),
        ("prompts have [1 2] tokens and modalities [2 1]",
         lambda: session.generate([[1], [1, 2]], [[0, 0], [0]], tokens=1)),
        ("expected prompt 0 as a list of integers but got a number",
         lambda: session.generate([1, 2], tokens=1)),
        ("'stops' to be integers", lambda: session.generate([[1]], tokens=1, stops=[2.5])),
        ("'modality_of' to be", lambda: session.generate([[1]], tokens=1, modality_of=[2 ** 31])),
        ("at least 0 new tokens but got -1", lambda: session.generate([[1]], tokens=-1)),
        ("expected ids below", lambda: session.generate([[V]], [[0]], tokens=1)),
        ("at least one token", lambda: session.generate([[]], [[]], tokens=1)),
        ("modalities of", lambda: session.generate([[1]], tokens=1, modality_of=[0, 1])),
        ("temperature", lambda: session.generate([[1]], tokens=1, temperature=-1)),
        ("no entry 'next'", lambda: momc.compile(sys.argv[1], cache=sys.argv[2], entries=["loss"],
                                                 settings={"D": 32, "depth": 3})
         .session().generate([[1]], tokens=1))]:
    refused(text, call)
print("ok")
