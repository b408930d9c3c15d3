"""Sessions: parameters, batches and runs of a program."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_void_p
from typing import TYPE_CHECKING, Any, Iterator, Mapping, MutableMapping, Optional, Sequence

import numpy as np

from . import _library as lib
from ._generate import generate
from ._tensor import SIZES, TYPES, View, empty

if TYPE_CHECKING:
    from ._program import Program, Value

_KINDS = ["loss", "sum", "count", "rows", "tensor"]


class Parameters(MutableMapping[str, np.ndarray]):
    """The parameters of a session by their checkpoint names, as copies in f32."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._shapes: dict[str, tuple[int, ...]] = {}
        for at in range(lib.runtime().momrt_parameter_count(session._handle)):
            name, shape = ctypes.c_char_p(), lib.Tensor()
            lib.runtime().momrt_parameter_describe(session._handle, at, byref(name), byref(shape))
            self._shapes[name.value.decode()] = tuple(shape.shape[:shape.rank])

    def __getitem__(self, name: str) -> np.ndarray:
        return self._read(lib.runtime().momrt_parameter_get, name)

    def __setitem__(self, name: str, value: Any) -> None:
        array = np.ascontiguousarray(value, np.float32)
        lib.runtime().momrt_parameter_set(self._session._handle, name.encode(),
                                          byref(View(array, name).raw))

    def __delitem__(self, name: str) -> None:
        raise TypeError("a program's parameters stay")

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return dict(self._shapes)

    def gradient(self, name: str) -> np.ndarray:
        """Of the last entry that makes gradients."""
        return self._read(lib.runtime().momrt_gradient_get, name)

    def _read(self, call: Any, name: str) -> np.ndarray:
        if name not in self._shapes:
            raise KeyError(name)
        array = np.empty(self._shapes[name], np.float32)
        call(self._session._handle, name.encode(), byref(View(array, name).raw))
        return array


