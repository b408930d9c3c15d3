"""Weights from elsewhere: a Hugging Face Mamba file has the loss that its formulas say,
an upcycled model begins with the dense model's loss, and exports come back."""
import os
import subprocess
import sys

import numpy as np

import momc
from momc.weights import HF, OFFICIAL, export_weights, import_weights, read_safetensors, write_safetensors
from reference import block, close

EXAMPLES, FOLDER = sys.argv[1:3]
D, E, N, R, V, LAYERS = 16, 32, 16, 1, 1280, 2
random = np.random.default_rng(int.from_bytes(os.urandom(4), "little"))


def draw(*shape, scale=0.2):
    return random.normal(size=shape, scale=scale).astype(np.float32)


hf = {"backbone.embeddings.weight": draw(V, D, scale=1), "backbone.norm_f.weight": 1 + draw(D)}
for n in range(LAYERS):
    p = f"backbone.layers.{n}."
    hf |= {p + "norm.weight": 1 + draw(D), p + "mixer.in_proj.weight": draw(2 * E, D),
           p + "mixer.conv1d.weight": draw(E, 1, 4), p + "mixer.conv1d.bias": draw(E),
           p + "mixer.x_proj.weight": draw(R + 2 * N, E), p + "mixer.dt_proj.weight": draw(E, R),
           p + "mixer.dt_proj.bias": draw(E), p + "mixer.A_log": draw(E, N),
           p + "mixer.D": draw(E), p + "mixer.out_proj.weight": draw(D, E)}
os.makedirs(FOLDER, exist_ok=True)
write_safetensors(FOLDER + "/hf", hf)
lengths, tokens = [13, 7], 20
ids = random.integers(0, V, tokens).astype(np.int32)
modality = random.integers(0, 3, tokens).astype(np.int32)


def command(*words, ok=True):
    done = subprocess.run([sys.executable, "-B", "-m", "momc.weights", *words, "--set", f"D={D}",
                           "--set", f"depth={LAYERS}"], text=True, stderr=subprocess.PIPE)
    assert (done.returncode == 0) == ok, done.stderr
    return done.stderr


def loss_of(model, path):
    program = momc.compile(f"{EXAMPLES}/{model}.mom", entries=["loss"],
                           settings={"D": D, "depth": LAYERS})
    session = program.session()
    session.load(path)
    session.set_batch(lengths, modality)
    return session.run("loss", {"id": ids})["lm"].item(), session.parameters


def norm(x, scale):
    return x / np.sqrt((x * x).mean(1, keepdims=True) + 1e-5) * scale


def expected():
    w = {name: value.astype(np.float64) for name, value in hf.items()}
    x = w["backbone.embeddings.weight"][ids]
    for n in range(LAYERS):
        p = f"backbone.layers.{n}."
        names = {"conv.weight": "conv1d.weight", "conv.bias": "conv1d.bias", "skip": "D"}
        mixer = {ours: w[p + "mixer." + names.get(ours, ours)]
                 for ours in ("in_proj.weight", "conv.weight", "conv.bias", "x_proj.weight",
                              "dt_proj.weight", "dt_proj.bias", "A_log", "skip", "out_proj.weight")}
        mixer["conv.weight"] = mixer["conv.weight"][:, 0]
        x = x + block(mixer, norm(x, w[p + "norm.weight"]), modality, lengths)
    logits = norm(x, w["backbone.norm_f.weight"]) @ w["backbone.embeddings.weight"].T  # tied
    counted = [t for t in range(tokens - 1) if t != lengths[0] - 1]
    peak = logits.max(1)
    sums = np.log(np.exp(logits - peak[:, None]).sum(1)) + peak
    return np.mean([sums[t] - logits[t, ids[t + 1]] for t in counted])


command("import", "hf", f"{EXAMPLES}/dense-mamba.mom", FOLDER + "/hf", FOLDER + "/dense")
dense, parameters = loss_of("dense-mamba", FOLDER + "/dense")
assert abs(dense - expected()) < 1e-4 * dense, (dense, expected())
back = export_weights(parameters, HF)
for name, value in hf.items():
    assert np.array_equal(back[name], value), name

mixture = f"{EXAMPLES}/mixture-of-mamba.mom"
said = command("import", "hf", mixture, FOLDER + "/hf", FOLDER + "/up", ok=False)
assert "has 3 weights, one for each modality" in said and "--upcycle" in said, said
command("import", "hf", mixture, FOLDER + "/hf", FOLDER + "/up", "--upcycle")
upcycled, parameters = loss_of("mixture-of-mamba", FOLDER + "/up")
assert abs(upcycled - dense) < 1e-5 * dense, (upcycled, dense)

for name in ("layers.1.in_proj.weight", "layers.0.dt_proj.bias"):  # experts that differ
    parameters[name] = draw(*parameters[name].shape)
official = export_weights(parameters, OFFICIAL)
assert official["layers.1.mamba_model.local_experts_in_proj.2.weight"].shape == (2 * E, D)
assert official["layers.0.mamba_model.conv1d.weight"].shape == (E, 1, 4)
write_safetensors(FOLDER + "/official", official)
again = import_weights(parameters.shapes, read_safetensors(FOLDER + "/official"), OFFICIAL)
for name, value in again.items():
    assert np.array_equal(value, parameters[name]), name
command("export", "official", mixture, FOLDER + "/up", FOLDER + "/official-2")
assert set(read_safetensors(FOLDER + "/official-2")) == set(official)
said = command("import", "official", mixture, FOLDER + "/hf", FOLDER + "/no", ok=False)
assert "expected 'tok_embeddings.weight' for parameter 'embed.weight'" in said, said
print("ok")
