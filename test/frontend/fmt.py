"""Formats every model of the sources: the tree stays the same, and so does the second result."""
import glob
import os
import subprocess
import sys
import tempfile


def momc(*arguments):
    done = subprocess.run(["momc", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout if done.returncode == 0 else None


bad = formatted = 0
with tempfile.TemporaryDirectory() as folder:
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "test/**/*.mom"), recursive=True)):
        once = momc("fmt", path, "-o", "-")
        if once is None:
            continue  # tests of the lexer
        formatted += 1
        copy = os.path.join(folder, "copy.mom")
        with open(copy, "w") as file:
            file.write(once)
        if momc("fmt", copy, "-o", "-") != once:
            bad += 1
            print(f"{path}: formatting its formatted text changes it")
        if momc("emit", path, "--stage", "ast") != momc("emit", copy, "--stage", "ast"):
            bad += 1
            print(f"{path}: formatting changes the program")
print(f"{formatted} texts")
sys.exit(bad > 0 or formatted < 20)
