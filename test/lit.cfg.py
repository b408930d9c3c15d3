# lit's settings: which files are tests, and where the programs are.
import os

import shutil

import lit.formats

config.name = "momc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".mom", ".test"]
config.excludes = ["Inputs", "benchmark"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build, "test")
path = [os.path.join(config.build, "bin"), config.llvm_tools, config.environment["PATH"]]
config.environment["PATH"] = os.path.pathsep.join(path)
# NVIDIA's assembler: from the CUDA toolkit, or fetched by test/ptxas.sh.
if shutil.which("ptxas", path=config.environment["PATH"] + os.pathsep + "/usr/local/cuda/bin"):
    config.available_features.add("ptxas")
config.substitutions.append(("%build", config.build))
config.substitutions.append(("%source", config.source))
config.substitutions.append(("%examples", os.path.join(config.source, "examples")))
# Folders with a CUDA driver of the tests' own: one that pretends, one of long ago.
for driver in ("fake", "old"):
    folder = os.path.join(config.build, "test", "runtime", driver)
    config.substitutions.append(("%" + driver + "_cuda", folder))
# Debian's Python: the packages that the corpus builder needs belong to it.
config.substitutions.append(("%python", "/usr/bin/python3"))
if os.path.exists(os.path.join(config.build, "bin", "momrt-test-threads")):
    config.available_features.add("tsan")
# A Python with PyTorch, if the command line names one.
if lit_config.params.get("torch"):
    config.available_features.add("torch")
    config.substitutions.append(("%torch", lit_config.params["torch"]))
