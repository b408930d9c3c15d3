"""What a session owns and what it is lent: sessions and programs go when they should, memory
stays as long as the runtime may use it, and no value becomes another one on its way.

    session.py MODEL CACHE
"""
import ctypes
import gc
import os
import signal
import sys
import weakref

import numpy as np

import momc
from momc import _library, _tensor
from refusals import refused

gc.disable()  # whatever goes, goes by itself


def compiled():
    return momc.compile(sys.argv[1], entries=["loss"], cache=sys.argv[2])


def ready():
    session = compiled().session(threads=1)
    session.initialise(7)
    session.set_batch([4], MODALITY)
    return session


MODALITY, IDS = np.array([0, 0, 1, 1], np.int32), np.array([3, 4, 5, 6], np.int32)

# A session goes with the last reference, and what it needs of its program stays until then.
gone = []
for library, function in ((_library.runtime(), "momrt_session_destroy"),
                          (_library.runtime(), "momrt_close"),
                          (_library.compiler(), "momc_release")):
    def record(handle, name=function, call=getattr(library, function)):
        gone.append(name)
        call(handle)
    setattr(library, function, record)

session = ready()
LOSS = session.run("loss", {"id": IDS})["lm"].item()
parameters = session.parameters
before = len(gone)
del session
assert parameters["head.weight"].shape == (2, 64, 16) and len(gone) == before
del parameters
assert gone[-3:] == ["momrt_session_destroy", "momrt_close", "momc_release"], gone

with compiled() as program:
    session = program.session()
refused("program 'bigram' is closed", program.session)
program.close()
session.initialise(7)
session.set_batch([4], MODALITY)
assert session.run("loss", {"id": IDS})["lm"].item() == LOSS and gone[-1] == "momrt_close"
session.close()
session.close()
assert gone[-1] == "momc_release", gone
for use in (lambda: session.run("loss"), lambda: session.set_batch([1]), lambda: session.check(),
            lambda: session.parameters["head.weight"], lambda: session.bind("id", IDS),
            lambda: session.generate([[1]], tokens=1), lambda: session.set_step(1, 2)):
    refused("session of 'bigram' is closed", use)
try:
    with compiled().session() as session:
        raise KeyError
except KeyError:
    refused("is closed", session.check)

cycle = [compiled()]
cycle += [cycle[0].session(), cycle]
del cycle, gone[:]
gc.collect()
assert len(gone) == 3 and gone[-1] == "momc_release", gone

# Runs keep the last input, and no result: it is the caller's.
session = ready()
inputs, kept = [], []
for at in range(200):
    ids = (IDS + at) % 64
    kept.append((session.run("loss", {"id": ids}), ids.copy()))
    inputs.append(weakref.ref(ids))
del ids
assert sum(ref() is not None for ref in inputs) == 1 and len(session._loans) == 1
values = [results["lm"].item() for results, _ in kept]
assert len(set(values)) > 60 and values[0] == LOSS
session.enqueue("loss")
assert [results["lm"].item() for results, _ in kept] == values, "a later run wrote to a result"
result = weakref.ref(kept.pop()[0]["lm"])
assert result() is None

# Outputs that are lent are written by each run, but one that goes elsewhere, until unbound.
lent, other = np.zeros(1, np.float32), np.zeros(1, np.float32)
session.bind("id", IDS)
session.bind_output("loss", "loss", "lm", lent)
assert session.run("loss")["lm"] is lent and lent == LOSS
lent[0] = 0
assert session.run("loss", outputs={"lm": other})["lm"] is other and other == LOSS and lent == 0
session.enqueue("loss")
assert lent == LOSS
lent[0] = 0
session.bind_output("loss", "loss", "lm", None)
session.enqueue("loss")
assert lent == 0 and session.run("loss")["lm"] == LOSS
refused("expected a tensor of 1 elements for output 'lm' but got 2",
        lambda: session.run("loss", outputs={"lm": np.zeros(2, np.float32)}))
assert session.run("loss")["lm"] == LOSS

# Where the session is not on a device that the arrays are on, they are copied.
session._on_gpu = True
ids, other[:] = IDS.copy(), 0
results = session.run("loss", {"id": ids}, {"lm": other})
assert results["lm"] is other and other == LOSS and results["count.lm"] == 3, results
ids[:] = 0
session.enqueue("loss")
assert session.run("loss")["lm"] == LOSS and not session._loans and not session._former
session._on_gpu = False

# A batch that is refused ends no loan; the batch of before is still there.
ids, lent = IDS.copy(), np.zeros(1, np.float32)
held = [weakref.ref(ids), weakref.ref(lent)]
session.bind("id", ids)
session.bind_output("loss", "loss", "lm", lent)
del ids, lent
unaligned = np.zeros(1 << 16, np.uint8)[1:]
for part, call in (
        ("modalities below 2 but position 1 has 7", lambda: session.set_batch([4], [0, 7, 0, 0])),
        ("expected modalities of 4 tokens but got 3", lambda: session.set_batch([4], [0, 1, 0])),
        ("at a multiple of 64", lambda: session.set_batch([4], workspace=lambda size: unaligned))):
    refused(part, call)
    session.enqueue("loss")
    assert held[1]() == LOSS, part


# One that does not fit leaves none, and loans end with the next.
def workspace(size):
    memory = np.zeros(size + 64, np.uint8)
    return memory[-memory.ctypes.data % 64:][:size]


refused("the caller's workspace has 64 bytes, but 400 tokens need",
        lambda: session.set_batch([400], workspace=lambda size: workspace(64)))
