"""A small token file for the suite's models: tokens.py FILE VOCABULARY.

Documents of uneven lengths in spans of one modality; within a span an id follows
from the one before it, but for some noise, so that there is something to learn."""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
from compare import write  # noqa: E402

path, vocabulary = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(11)
ids, modality, document = [], [], [0]
while len(ids) < 40_000:
    for _ in range(random.integers(1, 12)):
        kind, length = int(random.integers(0, 3)), int(random.integers(1, 60))
        base, size = kind * vocabulary // 3, vocabulary // 3
        now = int(random.integers(0, size))
        for _ in range(length):
            now = int(random.integers(0, size)) if random.random() < 0.1 else (5 * now + 3 + kind) % size
            ids.append(base + now)
        modality += [kind] * length
    document.append(len(ids))
write(path, {"id": np.array(ids, np.int32), "modality": np.array(modality, np.uint8),
             "document": np.array(document, np.int64)},
      {"format": "momc tokens", "version": "1", "modalities": "text,image,speech",
       "vocabulary": str(vocabulary)})