class Session:
    """State of a program on a device. Serves one thread at a time."""

    def __init__(self, program: "Program", handle: c_void_p) -> None:
        self.program, self._handle = program, handle
        self._lent: list[View] = []
        self._counts = {"": 1, "tokens": 0, "streams": 0, "documents": 0}
        self.parameters = Parameters(self)

    def initialise(self, seed: int = 1) -> None:
        """Initial parameters: the same on every device for the same seed."""
        lib.runtime().momrt_initialise(self._handle, seed)

    def load(self, path: str) -> None:
        """Parameters from a checkpoint or an export."""
        lib.runtime().momrt_load(self._handle, str(path).encode())

    def save(self, path: str) -> None:
        """Writes the parameters as safetensors."""
        lib.runtime().momrt_save(self._handle, str(path).encode())

    generate = generate

    def set_batch(self, lengths: Sequence[int], modality: Any = None, *, streams: int = 1,
                  initial: Optional[Sequence[int]] = None, final: Optional[Sequence[int]] = None,
                  workspace: Any = None) -> None:
        """Documents of these lengths, one after the other; `modality` is i32[tokens], of
        the first modality if absent. A tensor on the GPU is sorted there. `workspace`
        makes memory for activations: a function of bytes that returns a tensor. An empty
        document has no row. `initial` and `final` are rows of what `streams` carry, in which
        each document's states begin and end, or -1."""
        segments = (lib.Segment * max(len(lengths), 1))()
        start = count = 0
        for at, length in enumerate(lengths):
            if length:
                segments[count] = lib.Segment(start, length, initial[at] if initial else -1,
                                              final[at] if final else -1)
                start, count = start + length, count + 1
        batch = lib.Batch(streams if count else 0, 0, count, start, None, count, segments)
        self._lent = []
        if workspace is not None:
            self.set_workspace(workspace(self.workspace_size(batch)))
        view = None if modality is None else View(modality, "modality")
        if view and view.raw.device == 0:
            modality = np.ascontiguousarray(view.owner, np.int32).reshape(-1)
            if modality.size != start:
                raise lib.Error(f"expected modalities of {start} tokens but got {modality.size}")
            batch.modality = modality.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        lib.runtime().momrt_batch_set(self._handle, byref(batch))
        self._counts = {"": 1, "tokens": start, "streams": batch.streams, "documents": count}
        if view and view.raw.device:
            self.set_modality(modality)

    def set_modality(self, modality: Any) -> None:
        """Other modalities for the tokens of the batch, i32[tokens], on host or device."""
        lib.runtime().momrt_modality_set(self._handle, byref(View(modality, "modality").raw))

    def workspace_size(self, batch: lib.Batch) -> int:
        size = c_int64()
        lib.runtime().momrt_workspace_size(self._handle, byref(batch), byref(size))
        return size.value

    def set_workspace(self, memory: Any) -> None:
        """A tensor whose memory is used for activations from now on."""
        view = View(memory, "workspace")
        elements = int(np.prod(view.raw.shape[:view.raw.rank], dtype=np.int64))
        lib.runtime().momrt_workspace_set(self._handle, view.raw.data,
                                          elements * SIZES[view.raw.type])
        self._workspace = view

    def set_stream(self, stream: int) -> None:
        """The CUDA stream, by address, that work goes to from now on."""
        lib.runtime().momrt_stream_set(self._handle, stream or None)

    def bind(self, name: str, tensor: Any) -> None:
        """Lends an input until the next batch; what kernels cannot read in place is copied."""
        view = View(tensor, name)
        on_gpu = self.program.target != "cpu"
        if bool(view.raw.device) == on_gpu and (not on_gpu or view.raw.data % 16 == 0):
            lib.runtime().momrt_input_bind(self._handle, name.encode(), byref(view.raw))
            self._lent.append(view)
        else:
            lib.runtime().momrt_input_set(self._handle, name.encode(), byref(view.raw))

    def bind_output(self, entry: str, kind: str, name: str, tensor: Any) -> None:
        """Lends memory for an output until the next batch."""
        view = View(tensor, name)
        lib.runtime().momrt_output_bind(self._handle, entry.encode(), _KINDS.index(kind),
                                        name.encode(), byref(view.raw))
        self._lent.append(view)

    def enqueue(self, entry: str) -> None:
        """Queues an entry's work; on a GPU it returns before the work is done."""
        lib.runtime().momrt_enqueue(self._handle, entry.encode())

    def check(self) -> None:
        """Waits, and raises what a kernel had to refuse."""
        lib.runtime().momrt_status_check(self._handle)

    def run(self, entry: str, inputs: Mapping[str, Any] = {},
            outputs: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
        """Runs an entry and waits. Returns its outputs by name, those of `outputs` in the
        tensors given, others as new NumPy arrays; a metric's as `sum.NAME`, `count.NAME`."""
        for name, tensor in inputs.items():
            self.bind(name, tensor)
        results: dict[str, Any] = {}
        given = outputs or {}
        for (kind, name), value in self._entry(entry).outputs.items():
            key = f"{kind}.{name}" if kind in ("sum", "count") else name
            results[key] = tensor = given[key] if key in given else self._empty(value)
            if self.program.target == "cpu" or key in given:
                self.bind_output(entry, kind, name, tensor)
        lib.runtime().momrt_run(self._handle, entry.encode())
        if self.program.target != "cpu":
            for (kind, name), _ in self._entry(entry).outputs.items():
                key = f"{kind}.{name}" if kind in ("sum", "count") else name
                if key not in given:
                    lib.runtime().momrt_output_get(self._handle, entry.encode(),
                                                   _KINDS.index(kind), name.encode(),
                                                   byref(View(results[key], name).raw))
        return results

    def _entry(self, name: str) -> Any:
        if name not in self.program.entries:
            raise lib.Error(f"the program has no entry '{name}', only "
                            f"{', '.join(self.program.entries)}")
        return self.program.entries[name]

    def _empty(self, value: "Value") -> np.ndarray:
        if value.kind == "rows":
            return empty(TYPES.index(value.type), (self._counts[value.rows], value.channels))
        return empty(TYPES.index(value.type), (value.channels,))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            lib.runtime().momrt_session_destroy(self._handle)
            self._handle = None
