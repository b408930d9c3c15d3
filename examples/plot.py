#!/usr/bin/python3
"""Draws the losses of training runs as one HTML page that needs nothing else.

    /usr/bin/python3 plot.py RUN_DIR... --out losses.html [--x step|tokens|seconds]

Reads log.jsonl in each folder. A run that is still going, or was resumed, is
drawn as far as it has come.
"""

import argparse
import html
import json
import math
import os
import statistics
import sys

WIDTH, HEIGHT = 560, 320  # a panel
LEFT, RIGHT, TOP, BOTTOM = 52, 64, 14, 42
MODALITIES = ["text", "image", "speech"]
RAW_POINTS = 600  # as many as a panel has pixels across
# One hue a run, in the order given, each chosen for its background.
LIGHT = ["#2468b4", "#c2571a", "#2b8a4b", "#a33b8f", "#8a6d00", "#0f8a94", "#c23a4b", "#5d5bc2"]
DARK = ["#6aa9f0", "#f0995c", "#63c584", "#e08ad0", "#d3b64a", "#4fc9d3", "#f27f8d", "#a3a1f5"]

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2127; --soft: #646b75; --rule: #e3e6ea; %s }
@media (prefers-color-scheme: dark) { :root { --paper: #15181d; --ink: #e7e9ec; --soft: #9aa2ad; --rule: #2c323a; %s } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1180px; padding: 0 1rem;
       background: var(--paper); color: var(--ink) }
h1 { font-size: 1.3rem; margin: 0 0 .5rem } h2 { font-size: 1rem; margin: 0 0 .2rem }
h2 small, .key { font-weight: 400; color: var(--soft) }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin-bottom: 1rem }
.legend svg { vertical-align: middle; margin-right: .4rem }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%%, 460px), 1fr)); gap: 1.5rem }
.panels svg { width: 100%%; height: auto; display: block } svg text { font-size: 12px; fill: var(--soft) }
.grid { stroke: var(--rule) } .raw { fill: none; opacity: .28; stroke-width: 1 }
.smooth { fill: none; stroke-width: 2; stroke-linejoin: round } .held { fill: none; stroke-width: 1; stroke-dasharray: 3 3 }
.mark { fill: var(--paper); stroke-width: 1.8 } .end { font-weight: 600 }
.table { overflow-x: auto } table { border-collapse: collapse; margin-top: 1.5rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap }
th { font-weight: 600; color: var(--soft) } th:first-child, td:first-child { text-align: left }
"""


class Run:
    """The log of one run: `points[kind]` is a list of (position, {series: value})."""

    def __init__(self, folder, axis):
        self.name = os.path.basename(os.path.abspath(folder))
        entries = {"train": [], "eval": []}
        with open(os.path.join(folder, "log.jsonl"), encoding="utf-8") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    kind, step = entry["kind"], entry["step"]
                except (ValueError, KeyError, TypeError):
                    continue  # the last line of a run still going may be half written
                if kind not in entries:
                    continue
                # A resumed run repeats steps: what it wrote last is what counts.
                while entries[kind] and entries[kind][-1]["step"] >= step:
                    entries[kind].pop()
                entries[kind].append(entry)
        self.train = entries["train"]
        self.points = {kind: self.placed(entries[kind], axis) for kind in entries}

    def placed(self, entries, axis):
        # Evaluations may log the step alone: they take the place of that step in training.
        known = {e["step"]: e[axis] for e in self.train if axis in e} if axis != "step" else {}
        steps = sorted(known)
        placed = []
        for entry in entries:
            at = entry.get(axis)
            if at is None and steps:
                at = known[min(steps, key=lambda s: abs(s - entry["step"]))]
            if at is not None:
                placed.append((at, series(entry)))
        return placed

    def curve(self, kind, name):
        return [(at, values[name]) for at, values in self.points[kind] if name in values]

    def speed(self):
        speeds = [e["tokens_per_s"] for e in self.train if "tokens_per_s" in e]
        return statistics.median(speeds) if speeds else None


def series(entry):
    """What a log line says, by panel. A value that is no number is left out."""
    values = {name: v for name, v in entry.get("metrics", {}).get("bits", {}).items()}
    losses = entry.get("loss", {})
    if losses and all(isinstance(v, (int, float)) for v in losses.values()):
        values["total"] = sum(losses.values())
    return {k: v for k, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}


def smooth(curve):
    """An exponential mean over about a fortieth of the curve, not pulled to zero at its start."""
    keep = 1 - 1 / max(1, len(curve) / 40)
    mean, weight, out = 0.0, 0.0, []
    for at, value in curve:
        mean, weight = mean * keep + value * (1 - keep), weight * keep + (1 - keep)
        out.append((at, mean / weight))
    return out


def thin(curve):
    stride = -(-len(curve) // RAW_POINTS) if curve else 1
    return curve[::stride] + (curve[-1:] if (len(curve) - 1) % stride else [])


def ticks(low, high, about=5):
    rough = (high - low) / about
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def short(value):
    for size, unit in [(1e9, "G"), (1e6, "M"), (1e3, "k")]:
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def panel(name, unit, runs, axis):
    """One panel as a figure, "" when no run has the series."""
    curves = [(i, run.curve("train", name), run.curve("eval", name)) for i, run in enumerate(runs)]
    curves = [(i, t, e) for i, t, e in curves if t or e]
    if not curves:
        return ""
    smoothed = {i: smooth(train) for i, train, _ in curves}
    # The noise of single steps does not set the scale; the curves do.
    heights = [v for i, _, held in curves for _, v in smoothed[i] + held]
    low, high = min(heights), max(heights)
    margin = (high - low or abs(high) or 1) * 0.06
    low, high = low - margin, high + margin
    far = max(at for _, train, held in curves for at, _ in train + held) or 1

    def x(at):
        return LEFT + at / far * (WIDTH - LEFT - RIGHT)

    def y(value):
        return TOP + (high - min(max(value, low), high)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def line(curve, kind, i):
        points = " ".join(f"{x(at):.1f},{y(v):.1f}" for at, v in curve)
        return f'<polyline class="{kind}" stroke="var(--run{i % len(LIGHT)})" points="{points}"/>'

    out = []
    for value in ticks(low, high):
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
                   f'<text x="{LEFT - 7}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for at in ticks(0, far):
        out.append(f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{short(at)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 5}" text-anchor="middle">{axis}</text>'
               f'<text x="13" y="{(TOP + HEIGHT - BOTTOM) / 2}" text-anchor="middle" '
               f'transform="rotate(-90 13 {(TOP + HEIGHT - BOTTOM) / 2})">{unit}</text>')
    ends = []
    for i, train, held in curves:
        out.append(line(thin(train), "raw", i) + line(thin(smoothed[i]), "smooth", i) + line(held, "held", i))
        for at, value in held:
            out.append(f'<circle class="mark" stroke="var(--run{i % len(LIGHT)})" cx="{x(at):.1f}" cy="{y(value):.1f}" '
                       f'r="3"><title>{html.escape(runs[i].name)}, {axis} {at:g}: held out {value:.4f}</title></circle>')
        if train:
            ends.append([y(smoothed[i][-1][1]) + 4, i, f"{smoothed[i][-1][1]:.3f}"])
        if held:
            ends.append([y(held[-1][1]) + 4, i, f"○ {held[-1][1]:.3f}"])
    # End values keep 13 pixels apart, pushed down and then, past the foot, up.
    ends.sort(key=lambda end: end[0])
    for above, end in zip(ends, ends[1:]):
        end[0] = max(end[0], above[0] + 13)
    floor = HEIGHT - BOTTOM + 4
    for end in reversed(ends):
        end[0], floor = min(end[0], floor), min(end[0], floor) - 13
    for at, i, text in ends:
        # `style`, as the sheet's colour of text would win over an attribute.
        out.append(f'<text class="end" x="{WIDTH - RIGHT + 6}" y="{at:.1f}" '
                   f'style="fill:var(--run{i % len(LIGHT)})">{text}</text>')
    return (f"<figure style='margin:0'><h2>{html.escape(name)} <small>{unit}</small></h2>"
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(name)}, {unit} by {axis}">'
            f"{''.join(out)}</svg></figure>")


def table(runs, names):
    """Rows of text: a header, then first and last values of each run."""
    rows = [["run", "values", "steps", "tokens/s"] + names]
    for run in runs:
        for kind, label in [("train", "training"), ("eval", "held out")]:
            cells = []
            for name in names:
                curve = run.curve(kind, name)
                first, last = (curve[0][1], smooth(curve)[-1][1] if kind == "train" else curve[-1][1]) if curve else (0, 0)
                cells.append(f"{first:.3f} → {last:.3f}" if curve else "-")
            speed = run.speed() if kind == "train" else None
            rows.append([run.name, label, str(run.train[-1]["step"]) if run.train else "-",
                         short(speed) if speed else "-"] + cells)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN_DIR")
    parser.add_argument("--out", required=True, metavar="FILE.html")
    parser.add_argument("--x", default="step", choices=["step", "tokens", "seconds"])
    options = parser.parse_args()
    try:
        runs = [Run(folder, options.x) for folder in options.runs]
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}")

    logged = {name for run in runs for points in run.points.values() for _, values in points for name in values}
    names = [n for n in MODALITIES if n in logged] + sorted(logged - {*MODALITIES, "total"})
    names += ["total"] if "total" in logged else []
    if not names:
        sys.exit("error: no losses in these logs yet")
    panels = "".join(panel(n, "loss (nats)" if n == "total" else "bits a token", runs, options.x) for n in names)
    legend = "".join(f'<span><svg width="26" height="10"><line x2="26" y1="5" y2="5" stroke-width="3" '
                     f'stroke="var(--run{i % len(LIGHT)})"/></svg>{html.escape(run.name)}</span>'
                     for i, run in enumerate(runs))
    rows = table(runs, names)
    body = "".join("<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in row) + "</tr>"
                   for tag, row in zip(["th"] + ["td"] * len(rows), rows))
    colours = (" ".join(f"--run{i}: {c};" for i, c in enumerate(palette)) for palette in (LIGHT, DARK))
    with open(options.out, "w", encoding="utf-8") as file:
        file.write(f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
                   f"<title>Losses</title><style>{STYLE % tuple(colours)}</style><h1>Losses</h1>"
                   f'<div class="legend">{legend}<span class="key">thin: each logged step · thick: smoothed · ○ held out</span>'
                   f'</div><div class="panels">{panels}</div><div class="table"><table>{body}</table></div></html>\n')

    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip())
    print(f"drawn in {options.out}")


if __name__ == "__main__":
    main()
