#!/usr/bin/python3
"""Pictures of emoji for a classifier: 64 patches a picture, and what it shows.

    /usr/bin/python3 patches.py --out DIR [--every N]

Writes DIR/train.safetensors and DIR/heldout.safetensors: a document a picture, with
`patch` F32 [tokens, 48] in 0..1, `place` U8 [tokens], and `class` U8 [documents], the
first of CLASSES that is among the emoji's English keywords.
"""

import argparse
import os
import sys

import numpy as np

import emoji as emoji_list
import pictures
import tokens

CLASSES = ["flag", "face", "hand", "animal", "food", "person"]


def class_of(emoji, keywords):
    words = set(keywords.get(emoji, []))
    found = [at for at, name in enumerate(CLASSES) if name in words]
    return found[0] if found else None


def write(path, wanted):
    """`wanted`: (emoji, class) pairs, each drawn in all views."""
    patches, classes = [], []
    for emoji, kind in wanted:
        for picture in pictures.views(emoji, range(len(pictures.VIEWS))):
            patches.append(pictures.cut(picture).astype(np.float32) / 255)
            classes.append(kind)
    count, side = len(patches), pictures.GRID * pictures.GRID
    tokens.write_safetensors(
        path,
        {"patch": np.concatenate(patches), "place": np.tile(np.arange(side, dtype=np.uint8), count),
         "class": np.array(classes, np.uint8), "document": np.arange(count + 1, dtype=np.int64) * side},
        {"format": "momc tokens", "version": "1", "classes": ",".join(CLASSES)})
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one emoji family in N")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    emoji = emoji_list.Emoji(pictures.fingerprint, options.every)
    for split in ["train", "heldout"]:
        known = [(e, class_of(e, emoji.keywords["en"])) for family in emoji.families[split] for e in family]
        pairs = [(e, kind) for e, kind in known if kind is not None]
        if not pairs:
            sys.exit(f"error: no emoji of a class is left for {split}: choose a smaller --every")
        count = write(os.path.join(options.out, f"{split}.safetensors"), pairs)
        print(f"{split}: {count} pictures of {len(pairs)} emoji", file=sys.stderr)


if __name__ == "__main__":
    main()
