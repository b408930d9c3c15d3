#!/usr/bin/python3
"""Writes texts as a token file of prompts for `momc generate`.

    /usr/bin/python3 prompt.py --out prompts.safetensors "en: cat" "de: Katze" --then image

Each text opens a document of its own, as the corpus writes them. `--then` opens a stretch of
the modality that is to come; without it the model chooses.
"""

import argparse

import numpy as np

from tokens import FIRST_SPECIAL, MODALITIES, TEXT, stretch, write_tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="+")
    parser.add_argument("--out", required=True, metavar="FILE")
    parser.add_argument("--then", choices=MODALITIES)
    options = parser.parse_args()
    opening = [] if not options.then else [FIRST_SPECIAL + 2 * MODALITIES.index(options.then)]
    write_tokens(options.out, [np.concatenate([stretch(TEXT, list(text.encode())), np.array(opening, int)])
                               for text in options.text])


if __name__ == "__main__":
    main()
