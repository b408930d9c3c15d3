"""Runs what the README shows: the model, each momc command, the table of stages."""
import os
import re
import shlex
import subprocess
import sys


source, folder = sys.argv[1:3]
text = open(os.path.join(source, "README.md")).read()
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
for name in ("examples",):
    if not os.path.islink(name):
        os.symlink(os.path.join(source, name), name)

model = re.search(r"```mom\n(.*?)```", text, re.S).group(1)
open("readme.mom", "w").write(model)
subprocess.run(["momc", "check", "readme.mom"], check=True)

# The data of the commands: the tiny corpus, and a part of it as a batch.
python = "/usr/bin/python3"
corpus = [python, "examples/data/corpus.py", "--out", "build/corpus", "--size", "tiny"]
subprocess.run(corpus, check=True, stderr=subprocess.DEVNULL)
subprocess.run([python, os.path.join(source, "test/docs/part.py"), "build/corpus/heldout.safetensors",
                "in.safetensors", "60"], check=True)
commands = [line for line in text.splitlines() if line.startswith("momc ")]
assert len(commands) >= 8, commands
for command in commands:
    words = shlex.split(command)
    if "--steps" in words:  # as many steps as show that it works
        steps = words.index("--steps") + 1
        words[steps] = "4" if "--resume" in words else "2"
    if words[1] in ("bench", "profile"):
        words += "--set D=16 --streams 1 --length 16 --repeats 1".split()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print("ran", command)

rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.M)
help_text = subprocess.run(["momc", "emit", "--help"], capture_output=True, text=True).stdout
stages = re.search(r"ast\|[\w|]+", help_text).group(0).split("|")
assert [name for name, _ in rows] == stages, (rows, stages)