assert all(ref() is not None for ref in held)
refused("has no batch", lambda: session.run("loss"))
session.set_batch([4], MODALITY, workspace=workspace)
assert all(ref() is None for ref in held)
assert session.run("loss", {"id": IDS})["lm"] == LOSS

# Values arrive as they are, or not at all.
assert session.run("loss", {"id": IDS.astype(">i4")})["lm"] == LOSS
unaligned = np.frombuffer(b"?" + IDS.tobytes(), np.uint8)[1:].view(np.int32)
assert session.run("loss", {"id": unaligned})["lm"] == LOSS
session.parameters["embed.weight"] = session.parameters["embed.weight"].astype(">f4")
assert session.run("loss", {"id": IDS})["lm"] == LOSS
for same in (MODALITY.astype(">i4"), MODALITY.astype(np.uint64), MODALITY.astype(np.int8),
             list(MODALITY), MODALITY.reshape(2, 2)):
    session.set_batch([4], same)
    assert session.run("loss", {"id": IDS})["lm"] == LOSS
    session.set_modality(same)
    assert session.run("loss")["lm"] == LOSS
for call in (lambda modality: session.set_batch([2], modality), session.set_modality):
    refused("expected 'modality' to be integers but got float64: round", lambda: call([0.9, 1.9]))
    refused("to be integers but got object", lambda: call([0, 2 ** 70]))
    refused("from -2147483648 to 2147483647 but got 4294967296", lambda: call([0, 2 ** 32]))
    refused("but got 18446744073709551615", lambda: call(np.array([0, 2 ** 64 - 1], np.uint64)))
for value in (None, "1", 1j):
    refused("to be real numbers", lambda: session.parameters.__setitem__("embed.weight", value))

readonly = np.zeros(1, np.float32)
readonly.flags.writeable = False
unaligned = np.frombuffer(bytearray(8), np.uint8)[1:5].view(np.float32)
for part, given in (
        ("entry 'loss' has no output 'LM', only lm, sum.lm, count.lm", {"LM": np.zeros(1, "f4")}),
        ("expected 'lm' to be a NumPy array or to have __dlpack__, but got list", {"lm": [0.0]}),
        ("but got float", {"lm": 0.0}), ("but got float32", {"lm": np.float32(0)}),
        ("the array is read-only", {"lm": readonly}),
        ("elements are big-endian", {"lm": np.zeros(1, ">f4")}),
        ("elements are not aligned", {"lm": unaligned}),
        ("its strides are", {"lm": np.zeros(4, "f4")[::2]}),
        ("to be f32 but got f64", {"lm": np.zeros(1)})):
    refused(part, lambda: session.run("loss", outputs=given))
    if "LM" not in given:
        refused(part, lambda: session.bind_output("loss", "loss", "lm", given["lm"]))
refused("the array is read-only", lambda: session.set_workspace(readonly))
assert session.run("loss")["lm"] == LOSS


class Shared:
    """An object that has __dlpack__ and no more."""

    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

    def __init__(self, array, code, device=1):
        self.array, self.device = array, (device, 0)
        self.axes = [(ctypes.c_int64 * array.ndim)(*axes) for axes in
                     (array.shape, [stride // array.itemsize for stride in array.strides])]
        self.managed = _tensor._Managed(
            array.ctypes.data, device, 0, array.ndim, code, 8 * array.itemsize, 1,
            *(ctypes.cast(axes, ctypes.POINTER(ctypes.c_int64)) for axes in self.axes), 0)

    def __dlpack__(self, stream=None):
        return Shared.new(ctypes.addressof(self.managed), b"dltensor", None)

    def __dlpack_device__(self):
        return self.device


session.set_batch([4], Shared(MODALITY, 0))
loss = Shared(np.zeros(1, np.float32), 2)
assert session.run("loss", {"id": Shared(IDS, 0)}, {"lm": loss})["lm"] is loss
assert loss.array == LOSS
session.set_modality(Shared(MODALITY.astype(np.int64), 0))
assert session.run("loss")["lm"] == LOSS
refused("to be integers but got float32", lambda: session.set_modality(Shared(np.ones(4, "f4"), 2)))
for call in (lambda modality: session.set_batch([4], modality), session.set_modality):
    refused("on the host or on the session's GPU, but got i32 on device 1",
            lambda: call(Shared(MODALITY, 0, device=2)))
assert session.run("loss")["lm"] == LOSS
weight = session.parameters["embed.weight"]
session.parameters["embed.weight"] = Shared(np.asfortranarray(weight), 2)
assert (session.parameters["embed.weight"] == weight).all()
bf16 = (weight.view(np.uint32) >> 16).astype(np.uint16)
session.parameters["embed.weight"] = Shared(bf16, 4)
assert (session.parameters["embed.weight"].view(np.uint32) >> 16 == bf16).all()
refused("expected 'embed.weight' on the host, but it lies on GPU 0: copy",
        lambda: session.parameters.__setitem__("embed.weight", Shared(weight, 2, device=2)))

# Kernels know rows in their order, callers by position.
session.set_batch([4], np.array([1, 0, 1, 0], np.int32))
for at in range(4):
    wrong = IDS.copy()
    wrong[at] = 5000
    refused(f"index 5000 is out of range in row {at} ", lambda: session.run("loss", {"id": wrong}))

# What a compiler keeps in its cache takes no signals from its host.
signals = []
signal.signal(signal.SIGUSR1, lambda *_: signals.append(1))
momc.compile(sys.argv[1], entries=["loss"], cache=sys.argv[2] + "-another")
os.kill(os.getpid(), signal.SIGUSR1)
assert signals == [1]
print("ok")
