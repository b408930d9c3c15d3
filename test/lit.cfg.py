# lit's settings: which files are tests, and where the programs are.
import os

import lit.formats

config.name = "momc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".mom", ".test"]
config.excludes = ["Inputs", "gpu"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.build, "test")
path = [os.path.join(config.build, "bin"), config.llvm_tools, config.environment["PATH"]]
config.environment["PATH"] = os.path.pathsep.join(path)
config.substitutions.append(("%source", config.source))
config.substitutions.append(("%examples", os.path.join(config.source, "examples")))
# Debian's Python: the packages that the corpus builder needs belong to it.
config.substitutions.append(("%python", "/usr/bin/python3"))
