"""Runs docs/Embedding.md: docs.py SOURCE BUILD PREFIX FOLDER. Its project is built and run,
its Python too, and its table of symbols is the libraries'."""
import os
import re
import subprocess
import sys

source, build, prefix, folder = sys.argv[1:5]
text = open(os.path.join(source, "docs/Embedding.md")).read()
blocks = {kind: code for kind, code in re.findall(r"```(\w+)\n(.*?)```", text, re.S)}
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
for name, content in (("CMakeLists.txt", blocks["cmake"]), ("host.c", blocks["c"]),
                      ("model.mom", open(os.path.join(source, "examples/linear.mom")).read())):
    open(name, "w").write(content)


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


run("cmake", "-B", "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_C_COMPILER=clang")
run("ninja", "-C", "build")
loss = re.fullmatch(r"loss ([\d.]+)\n", run("build/host")).group(1)
# The installed package finds the libraries of its prefix.
environment = {**os.environ, "PYTHONPATH": os.path.join(prefix, "lib/python")}
said = run("/usr/bin/python3", "-B", "-c", blocks["python"], env=environment)
value, shape = re.fullmatch(r"\[([\d.]+)\] (.*)\n", said).groups()
assert abs(float(value) - float(loss)) < 2e-3 and shape == "(2, 64, 16)", (loss, said)

exported = set()
for library in ("libmomrt.so", "libmomc.so"):
    names = run("llvm-nm", "-D", "--defined-only", os.path.join(build, "lib", library))
    exported |= {line.split()[-1].split("@")[0] for line in names.splitlines()}
rows = "\n".join(line for line in text.splitlines() if re.match(r"\| `mom", line))
listed = set(re.findall(r"`(mom(?:rt|c)_\w+)`", re.sub(r"\(.*?\)", "", rows)))
assert exported == listed, (exported - listed, listed - exported)
for header in ("runtime/include/momrt/momrt.h", "compiler/include/momc/momc.h"):
    declared = open(os.path.join(source, header)).read()
    for name in re.findall(r"_API [^;]*?\b(mom(?:rt|c)_\w+)\(", declared):
        exported.discard(name)
assert not exported, f"not in a header: {exported}"
