"""Tensors of other libraries as momrt sees them: NumPy's by their array interface, all
others by DLPack. What momrt is lent is not copied, unless its bytes are of another order."""
from __future__ import annotations

import ctypes
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from ._library import Error, Tensor

TYPES = ["f32", "bf16", "f16", "i32", "i64", "u8", "u16", "f64"]
SIZES = [4, 2, 2, 4, 8, 1, 2, 8]
_NUMPY = {"float32": 0, "float16": 2, "int32": 3, "int64": 4, "uint8": 5, "uint16": 6,
          "float64": 7}
_NAMES = {number: name for name, number in _NUMPY.items()}
_BF16 = 1
# (code, bits) of DLPack: 0 int, 1 uint, 2 float, 4 bfloat
_DLPACK = {(2, 32): 0, (4, 16): 1, (2, 16): 2, (0, 32): 3, (0, 64): 4, (1, 8): 5, (1, 16): 6,
           (2, 64): 7}
_DEVICES = {1: 0, 3: 0}  # the host's, page-locked or not
_CUDA = 2


class _Managed(ctypes.Structure):
    """DLManagedTensor, of which a tensor is the beginning."""
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32),
                ("device", ctypes.c_int32), ("rank", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("offset", ctypes.c_uint64)]


_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _Shared:
    """What an object shares by DLPack, as long as this lives; strides are in elements."""

    def __init__(self, owner: Any, name: str) -> None:
        # Streams are ordered by whoever calls, not by the exporter.
        kind, _ = owner.__dlpack_device__()
        self.capsule = owner.__dlpack__(stream=-1) if kind == _CUDA else owner.__dlpack__()
        managed = _Managed.from_address(_pointer_of(self.capsule, b"dltensor"))
        self.data = (managed.data or 0) + managed.offset
        self.shape = [managed.shape[axis] for axis in range(managed.rank)]
        self.strides = [managed.strides[axis] for axis in range(managed.rank)] \
            if managed.strides else _dense(self.shape)
        if (managed.code, managed.bits) not in _DLPACK or managed.lanes != 1:
            raise Error(f"expected '{name}' of type {', '.join(TYPES)}, but got one that DLPack "
                        f"calls {managed.code} of {managed.bits} bits")
        self.type = _DLPACK[managed.code, managed.bits]
        if managed.device_type == _CUDA:
            self.device = 1 + managed.device
        elif managed.device_type in _DEVICES:
            self.device = 0
        else:
            raise Error(f"expected '{name}' on the host or a CUDA GPU, but DLPack calls its "
                        f"device {managed.device_type}")


def _dense(shape: list[int]) -> list[int]:
    strides: list[int] = []
    elements = 1
    for size in reversed(shape):
        strides.insert(0, elements)
        elements *= size
    return strides


class View:
    """A tensor for one call or as long as it is lent, which has to live as long. One that is
    `written` has to be memory of the caller's."""

    def __init__(self, owner: Any, name: str, written: bool = False) -> None:
        self.owner = owner
        numbers = () if written else (np.generic, list, tuple, int, float)
        if isinstance(owner, (np.ndarray, *numbers)):
            self.raw = self._from_numpy(np.asarray(owner), name, written)
        elif hasattr(owner, "__dlpack__"):
            self.raw = self._from_dlpack(owner, name)
        else:
            raise Error(f"expected '{name}' to be a NumPy array or to have __dlpack__, but got "
                        f"{type(owner).__name__}")

    def _from_numpy(self, array: np.ndarray, name: str, written: bool) -> Tensor:
        if array.dtype.name not in _NUMPY:
            raise Error(f"expected '{name}' of type {', '.join(TYPES)}, but got {array.dtype}")
        if not array.flags.c_contiguous:
            raise Error(f"expected '{name}' to be dense and row-major, but its strides are "
                        f"{array.strides}")
        if written and not array.flags.writeable:
            raise Error(f"expected memory to write '{name}' to, but the array is read-only: hand "
                        "in one that is not, as array.copy()")
        if not array.dtype.isnative or not array.flags.aligned:
            if written:
                raise Error(f"expected memory to write '{name}' to, but the array's elements are "
                            f"{'not aligned' if array.dtype.isnative else 'big-endian'}: hand in "
                            f"one of {array.dtype.name}")
            array = array.astype(array.dtype.name)
        self.memory: Any = array  # what has to live, beside the owner
        return _tensor(array.ctypes.data, _NUMPY[array.dtype.name], 0, array.shape, name)

    def _from_dlpack(self, owner: Any, name: str) -> Tensor:
        self.memory = shared = _Shared(owner, name)
        if 0 not in shared.shape and any(
                size != 1 and stride != dense for size, stride, dense
                in zip(shared.shape, shared.strides, _dense(shared.shape))):
            raise Error(f"expected '{name}' to be dense and row-major, but its strides are "
                        f"{shared.strides}")
        return _tensor(shared.data, shared.type, shared.device, shared.shape, name)

    @property
    def elements(self) -> int:
        return math.prod(self.raw.shape[:self.raw.rank])


def _tensor(data: int, kind: int, device: int, shape: Any, name: str) -> Tensor:
    if len(shape) > 4:
        raise Error(f"expected '{name}' to have rank 0 to 4 but got {len(shape)}")
    return Tensor(data, kind, device, len(shape), (ctypes.c_int64 * 4)(*shape))


def empty(kind: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a momrt_type."""
    if kind not in _NAMES:
        raise Error(f"NumPy has no {TYPES[kind]}: hand in a tensor for the output")
    return np.empty(shape, _NAMES[kind])


def on_gpu(tensor: Any) -> bool:
    return not isinstance(tensor, np.ndarray) and hasattr(tensor, "__dlpack_device__") \
        and tensor.__dlpack_device__()[0] == _CUDA


def on_host(values: Any, name: str) -> np.ndarray:
    """Values as NumPy has them, which may be the caller's own; bf16 as f32."""
    if isinstance(values, np.ndarray) or not hasattr(values, "__dlpack__"):
        return np.asarray(values)
    shared = _Shared(values, name)
    if shared.device:
        raise Error(f"expected '{name}' on the host, but it lies on GPU {shared.device - 1}: copy "
                    "it from there first")
    kind = np.dtype(_NAMES.get(shared.type, "uint16"))
    array = np.asarray(SimpleNamespace(shared=shared, __array_interface__={
        "version": 3, "typestr": kind.str, "shape": tuple(shared.shape),
        "strides": tuple(stride * kind.itemsize for stride in shared.strides),
        "data": (shared.data, True)}))
    return array if shared.type != _BF16 else (array.astype(np.uint32) << 16).view(np.float32)


def integers(values: Any, name: str, kind: Any = np.int32) -> np.ndarray:
    """Values as integers of a kind, dense; refused where they would become others."""
    array = on_host(values, name)
    if array.size and array.dtype.kind not in "iu":
        raise Error(f"expected '{name}' to be integers but got {array.dtype}: round them first")
    limits = np.iinfo(kind)
    for value in (array.min(), array.max()) if array.size else ():
        if not limits.min <= int(value) <= limits.max:
            raise Error(f"expected '{name}' to be from {limits.min} to {limits.max} but got "
                        f"{value}: it is not cut to {limits.bits} bits")
    return np.asarray(array, kind, order="C")


def floats(values: Any, name: str) -> np.ndarray:
    """Values as f32."""
    array = on_host(values, name)
    if array.dtype.kind not in "biuf":
        raise Error(f"expected '{name}' to be real numbers but got {array.dtype}")
    return np.ascontiguousarray(array, np.float32)
