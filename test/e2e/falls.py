"""falls.py LOG [LOSS]: a loss of a run's log falls, in training and held out."""
import json
import sys

name = sys.argv[2] if len(sys.argv) > 2 else "lm"
lines = [json.loads(line) for line in open(sys.argv[1])]
for kind in ("train", "eval"):
    losses = [line["loss"][name] for line in lines if line["kind"] == kind]
    if kind == "eval" and len(losses) == 1:
        continue  # nothing to compare it with
    if not losses[-1] < losses[0]:
        sys.exit(f"{kind} loss went from {losses[0]} to {losses[-1]}")
