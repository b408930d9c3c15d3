"""Two checkpoints hold the same tensors, to the bit (their times may differ)."""
import json
import struct
import sys


def tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + size:][slice(*entry["data_offsets"])])
            for name, entry in header.items()}


first, second = (tensors(path) for path in sys.argv[1:3])
different = [name for name in first if first[name] != second.get(name)] + sorted(set(second) - set(first))
if different:
    sys.exit(f"{len(different)} tensors differ, the first is {different[0]}")
print(f"{len(first)} tensors are the same")
