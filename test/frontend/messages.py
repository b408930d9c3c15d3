"""Every message of the frontend and of the schedules has a test.

messages.py SOURCE: takes each statement of the sources that reports something, and looks
for the longest piece of text in it among what tests expect.
"""
import glob
import os
import re
import sys

root = sys.argv[1]
# Said with a piece of text that is put together elsewhere, or only where momc itself is wrong.
SOURCES = ["frontend/*.cpp", "compiler/Schedule/ApplySchedules.cpp", "compiler/Autodiff/Partition.cpp",
           "compiler/Autodiff/InlineLayers.cpp"]
CALLS = re.compile(r"\b(?:error|errorAt|warning|emitError|emitWarning|emitOpError)\(")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def statements(text):
    """The text from each reporting call to the end of its statement."""
    for match in CALLS.finditer(text):
        depth, at, quoted = 0, match.start(), False
        while at < len(text):
            if text[at] == '"' and text[at - 1] != "\\":
                quoted = not quoted
            elif not quoted and text[at] in "({":
                depth += 1
            elif not quoted and text[at] in ")}":
                depth -= 1
                if depth < 0:
                    break
            elif not quoted and text[at] == ";" and depth <= 0:
                break
            at += 1
        yield text[:match.start()].count("\n") + 1, text[match.start():at]


def pieces(statement):
    """Its texts; neighbours are one, as the compiler has them."""
    joined = re.sub(r'"\s*\n\s*"', "", statement)
    return [piece.replace('\\"', '"') for piece in TEXT.findall(joined)]


def main():
    expected = ""
    for path in glob.glob(os.path.join(root, "test/**/*"), recursive=True):
        if path.endswith((".mom", ".mlir", ".test", ".sched")):
            with open(path, errors="replace") as file:
                expected += "".join(line for line in file if re.search(r"expected-|[A-Z]+(-NEXT|-SAME)?:", line))
    missing, count = [], 0
    for pattern in SOURCES:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            with open(path) as file:
                text = re.sub(r"//[^\n]*", "", file.read())
            for line, statement in statements(text):
                found = pieces(statement)
                longest = max(found, key=len, default="")
                if len(longest) < 4:
                    continue
                count += 1
                if longest not in expected:
                    missing.append(f"{os.path.relpath(path, root)}:{line}: {longest}")
    for text in missing:
        print(text)
    print(f"{count} messages, {len(missing)} without a test")
    sys.exit(bool(missing) or count < 150)


main()
