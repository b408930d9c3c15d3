#!/usr/bin/env python3
"""Grouped products beside cuBLASLt on one GPU.

usage: products.py FOLDER --momc PATH [--d 1024,2048] [--products in_proj,...]
                   [--variant NAME:knob=value,...]...

Compiles the products of a Mixture-of-Mamba block (three modalities' weights, bf16) with
the knobs of each variant (none: the defaults) and writes a folder with their cubins and
products.cu. On a machine with a GPU and CUDA, `FOLDER/run.sh` checks every result
against a plain kernel and times all variants and the best of eight cuBLASLt algorithms
on the dense product of the same size, in turn, in one run. Its arguments are shares of the
tokens that the modalities have (none: 0.19,0.47,0.34), each a run.
"""
import argparse
import os
import re
import shutil
import subprocess

GROUPS = 3
TOKENS = 32768


class Product:
    """y[m, n] = sum over k. `form`: forward, dgrad or wgrad; `after`: what is fused."""

    def __init__(self, name, form, n, k, after="", rows=0):
        self.name, self.form, self.n, self.k, self.after, self.rows = name, form, n, k, after, rows

    def result(self):
        element = "f32" if self.after in ("residual", "f32") else "bf16"
        if self.form == "wgrad":
            return f"tensor<{GROUPS}x{self.rows}x{self.n}x{element}>"
        return f"tensor<?x{self.n}x{element}, #m>"

    def operands(self):
        """Roles and types of the kernel's tensors."""
        if self.form == "wgrad":
            return [("x", f"tensor<?x{self.n}xbf16, #m>"), ("w", f"tensor<?x{self.rows}xbf16, #m>")]
        n, k = (self.n, self.k) if self.form == "forward" else (self.k, self.n)
        list = [("x", f"tensor<?x{self.k}xbf16, #m>"), ("w", f"tensor<{GROUPS}x{n}x{k}xbf16>")]
        if self.after == "residual":
            list.append(("extra", f"tensor<?x{self.n}xf32, #m>"))
        if self.after == "gate":
            list.append(("extra", f"tensor<?x{self.n}xbf16, #m>"))
        if self.after == "softplus":
            list.append(("extra", f"tensor<{GROUPS}x{self.n}xf32>"))
        return list

    def body(self):
        """Lines that compute %y in f32 from %x, %w and %extra."""
        wide = lambda type: type.replace("bf16", "f32")
        types = dict(self.operands())
        y = wide(self.result())
        route = f'for %q : !mom.route<"M", {GROUPS}>'
        lines = [f"%{role}f = arith.extf %{role} : {types[role]} to {wide(types[role])}"
                 for role in types if "bf16" in types[role]]
        if self.form == "wgrad":
            lines.append(f"%p = mom.linear_wgrad %xf, %wf {route}, {wide(types['x'])}, "
                         f"{wide(types['w'])} -> {y}")
        else:
            how = "transposed " if self.form == "dgrad" else ""
            lines.append(f"%p = mom.linear {how}%xf by %wf {route}, {wide(types['x'])}, "
                         f"{wide(types['w'])} -> {y}")
        if self.after == "residual":
            lines.append(f"%y = arith.addf %p, %extra : {y}")
        elif self.after == "gate":
            lines += [f"%g = mom.silu %extraf : {y}", f"%y = arith.mulf %p, %g : {y}"]
        elif self.after == "softplus":
            lines += [f"%b = mom.broadcast %extra like %p {route}, {types['extra']}, {y} -> {y}",
                      f"%s = arith.addf %p, %b : {y}", f"%y = mom.softplus %s : {y}"]
        else:
            lines = [line.replace("%p =", "%y =") for line in lines]
        if "bf16" in self.result():
            lines += [f"%n = arith.truncf %y : {y} to {self.result()}",
                      f"mom.yield %n : {self.result()}"]
        else:
            lines.append(f"mom.yield %y : {self.result()}")
        return lines

    def text(self, knobs):
        tensors = self.operands()
        route = f'!mom.route<"M", {GROUPS}>'
        given = ", ".join(f"%{role}_given: {type}" for role, type in tensors)
        types = ", ".join(type for _, type in tensors)
        schedule = "schedule {" + ", ".join(f"{k} = {v}" for k, v in knobs.items()) + "}"
        names = ", ".join(f"%{role}_given" for role, _ in tensors)
        inner = ", ".join(f"%{role}: {type}" for role, type in tensors)
        lines = "\n".join("    " + line for line in self.body())
        return f"""#m = #mom.rows<token by "M">
func.func @f(%batch: !mom.batch, {given}) -> {self.result()} {{
  %r = mom.modality_route %batch : {route}
  %0 = mom.kernel product "y"({names}, %r) {schedule if knobs else ""} : \
({types}, {route}) -> {self.result()} {{
  ^bb0({inner}, %q: {route}):
{lines}
  }}
  return %0 : {self.result()}
}}
"""


def products(d):
    e, states, rank = 2 * d, 16, d // 16
    return [
        Product(f"in_proj.{d}", "forward", 2 * e, d),
        Product(f"out_proj.{d}", "forward", d, e),
        Product(f"out_proj+residual.{d}", "forward", d, e, "residual"),
        Product(f"in_proj.dgrad.{d}", "dgrad", d, 2 * e),
        Product(f"out_proj.dgrad.{d}", "dgrad", e, d),
        Product(f"out_proj.dgrad*gate.{d}", "dgrad", e, d, "gate"),
        Product(f"in_proj.wgrad.{d}", "wgrad", d, 0, "", 2 * e),
        Product(f"in_proj.wgrad.f32.{d}", "wgrad", d, 0, "f32", 2 * e),
        Product(f"out_proj.wgrad.{d}", "wgrad", e, 0, "", d),
        Product(f"x_proj.{d}", "forward", rank + 2 * states, e),
        Product(f"x_proj.dgrad.{d}", "dgrad", e, rank + 2 * states),
        Product(f"dt_proj.{d}", "forward", e, rank, "softplus"),
    ]


