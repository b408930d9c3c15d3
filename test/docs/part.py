"""The first tokens of a token file as a file of their own: part.py FROM TO TOKENS."""
import json
import struct
import sys

kinds = {"U8": ("B", 1), "U16": ("H", 2), "I64": ("q", 8)}
data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header, count = json.loads(data[8:8 + size]), int(sys.argv[3])
parts = {}
for name in ("id", "modality"):
    begin = 8 + size + header[name]["data_offsets"][0]
    parts[name] = (header[name]["dtype"], data[begin:begin + count * kinds[header[name]["dtype"]][1]])
parts["document"] = ("I64", struct.pack("<2q", 0, count))
result, offset = {}, 0
for name, (kind, content) in sorted(parts.items(), key=lambda part: -kinds[part[1][0]][1]):
    result[name] = {"dtype": kind, "shape": [len(content) // kinds[kind][1]],
                    "data_offsets": [offset, offset + len(content)]}
    offset += len(content)
text = json.dumps(result).encode()
with open(sys.argv[2], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for name in result:
        file.write(parts[name][1])
