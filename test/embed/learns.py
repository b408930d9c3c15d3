"""The last of the losses that the host program printed is well below the first."""
import re
import sys

losses = [float(text) for text in re.findall(r"loss ([\d.]+)", open(sys.argv[1]).read())]
if len(losses) != 20 or not losses[-1] < 0.9 * losses[0]:
    sys.exit(f"expected losses that fall, but got {losses}")