def bytes_of(type):
    sizes = [int(s) for s in re.findall(r"(\d+)x", type)]
    total = 2 if "bf16" in type else 4
    for size in sizes:
        total *= size
    return total


def launches(lowered, product, stem):
    """Lines of the manifest for each launch of @f."""
    functions = {}
    for line in lowered.splitlines():
        if m := re.search(r"llvm.func ptx_kernelcc @(\S+?)\(", line):
            number = lambda key: re.search(rf"mom\.{key} = (\d+)", line).group(1)
            functions[m.group(1)] = (number("threads"), number("shared"))
    body = lowered[lowered.index("func.func @f("):]
    body = body[:body.index("\n  }")]
    signature = body[:body.index("\n")]
    roles = {}
    names = re.findall(r"(%\w+): (?:!mom.batch|tensor)", signature)
    for name, role in zip(names, ["batch"] + [role for role, _ in product.operands()]):
        roles[name] = [role]
    route = re.search(r"(%\w+) = mom.modality_route", body).group(1)
    roles[route] = ["offsets", "rows", "positions"]
    returned = re.search(r"return (%[\w#]+)", body).group(1)
    lines = []
    launch = r"(%\w+)(?::\d+)? = mom.launch @(\S+) <(.*?)>\((.*?)\) (?:{.*?} )?: .*? -> (.*)"
    for m in re.finditer(launch, body):
        result, symbol, grid, operands, types = m.groups()
        tile, extra, factor = map(int, re.findall(r"(?:tile|extra|factor) (\d+)", grid))
        blocks = ((TOKENS if "token" in grid else 1) + tile - 1) // tile + extra
        types = types.replace(', #mom.rows<token by "M">', "")
        types = re.findall(r"tensor<.*?>(?=[,)]|$)", types)
        args = ["counts", "status"]
        for operand in operands.split(", "):
            args += roles[operand]
        for i, type in enumerate(types):
            name = f"{result}#{i}" if len(types) > 1 else result
            role = "y" if name == returned else f"buffer{len(lines)}.{i}:{bytes_of(type)}"
            roles[name] = [role]
            args.append(role)
        threads, shared = functions[symbol]
        lines.append(f"launch {stem}.cubin {symbol} {blocks * factor} {threads} {shared} {len(args)} "
                     + " ".join(args))
    if not lines:
        raise SystemExit(f"{product.name}: expected launches in @f, but found none:\n{body}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--momc", required=True)
    parser.add_argument("--d", default="1024")
    parser.add_argument("--products", default="")
    parser.add_argument("--variant", action="append", default=[])
    options = parser.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    os.makedirs(options.folder, exist_ok=True)
    shutil.copy(os.path.join(here, "products.cu"), options.folder)
    manifest, count, seen = [f"tokens {TOKENS}"], 0, {}
    wanted = [w for w in options.products.split(",") if w]
    for d in map(int, options.d.split(",")):
        for product in products(d):
            if wanted and product.name.rsplit(".", 1)[0] not in wanted:
                continue
            manifest.append(f"product {product.name} {product.form} {product.n} {product.k} "
                            f"{product.rows} {product.after or '-'}")
            for variant in options.variant or ["default:"]:
                name, _, text = variant.partition(":")
                only, _, text = text.rpartition("@")
                if only and only not in product.name:
                    continue
                knobs = dict(item.split("=") for item in text.split(",") if item)
                stem = f"k{count}"
                path = os.path.join(options.folder, stem)
                with open(path + ".mlir", "w") as file:
                    file.write(product.text(knobs))
                emit = lambda stage: subprocess.run(
                    [options.momc, "emit", path + ".mlir", "--start-from=stored",
                     "--stage=" + stage, "--target=sm_90a"],
                    capture_output=True, text=True)
                lowered = emit("lowered")
                if lowered.returncode:
                    print(f"{product.name} {name}: {lowered.stderr.strip().splitlines()[0]}")
                    continue
                ptx = emit("ptx").stdout.replace("\0", "")
                if ptx in seen:
                    print(f"{product.name} {name}: the same code as {seen[ptx]}")
                    os.remove(path + ".mlir")
                    continue
                seen[ptx] = f"{product.name} {name}"
                with open(path + ".ptx", "w") as file:
                    file.write(ptx)
                report = subprocess.run(["ptxas", "-arch=sm_90a", "-O3", "-v", path + ".ptx",
                                         "-o", path + ".cubin"], capture_output=True, text=True)
                spills = re.findall(r"(\d+) bytes spill stores", report.stdout + report.stderr)
                if report.returncode or "C75" in report.stderr or any(int(s) > 8 for s in spills):
                    print(f"{product.name} {name}: {report.stderr[-300:]}")
                    if report.returncode:
                        continue
                manifest.append(f"variant {name}")
                manifest += launches(lowered.stdout, product, stem)
                os.remove(path + ".ptx")
                os.remove(path + ".mlir")
                count += 1
    with open(os.path.join(options.folder, "manifest.txt"), "w") as file:
        file.write("\n".join(manifest) + "\n")
    run = os.path.join(options.folder, "run.sh")
    with open(run, "w") as file:
        file.write("#!/bin/bash\nset -e\ncd \"$(dirname \"$0\")\"\n"
                   "nvcc -O2 -std=c++17 -arch=sm_90 products.cu -o products -lcuda -ldl\n"
                   "./products manifest.txt 12 \"$@\"\n")
    os.chmod(run, 0o755)
    print(f"{count} programs in {options.folder}")


main()
