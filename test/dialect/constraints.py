"""Numbered constraints stand in three places - the op's description, a negative
test `@op_cN`, and `// CN` in the verifier - and drift apart by hand."""
import glob
import os
import re
import sys

source = sys.argv[1]


def read(pattern):
    return "\n".join(open(path).read() for path in sorted(glob.glob(os.path.join(source, pattern))))


described = set()
for op in re.finditer(r'^def Mom_\w+ : .*?^}$', read("dialect/*Ops.td"), re.S | re.M):
    name = re.search(r'<(?:Mom_Dialect, )?"(\w+)"', op.group(0)).group(1)
    described |= {(name, number) for number in re.findall(r"\((C\d+)\)", op.group(0))}
tests = read("test/dialect/*.mlir") + read("test/compiler/order/*.mlir")
tested = {(name, "C" + number) for name, number in re.findall(r"@(\w+?)_c(\d+)", tests)}
verifiers = read("dialect/*.cpp")
bad = [f"{name}: {number} is described but has no test @{name}_{number.lower()}" for name, number in described - tested]
bad += [f"{name}: {number} is tested but not described" for name, number in tested - described]
bad += [f"{name}: no verifier cites {number}" for name, number in described if f"// {number}" not in verifiers]
print(f"{len(described)} constraints")
sys.exit("\n".join(sorted(bad)) if bad or not described else 0)
