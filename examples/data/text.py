"""Running text: WordNet's glosses and examples, as packed in dict-wn."""

import gzip
import hashlib
import random
import re

DICTIONARY = "/usr/share/dictd/wn.dict.dz"  # dictzip is gzip with an index
LONGEST = 509  # bytes a document: 512 tokens with its opening, closing and end
HELD_OUT = 20  # one entry in so many


def entries(every):
    """(headword, text) of each entry, of the first part of so many. A gloss shared by synonyms is kept with
    the first only: one meaning must not be on both sides of the split."""
    with gzip.open(DICTIONARY, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    lines = lines[:len(lines) // every]
    known, head, body = set(), None, []

    def finished():
        text = re.sub(r"\[(syn|ant|also):.*?\]", "", " ".join(body).replace("{", "").replace("}", ""))
        senses = re.split(r"(?:^|\s)(?:(?:n|v|adj|adv|adj \w+) )?\d*: ", re.sub(r"\s+", " ", text))
        fresh = [s.strip() for s in senses if s.strip() and s.strip() not in known]
        known.update(fresh)
        return "; ".join(fresh)

    for line in lines:
        if line.startswith(" "):
            body.append(line.strip())
            continue
        if head and body and (text := finished()):
            yield head, text
        head, body = line.strip(), []


def cut(text):
    """The first bytes of a text that fit, whole words only."""
    if len(text.encode()) <= LONGEST:
        return text
    return text.encode()[:LONGEST].decode(errors="ignore").rsplit(" ", 1)[0]


def documents(every=1):
    """{split: [document, ...]}: neighbouring entries packed up to the limit.
    `every` > 1 reads only the first part of so many, for a quick test."""
    packed = {"train": [], "heldout": []}
    open_page = {"train": "", "heldout": ""}
    for head, text in entries(every):
        if head.startswith("00-database"):  # the licence and the like
            continue
        # By a hash of the entry, so that the split never depends on the rest.
        chosen = int.from_bytes(hashlib.sha256(head.encode()).digest()[:4], "big") % HELD_OUT
        split = "train" if chosen else "heldout"
        entry = cut(f"{head}: {text}")
        page = open_page[split]
        if page and len(f"{page}\n{entry}".encode()) > LONGEST:
            packed[split].append(page)
            page = ""
        open_page[split] = f"{page}\n{entry}" if page else entry
    for split, pages in packed.items():
        pages.append(open_page[split])
        random.Random(f"running text {split}").shuffle(pages)
    return packed
