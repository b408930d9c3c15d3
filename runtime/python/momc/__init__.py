"""Compiled Mixture-of-Mamba models in Python.

    program = momc.compile("model.mom", settings={"D": 64}, cache="~/.cache/momc")
    with program.session() as session:
        session.initialise(seed=7)
        session.set_batch(lengths=[9, 15], modality=modality)
        results = session.run("loss", {"id": ids})

Tensors are NumPy arrays or anything with `__dlpack__`; they are lent to the runtime,
not copied, where kernels can read them in place. `momc.torch` has PyTorch modules.
"""
from ._program import Program, Value, compile, load
from ._library import Error
from ._session import Session
from ._train import Measure, Progress

__all__ = ["Error", "Measure", "Program", "Progress", "Session", "Value", "compile", "load"]
