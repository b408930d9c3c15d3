"""Parameters of a session."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_void_p
from typing import TYPE_CHECKING, Any, Iterator, Mapping, MutableMapping

import numpy as np

from . import _library as lib
from ._tensor import View, floats

if TYPE_CHECKING:
    from ._session import Session


def shapes_of(handle: c_void_p) -> dict[str, tuple[int, ...]]:
    shapes = {}
    for at in range(lib.runtime().momrt_parameter_count(handle)):
        name, shape = ctypes.c_char_p(), lib.Tensor()
        lib.runtime().momrt_parameter_describe(handle, at, byref(name), byref(shape))
        shapes[name.value.decode()] = tuple(shape.shape[:shape.rank])
    return shapes


class Parameters(MutableMapping[str, np.ndarray]):
    """The parameters of a session by their checkpoint names, as copies in f32. They keep the
    session; it does not keep them, so that it goes as soon as it is not used."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __getitem__(self, name: str) -> np.ndarray:
        return self._read(lib.runtime().momrt_parameter_get, name)

    def __setitem__(self, name: str, value: Any) -> None:
        view = View(floats(value, name), name)
        lib.runtime().momrt_parameter_set(self._session._handle, name.encode(), byref(view.raw))

    def __delitem__(self, name: str) -> None:
        raise TypeError("a program's parameters stay")

    def __iter__(self) -> Iterator[str]:
        return iter(self._session._shapes)

    def __len__(self) -> int:
        return len(self._session._shapes)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return dict(self._session._shapes)

    def gradient(self, name: str) -> np.ndarray:
        """Of the last entry that makes gradients."""
        return self._read(lib.runtime().momrt_gradient_get, name)

    def _read(self, call: Any, name: str) -> np.ndarray:
        if name not in self._session._shapes:
            raise KeyError(name)
        array = np.empty(self._session._shapes[name], np.float32)
        view = View(array, name, written=True)
        call(self._session._handle, name.encode(), byref(view.raw))
        return array
