#!/usr/bin/python3
"""Builds a small corpus of text, pictures and speech from Debian packages.

    apt-get install --no-install-recommends $(cat packages.txt)
    /usr/bin/python3 corpus.py --out DIR [--size small|full]

The same package versions give the same bytes. An interrupted build starts
again; a complete one is left alone.
"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# The corpus is what these make of the packages: when one changes, it is rebuilt.
RECIPE = ["corpus.py", "documents.py", "emoji.py", "kmeans.py", "pictures.py", "speech.py", "text.py", "tokens.py"]
# Tokens planned, about: (training, held out), and one emoji family in so many.
SIZES = {"tiny": (12_000, 3_000, 25), "small": (600_000, 60_000, 1), "full": (5_000_000, 400_000, 1)}
FILES = ["train.safetensors", "heldout.safetensors", "codebooks.safetensors"]


def package_versions():
    with open(os.path.join(HERE, "packages.txt")) as file:
        packages = file.read().split()
    try:
        found = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${db:Status-Status} ${Version}\n", *packages],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    except FileNotFoundError:
        sys.exit("error: no dpkg-query: the corpus is made from Debian packages (packages.txt)")
    versions = {name: version for name, status, version in
                (line.split(" ", 2) for line in found.splitlines()) if status == "installed"}
    if missing := [p for p in packages if p not in versions]:
        sys.exit("error: packages are missing; as root:\n"
                 f"  apt-get install --no-install-recommends {' '.join(missing)}")
    return versions


def recipe():
    """A hash of the builder itself."""
    digest = hashlib.sha256()
    for name in RECIPE:
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()[:16]


def complete(out, arguments):
    """Whether `out` holds the finished corpus of these arguments."""
    try:
        with open(os.path.join(out, "corpus.json")) as file:
            card = json.load(file)
        return card["arguments"] == arguments and all(
            os.path.getsize(os.path.join(out, name)) == card["files"][name] for name in FILES)
    except (OSError, ValueError, KeyError):
        return False


def assemble(plan, pictures, sounds):
    """The token ids of each planned document."""
    import numpy as np
    from tokens import END, IMAGE, SPEECH, TEXT, stretch

    for document in plan:
        parts = []
        for kind, what, *how in document:
            if kind == "text":
                parts.append(stretch(TEXT, list(what.encode())))
            elif kind == "image":
                parts.append(stretch(IMAGE, pictures[what, how[0]]))
            else:
                parts.append(stretch(SPEECH, sounds[what, how[0]]))
        yield np.concatenate(parts + [[END]])


def build(out, size, arguments):
    import numpy as np
    import documents
    import emoji as emoji_list
    import pictures
    import speech
    import text
    import tokens
    from progress import say

    train_tokens, heldout_tokens, every = SIZES[size]
    say("reading the emoji, their names and the dictionary")
    emoji = emoji_list.Emoji(pictures.fingerprint, every)
    pages = text.documents(every)
    plans = {split: documents.Planner(emoji, split, f"{size} {split}").plan(pages[split], count)
             for split, count in [("train", train_tokens), ("heldout", heldout_tokens)]}

    names, drawn = documents.spoken_and_drawn(plans.values(), emoji)
    seen = {e for family in emoji.families["train"] for e in family}
    picture_codes, picture_book = pictures.encode(drawn, seen)
    sound_codes, sound_book = speech.encode(names, seen)

    card = {"arguments": arguments, "vocabulary": tokens.layout(), "splits": {}}
    # The old card goes first: files of two builds must never pass for one.
    if os.path.exists(path := os.path.join(out, "corpus.json")):
        os.remove(path)
    for split, plan in plans.items():
        say(f"writing {split}: {len(plan)} documents")
        ids = tokens.write_tokens(os.path.join(out, f"{split}.safetensors"),
                                  list(assemble(plan, picture_codes, sound_codes)))
        counts = np.bincount(tokens.modality_of(ids), minlength=len(tokens.MODALITIES))
        card["splits"][split] = {
            "documents": len(plan), "tokens": len(ids),
            "by_modality": dict(zip(tokens.MODALITIES, counts.tolist())),
            "emoji": len(emoji.families[split]), "emoji_with_variants": sum(map(len, emoji.families[split]))}
    tokens.write_safetensors(
        os.path.join(out, "codebooks.safetensors"),
        {"image": picture_book.reshape(-1, pictures.PATCH, pictures.PATCH, 3),
         "speech": sound_book.reshape(-1, speech.SPECTRA, speech.BANDS)},
        {"format": "momc codebooks", "version": "1",
         "image": "RGB patches", "speech": f"mel levels, bytes over {speech.FLOOR}..{speech.CEILING} dB, "
         f"{speech.HOP / speech.RATE * 1000:g} ms each at {speech.RATE} Hz"})
    card["languages"] = emoji_list.LANGUAGES
    card["files"] = {name: os.path.getsize(os.path.join(out, name)) for name in FILES}
    tokens.write_whole(path, json.dumps(card, indent=1).encode() + b"\n")
    for split, numbers in card["splits"].items():
        say(f"{split}: {numbers['tokens']} tokens in {numbers['documents']} documents, {numbers['by_modality']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="where the corpus goes")
    parser.add_argument("--size", choices=SIZES, default="small")
    options = parser.parse_args()
    arguments = {"size": options.size, "recipe": recipe(), "packages": package_versions()}

    os.makedirs(options.out, exist_ok=True)
    # One build at a time in a folder: a second waits, and finds it complete.
    folder = os.open(options.out, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    if complete(options.out, arguments):
        print(f"{options.out} is complete: {options.size}", file=sys.stderr)
        return
    # Matrix products are exact here (kmeans.py), and the machine may be shared.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    build(options.out, options.size, arguments)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: run again to build the corpus from the start")
