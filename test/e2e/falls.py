"""The loss of a run's log falls, in training and held out."""
import json
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
for kind in ("train", "eval"):
    losses = [line["loss"]["lm"] for line in lines if line["kind"] == kind]
    if not losses[-1] < losses[0]:
        sys.exit(f"{kind} loss went from {losses[0]} to {losses[-1]}")
