"""compile.py IN writes the batch of compile.c for `momc run`; compile.py OUT HOST
compares the loss that it wrote with the one that the host program printed."""
import sys

import numpy as np
from compare import read, write

if len(sys.argv) == 2:
    at = np.arange(24)
    write(sys.argv[1], {"id": (at * 37 % 1280).astype(np.int32), "modality": (at // 5 % 3).astype(np.uint8),
                        "document": np.array([0, 9, 24], np.int64)})
else:
    expected = read(sys.argv[1])["loss.lm"].item()
    got = float(open(sys.argv[2]).read().removeprefix("loss.lm: "))
    if not abs(got - expected) < 1e-6 * expected:
        sys.exit(f"the host's loss is {got}, momc run's {expected}")
