"""Ids are drawn as often as their probabilities say: frequencies.py DATA MOMC MODEL FOLDER [FLAG...]

The model's weights are written here: embeddings are the unit matrix, so column i of the head
has the logits after id i. Documents of one token are continued, and what follows each id is
counted and held against softmax with temperature, top-k and top-p. What is drawn depends on
the seed alone, so the outcome is the same each time."""
import math
import os
import subprocess
import sys

import numpy as np

data, momc, model, folder, *flags = sys.argv[1:]
sys.path.insert(0, data)
import tokens

V, DOCUMENTS, NEW = 6, 2000, 10
logits = np.random.default_rng(4).normal(0, 1.5, (V, V)).astype(np.float32)  # [from, to]


def probabilities(temperature=1.0, top_k=V, top_p=1.0):
    p = np.exp(logits.astype(np.float64) / temperature)
    for row in p:
        keep = np.argsort(-row)[:top_k]
        shares = np.cumsum(row[keep]) / row[keep].sum()
        keep = keep[:np.searchsorted(shares, top_p) + 1]
        row[np.setdiff1d(np.arange(V), keep)] = 0
    return p / p.sum(1, keepdims=True)


def deviation(counts, p):
    """Of chi squared from its mean, in standard deviations (Wilson and Hilferty's)."""
    expected = p * counts.sum(1, keepdims=True)
    often = expected >= 5
    chi = ((counts - expected)[often] ** 2 / expected[often]).sum()
    freedom = often.sum() - V  # each row's counts have a given sum
    return ((chi / freedom) ** (1 / 3) - 1 + 2 / (9 * freedom)) / math.sqrt(2 / (9 * freedom))


weights, prompts, made = (os.path.join(folder, name + ".safetensors")
                          for name in ("weights", "prompts", "made"))
tokens.write_safetensors(weights, {"embed.weight": np.eye(V, dtype=np.float32),
                                   "head.weight": np.ascontiguousarray(logits.T)}, {})
first = np.arange(DOCUMENTS, dtype=np.uint16) % V
tokens.write_safetensors(prompts, {"id": first, "document": np.arange(DOCUMENTS + 1, dtype=np.int64)},
                         {"format": "momc tokens", "version": "1"})
for options in ({}, {"temperature": 0.6}, {"temperature": 2.0}, {"top_k": 3}, {"top_p": 0.7},
                {"temperature": 1.5, "top_k": 4, "top_p": 0.9}):
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    subprocess.run([momc, "generate", model, "--checkpoint", weights, "--prompts", prompts, "-o", made,
                    f"--new-tokens={NEW}", "--seed=11", *given, *flags], check=True,
                   stdout=subprocess.DEVNULL)
    ids = tokens.read_safetensors(made)[0]["id"].reshape(DOCUMENTS, NEW + 1)
    counts, p = np.zeros((V, V)), probabilities(**options)
    np.add.at(counts, (ids[:, :-1].ravel(), ids[:, 1:].ravel()), 1)
    assert not counts[p == 0].any(), f"{options}: ids were drawn that may not be"
    sigmas = deviation(counts, p)
    print(f"{' '.join(given) or 'all'}: {counts.sum():.0f} draws, {sigmas:+.1f} sigma", flush=True)
    assert abs(sigmas) < 4, "not the frequencies that the logits say"
    assert deviation(counts, np.roll(p, 1, axis=1) + 1e-3) > 4, "this test would not notice"
print("ok")
