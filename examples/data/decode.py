#!/usr/bin/python3
"""Turns token files back into a page a person can look at and listen to.

    /usr/bin/python3 decode.py --corpus DIR --out PAGE [--split heldout] [--documents 5]
    /usr/bin/python3 decode.py --corpus DIR --out PAGE --tokens generated.safetensors

The second form shows what a model wrote: its pictures may be cut short.
"""

import argparse
import html
import os
import sys
import wave

import numpy as np
from PIL import Image

import pictures
import speech
from tokens import (BYTES, END, FIRST_IMAGE, FIRST_SPECIAL, FIRST_SPEECH, IMAGE, IMAGE_CODES, MODALITIES,
                    SPEECH_CODES, TEXT, modality_of, read_safetensors)

UPSCALE = 5
PITCH = 110.0  # Hz, of the decoded voice: the tokens keep no melody
STEP = 110  # samples between two pieces that are laid over one another

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       background: #fff; color: #1a1a1a }
section { border-top: 1px solid #8886; padding: 1rem 0 }
h2 { font-size: 1rem; margin: 0 0 .5rem; font-weight: 600 }
.parts { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center }
figure { margin: 0 } img { image-rendering: pixelated; border: 1px solid #8886; display: block }
figcaption, small { color: #767676; font-size: .8rem } audio { width: 15rem }
p { margin: 0; white-space: pre-wrap; max-width: 44rem }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6 } figcaption, small { color: #9a9a9a } }
"""


def stretches(ids):
    """(modality, codes) for each run of tokens of one modality. Specials part
    the runs, so two pictures in a row are two."""
    run, current = [], None
    for token, modality in zip(ids.tolist(), modality_of(ids).tolist()):
        special = FIRST_SPECIAL <= token < FIRST_IMAGE
        if run and (special or modality != current):
            yield current, run
            run = []
        if not special:
            run.append(token - [0, FIRST_IMAGE, FIRST_SPEECH][modality])
        current = modality
    if run:
        yield current, run


def picture(codes, codebook):
    """Codes -> an upscaled picture; what is missing stays grey."""
    cells = pictures.GRID ** 2
    patches = np.full((cells, codebook[0].size), 128, np.uint8)
    known = np.minimum(codes[:cells], IMAGE_CODES - 1)
    patches[:len(known)] = codebook.reshape(len(codebook), -1)[known]
    side = pictures.SIDE * UPSCALE
    return Image.fromarray(pictures.join(patches)).resize((side, side), Image.NEAREST)


def sound(codes, codebook):
    """Codes -> sound I16: the spectra shape a buzz where there is voice, and
    noise where there is none. The phases that the tokens do not keep come from
    the buzz, which says more with less work than searching for them."""
    level = speech.levels(codebook[np.minimum(codes, SPEECH_CODES - 1)])  # [S, 32] dB
    length = len(level) * speech.HOP
    draw = np.random.Generator(np.random.PCG64(3))
    noise = draw.standard_normal(length + speech.FFT)
    pulse = np.zeros(length + speech.FFT)
    pulse[::round(speech.RATE / PITCH)] = np.sqrt(speech.RATE / PITCH)  # as loud as the noise

    centre = speech.band_edges()[1:-1]
    hertz = np.arange(speech.FFT // 2 + 1) * speech.RATE / speech.FFT
    # Voice has its strength low, hiss has it high.
    low, high = level[:, centre < 1000].max(axis=1), level[:, centre > 3000].max(axis=1)
    voiced = 1 / (1 + np.exp(-(low - high) / 3))

    # A band level is a mean power over a Hann window, of noise of power one.
    unit = 10 * np.log10((np.hanning(speech.WINDOW) ** 2).sum())
    window = np.hanning(speech.FFT)
    out, weight = np.zeros(length + speech.FFT), np.zeros(length + speech.FFT)
    for begin in range(0, length, STEP):
        # The piece's middle, on the scale of the spectra's own middles.
        at = np.clip((begin - speech.HOP / 2) / speech.HOP, 0, len(level) - 1)
        left = int(at)
        right, part = min(left + 1, len(level) - 1), at - int(at)
        envelope = level[left] * (1 - part) + level[right] * part
        voice = voiced[left] * (1 - part) + voiced[right] * part
        gain = 10 ** ((np.interp(hertz, centre, envelope, right=speech.FLOOR) - unit) / 20)
        source = voice * pulse[begin:begin + speech.FFT] + (1 - voice) * noise[begin:begin + speech.FFT]
        out[begin:begin + speech.FFT] += np.fft.irfft(np.fft.rfft(source * window) * gain) * window
        weight[begin:begin + speech.FFT] += window ** 2
    # A piece is centred half a transform after it begins: cut that off again.
    whole = (out / np.maximum(weight, 1e-3))[speech.FFT // 2:][:length]
    return np.clip(whole * 32768, -32768, 32767).astype("<i2")


def write_wav(path, samples):
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speech.RATE)
        file.writeframes(samples.tobytes())


def show(ids, number, out, codebooks):
    """One document as HTML; its pictures and sounds as files beside it."""
    parts = []
    for at, (modality, codes) in enumerate(stretches(ids)):
        name = f"{number:03}-{at:02}"
        if modality == TEXT:
            words = bytes(c for c in codes if c < BYTES).decode(errors="replace")
            parts.append(f"<p>{html.escape(words)}</p>")
        elif modality == IMAGE:
            picture(np.array(codes), codebooks["image"]).save(os.path.join(out, name + ".png"))
            parts.append(f'<figure><img src="{name}.png" alt="picture"></figure>')
        else:
            samples = sound(np.array(codes), codebooks["speech"])
            write_wav(os.path.join(out, name + ".wav"), samples)
            parts.append(f'<figure><audio controls src="{name}.wav"></audio>'
                         f"<figcaption>{len(samples) / speech.RATE:.2f} s</figcaption></figure>")
    counts = np.bincount(modality_of(ids), minlength=len(MODALITIES))
    told = ", ".join(f"{count} {name}" for name, count in zip(MODALITIES, counts) if count)
    ended = "" if ids[-1] == END else ", not ended"
    return (f"<section><h2>Document {number} <small>{len(ids)} tokens: {told}{ended}</small></h2>"
            f'<div class="parts">{"".join(parts)}</div></section>')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, metavar="DIR", help="a folder that corpus.py filled")
    parser.add_argument("--out", required=True, metavar="DIR", help="where the page goes")
    parser.add_argument("--split", default="heldout", choices=["train", "heldout"])
    parser.add_argument("--tokens", metavar="FILE", help="a token file to show instead of a split")
    parser.add_argument("--documents", type=int, default=5, help="how many, from the first")
    options = parser.parse_args()

    codebooks, _ = read_safetensors(os.path.join(options.corpus, "codebooks.safetensors"))
    path = options.tokens or os.path.join(options.corpus, options.split + ".safetensors")
    tensors, metadata = read_safetensors(path)
    if metadata.get("format") != "momc tokens":
        sys.exit(f"error: {path} is not a token file")
    offsets = tensors["document"][:options.documents + 1].tolist()
    os.makedirs(options.out, exist_ok=True)
    sections = [show(tensors["id"][begin:end], number, options.out, codebooks)
                for number, (begin, end) in enumerate(zip(offsets, offsets[1:])) if end > begin]
    title = html.escape(os.path.basename(path))
    with open(os.path.join(options.out, "index.html"), "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
                   f"<style>{STYLE}</style><h1>{title}</h1>{''.join(sections)}</html>\n")
    print(f"{len(sections)} documents in {os.path.join(options.out, 'index.html')}")


if __name__ == "__main__":
    main()
