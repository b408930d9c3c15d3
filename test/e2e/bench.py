"""The figures of `momc bench --json`, or the timeline of `momc profile`, add up."""
import json
import sys

data = json.load(open(sys.argv[1]))
if "traceEvents" in data:
    spans = [event for event in data["traceEvents"] if event["ph"] == "X"]
    entries = [event for event in spans if event["tid"] == 1]
    launches = [event for event in spans if event["tid"] == 2]
    assert [event["name"] for event in entries] == ["gradient", "update"]
    for entry in entries:
        inside = [e for e in launches if entry["ts"] - 1e-6 <= e["ts"] < entry["ts"] + entry["dur"]]
        assert abs(sum(e["dur"] for e in inside) - entry["dur"]) < 1e-3 * entry["dur"] + 1e-3
    names = [event["name"] for event in launches]
    assert any(names.count(name) == 2 for name in names), "a repeated layer's launches come once a round"
    assert all("mixture-of-mamba.mom:" in event["args"]["source"] for event in launches if event["dur"])
    sys.exit()
D, depth, E, N, R, V, tokens = 16, 2, 32, 16, 1, 1280, 48
assert data["tokens"] == tokens and data["ceilings"]["copy"] == 100
entries = {entry["entry"]: entry for entry in data["entries"]}
forward = depth * 2 * (D * 2 * E + E * 4 + E * (R + 2 * N) + R * E + E * D) + 2 * D * V
flops = sum(kernel["flops"] for kernel in entries["loss"]["kernels"])
assert flops == tokens * forward, (flops, tokens * forward)
exps = sum(kernel["exps"] for kernel in entries["loss"]["kernels"])
assert exps >= tokens * (depth * E * N + V), exps
for entry in entries.values():
    for kernel in entry["kernels"]:
        assert kernel["milliseconds"] >= 0 and kernel["bytes"] > 0, kernel
        assert abs(kernel["share_of_copy"] - kernel["gigabytes_per_second"] / 100) < 1e-9
