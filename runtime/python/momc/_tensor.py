"""Tensors of other libraries as momrt sees them: NumPy's by their array interface, all
others by DLPack. Nothing is copied."""
from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ._library import Error, Tensor

TYPES = ["f32", "bf16", "f16", "i32", "i64", "u8", "u16", "f64"]
SIZES = [4, 2, 2, 4, 8, 1, 2, 8]
_NUMPY = {"float32": 0, "float16": 2, "int32": 3, "int64": 4, "uint8": 5, "uint16": 6,
          "float64": 7}
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


class View:
    """A tensor for one call or as long as it is lent; keeps its owner alive."""

    def __init__(self, owner: Any, name: str) -> None:
        self.owner = owner
        if isinstance(owner, (np.ndarray, np.generic, list, tuple, int, float)):
            self.raw = self._from_numpy(owner, name)
        elif hasattr(owner, "__dlpack__"):
            self.raw = self._from_dlpack(owner, name)
        else:
            raise Error(f"expected '{name}' to be a NumPy array or to have __dlpack__, but got "
                        f"{type(owner).__name__}")

    def _from_numpy(self, array: Any, name: str) -> Tensor:
        self.owner = array = np.asarray(array)
        if array.dtype.name not in _NUMPY:
            raise Error(f"expected '{name}' of type {', '.join(TYPES)}, but got {array.dtype}")
        if not array.flags.c_contiguous:
            raise Error(f"expected '{name}' to be dense and row-major, but its strides are "
                        f"{array.strides}")
        return _tensor(array.ctypes.data, _NUMPY[array.dtype.name], 0, array.shape, name)

    def _from_dlpack(self, owner: Any, name: str) -> Tensor:
        # Streams are ordered by whoever calls, not by the exporter.
        kind, _ = owner.__dlpack_device__()
        self.capsule = owner.__dlpack__(stream=-1) if kind == _CUDA else owner.__dlpack__()
        managed = _Managed.from_address(_pointer_of(self.capsule, b"dltensor"))
        shape = [managed.shape[axis] for axis in range(managed.rank)]
        if managed.strides:
            dense = 1
            for axis in reversed(range(managed.rank)):
                if shape[axis] != 1 and managed.strides[axis] != dense:
                    raise Error(f"expected '{name}' to be dense and row-major, but its strides "
                                f"are {[managed.strides[i] for i in range(managed.rank)]}")
                dense *= shape[axis]
        if (managed.code, managed.bits) not in _DLPACK or managed.lanes != 1:
            raise Error(f"expected '{name}' of type {', '.join(TYPES)}, but got one that DLPack "
                        f"calls {managed.code} of {managed.bits} bits")
        if managed.device_type == _CUDA:
            device = 1 + managed.device
        elif managed.device_type in _DEVICES:
            device = 0
        else:
            raise Error(f"expected '{name}' on the host or a CUDA GPU, but DLPack calls its "
                        f"device {managed.device_type}")
        return _tensor((managed.data or 0) + managed.offset,
                       _DLPACK[(managed.code, managed.bits)], device, shape, name)


def _tensor(data: int, kind: int, device: int, shape: Any, name: str) -> Tensor:
    if len(shape) > 4:
        raise Error(f"expected '{name}' to have rank 0 to 4 but got {len(shape)}")
    return Tensor(data, kind, device, len(shape), (ctypes.c_int64 * 4)(*shape))


def empty(kind: int, shape: tuple[int, ...]) -> np.ndarray:
    """An array of a momrt_type."""
    names = {number: name for name, number in _NUMPY.items()}
    if kind not in names:
        raise Error(f"NumPy has no {TYPES[kind]}: hand in a tensor for the output")
    return np.empty(shape, names[kind])
