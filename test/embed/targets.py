"""A library for several targets through the Python package: targets.py LIBRARY."""
import sys

import momc

program = momc.load(sys.argv[1], device="cpu")
print("target", program.target)
assert momc.load(sys.argv[1]).name == program.name
try:
    momc.load(sys.argv[1], device="gpu")
except ValueError as error:
    print(error)
