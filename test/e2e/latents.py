"""A small token file with text and continuous pictures: documents of words, a picture of
16 latents that the words decide, and words again."""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import write  # noqa: E402

TEXT, IMAGE = 0, 1
VOCABULARY, LATENT, DOCUMENTS = 64, 16, 60

random = np.random.default_rng(5)
kinds = random.standard_normal((8, LATENT))  # what the pictures of a word look like
ids, modality, latents, offsets = [], [], [], [0]
for _ in range(DOCUMENTS):
    kind = int(random.integers(len(kinds)))
    words = [kind, kind + 8, kind + 16]
    picture = kinds[kind] + 0.1 * random.standard_normal((16, LATENT))
    ids += words + [63] * 16 + words
    modality += [TEXT] * 3 + [IMAGE] * 16 + [TEXT] * 3
    latents.append(picture)
    offsets.append(len(ids))

dense = sys.argv[2:] == ["--dense"]
latent = np.concatenate(latents).astype(np.float32)
if dense:
    everything = np.full((len(ids), LATENT), 7, np.float32)  # of text tokens: never read
    everything[np.array(modality) == IMAGE] = latent
    latent = everything
os.makedirs(sys.argv[1], exist_ok=True)
for split in ("train", "heldout"):
    write(os.path.join(sys.argv[1], f"{split}.safetensors"),
          {"latent": latent, "id": np.array(ids, np.int32), "modality": np.array(modality, np.uint8),
           "document": np.array(offsets, np.int64)},
          {"format": "momc tokens", "version": "1", "modalities": "text,image", "vocabulary": str(VOCABULARY)})
