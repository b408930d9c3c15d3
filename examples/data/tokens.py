"""The vocabulary, and token files: safetensors written and read by hand.

A token file holds `id` U16 [T], `modality` U8 [T] and `document` I64
[documents + 1]: offsets into T, the first 0 and the last T.
"""

import json
import os
import struct

import numpy as np

MODALITIES = ["text", "image", "speech"]
TEXT, IMAGE, SPEECH = range(3)

BYTES = 256
# Each modality opens and closes its own stretches, so that a special token
# always goes through the weights of the modality it speaks about.
SPECIALS = ["<text>", "</text>", "<image>", "</image>", "<speech>", "</speech>", "<end>", "<pad>"]
SPECIAL_MODALITY = [TEXT, TEXT, IMAGE, IMAGE, SPEECH, SPEECH, TEXT, TEXT]
FIRST_SPECIAL = BYTES
IMAGE_CODES, SPEECH_CODES = 512, 500
FIRST_IMAGE = FIRST_SPECIAL + len(SPECIALS)
FIRST_SPEECH = FIRST_IMAGE + IMAGE_CODES
USED = FIRST_SPEECH + SPEECH_CODES
VOCABULARY = -(-USED // 64) * 64  # whole tiles for the output projection
END = FIRST_SPECIAL + SPECIALS.index("<end>")


def modality_of(ids):
    """The modality of each token id, as U8. Every id has exactly one."""
    table = np.zeros(VOCABULARY, np.uint8)
    table[FIRST_SPECIAL:FIRST_IMAGE] = SPECIAL_MODALITY
    table[FIRST_IMAGE:FIRST_SPEECH] = IMAGE
    table[FIRST_SPEECH:] = SPEECH
    return table[ids]


def stretch(modality, codes):
    """Codes of one modality as token ids between their opening and closing."""
    first = [0, FIRST_IMAGE, FIRST_SPEECH][modality]
    opening = FIRST_SPECIAL + 2 * modality
    return np.concatenate([[opening], np.asarray(codes, np.int64) + first, [opening + 1]])


def layout():
    """The vocabulary as corpus.json describes it: [first, one past the last]."""
    return {
        "size": VOCABULARY,
        "bytes": [0, BYTES],
        "specials": {name: FIRST_SPECIAL + at for at, name in enumerate(SPECIALS)},
        "image": [FIRST_IMAGE, FIRST_SPEECH],
        "speech": [FIRST_SPEECH, USED],
        "unused": [USED, VOCABULARY],
    }


KINDS = {"U8": np.uint8, "U16": np.uint16, "I64": np.int64, "F32": np.float32}


def write_whole(path, *chunks):
    """Writes a file so that its name never stands for half of it."""
    partial = path + ".partial"
    with open(partial, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(folder)  # makes the rename itself last
    finally:
        os.close(folder)


def write_safetensors(path, tensors, metadata):
    # Widest elements first: with the header padded to 8 bytes each tensor then
    # starts at a multiple of its element size, and a reader may map the file.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header, at = {"__metadata__": metadata}, 0
    for name, array in ordered:
        kind = next(k for k, dtype in KINDS.items() if array.dtype == dtype)
        header[name] = {"dtype": kind, "shape": list(array.shape),
                        "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_whole(path, struct.pack("<Q", len(text)), text,
                *(np.ascontiguousarray(array).tobytes() for _, array in ordered))


def read_safetensors(path):
    """The tensors of a file by name, and its metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], KINDS[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def write_tokens(path, documents):
    """Writes documents, each an array of token ids, as a token file."""
    ids = np.concatenate(documents).astype(np.uint16)
    offsets = np.cumsum([0] + [len(d) for d in documents], dtype=np.int64)
    write_safetensors(
        path,
        {"id": ids, "modality": modality_of(ids), "document": offsets},
        {"format": "momc tokens", "version": "1", "modalities": ",".join(MODALITIES),
         "vocabulary": str(VOCABULARY)})
    return ids
