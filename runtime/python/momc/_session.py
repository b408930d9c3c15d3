"""Sessions: parameters, batches and runs of a program."""
from __future__ import annotations

import ctypes
from ctypes import byref, c_int64, c_void_p
from operator import index
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

import numpy as np

from . import _library as lib
from ._generate import generate
from ._parameters import Parameters, shapes_of
from ._tensor import SIZES, TYPES, View, empty, integers, on_gpu
from ._train import evaluate, set_hypers, set_step, train

if TYPE_CHECKING:
    from ._program import Program, Value

_KINDS = ["loss", "sum", "count", "rows", "tensor"]


class Session:
    """State of a program on a device. Serves one thread at a time. `close` or the end of a
    `with` statement frees it; else it goes with the last reference to it."""

    def __init__(self, program: "Program", handle: c_void_p, guest: bool = False) -> None:
        self.program, self._opened = program, handle
        self._end = lib.owned(self, lib.runtime().momrt_session_destroy, handle, program._keep)
        # What the runtime has of the caller's, by what it was lent as.
        self._loans: dict[tuple[Any, ...], View] = {}
        self._workspace: Optional[View] = None
        # What it gave back, but a GPU may still be at. On a guest's stream whatever uses that
        # memory next comes after.
        self._former: list[View] = []
        self._guest, self._on_gpu = guest, program.target != "cpu"
        self._counts = {"": 1, "tokens": 0, "streams": 0, "documents": 0}
        self._shapes = shapes_of(handle)
        self._in_callback = False

    @property
    def _handle(self) -> c_void_p:
        if not self._end.alive:
            raise lib.Error(f"this session of '{self.program.name}' is closed: make another one "
                            "with program.session()")
        return self._opened

    def close(self) -> None:
        """Waits for work under way and frees all memory; arrays that were returned stay."""
        if self._in_callback:
            raise lib.Error("a callback cannot close the session that calls it: end the run first")
        self._end()
        self._loans.clear()
        self._former.clear()
        self._workspace = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def parameters(self) -> Parameters:
        return Parameters(self)

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
    train = train
    evaluate = evaluate
    set_step = set_step
    set_hypers = set_hypers

    def set_batch(self, lengths: Sequence[int], modality: Any = None, *, streams: int = 1,
                  initial: Optional[Sequence[int]] = None, final: Optional[Sequence[int]] = None,
                  workspace: Any = None) -> None:
        """Documents of these lengths, one after the other; `modality` is i32[tokens], of
        the first modality if absent. A tensor on the GPU is sorted there. `workspace`
        makes memory for activations: a function of bytes that returns a tensor. An empty
        document has no row. `initial` and `final` are rows of what `streams` carry, in which
        each document's states begin and end, or -1. A batch that is refused leaves the one of
        before, or none if it did not fit into memory."""
        segments = (lib.Segment * max(len(lengths), 1))()
        start = count = 0
        for at, length in enumerate(map(index, lengths)):
            if length:
                segments[count] = lib.Segment(start, length, -1 if initial is None else initial[at],
                                              -1 if final is None else final[at])
                start, count = start + length, count + 1
        batch = lib.Batch(streams if count else 0, 0, count, start, None, count, segments)
        view = None if modality is None else self._modality(modality)
        if view and view.elements != start:
            raise lib.Error(f"expected modalities of {start} tokens but got {view.elements}")
        if view and not view.raw.device:
            batch.modality = ctypes.cast(view.raw.data, ctypes.POINTER(ctypes.c_int32))
        if workspace is not None:
            self.set_workspace(workspace(self.workspace_size(batch)))
        lib.runtime().momrt_batch_set(self._handle, byref(batch))
        for loan in list(self._loans):  # only now: a batch that is refused ends none
            self._lend(loan, None)
        self._counts = {"": 1, "tokens": start, "streams": batch.streams, "documents": count}
        if view and view.raw.device:
            self.set_modality(modality)

    def set_modality(self, modality: Any) -> None:
        """Other modalities for the tokens of the batch, i32[tokens], on host or device."""
        view = self._modality(modality)
        lib.runtime().momrt_modality_set(self._handle, byref(view.raw))
        self._give_back(view)

    def workspace_size(self, batch: lib.Batch) -> int:
        size = c_int64()
        lib.runtime().momrt_workspace_size(self._handle, byref(batch), byref(size))
        return size.value

    def set_workspace(self, memory: Any) -> None:
        """A tensor whose memory is used for activations from now on."""
        view = View(memory, "workspace", written=True)
        lib.runtime().momrt_workspace_set(self._handle, view.raw.data,
                                          view.elements * SIZES[view.raw.type])
        self._give_back(self._workspace)
        self._workspace = view

    def set_stream(self, stream: int) -> None:
        """The CUDA stream, by address, that work goes to from now on."""
        lib.runtime().momrt_stream_set(self._handle, stream or None)

    def bind(self, name: str, tensor: Any) -> None:
        """Lends an input until the next batch; what kernels cannot read in place is copied."""
        view = View(tensor, name)
        # Inputs of one name may be several, which differ in type or shape.
        loan = ("input", name, view.raw.type, tuple(view.raw.shape[:view.raw.rank]))
        if bool(view.raw.device) == self._on_gpu and (not self._on_gpu or view.raw.data % 16 == 0):
            lib.runtime().momrt_input_bind(self._handle, name.encode(), byref(view.raw))
            self._lend(loan, view)
        else:
            lib.runtime().momrt_input_set(self._handle, name.encode(), byref(view.raw))
            self._lend(loan, None)
            self._give_back(view)

    def bind_output(self, entry: str, kind: str, name: str, tensor: Any) -> None:
        """Lends memory for an output, which each run of the entry writes, until the next batch
        or, with None, until now."""
        view = None if tensor is None else View(tensor, name, written=True)
        self._bind_output((entry, kind, name), view)
        self._lend((entry, kind, name), view)

    def enqueue(self, entry: str) -> None:
        """Queues an entry's work; on a GPU it returns before the work is done."""
        lib.runtime().momrt_enqueue(self._handle, entry.encode())

    def check(self) -> None:
        """Waits, and raises what a kernel had to refuse. A GPU's session keeps what was lent to
        it, or copied from the GPU, until it has waited."""
        lib.runtime().momrt_status_check(self._handle)
        self._former.clear()

    def run(self, entry: str, inputs: Mapping[str, Any] = {},
            outputs: Optional[Mapping[str, Any]] = None) -> dict[str, Any]:
        """Runs an entry and waits. Returns its outputs by name, those of `outputs` in the
        tensors given, lent ones where they were lent, others as new NumPy arrays; a metric's as
        `sum.NAME`, `count.NAME`."""
        made = {f"{kind}.{name}" if kind in ("sum", "count") else name: value
                for (kind, name), value in self._entry(entry).outputs.items()}
        given = dict(outputs or {})
        for key in given:
            if key not in made:
                raise lib.Error(f"entry '{entry}' has no output '{key}', only {', '.join(made)}")
        views = {key: View(tensor, key, written=True) for key, tensor in given.items()}
        for name, tensor in inputs.items():
            self.bind(name, tensor)
        for key, value in made.items():
            loan = (entry, value.kind, value.name)
            if key not in given and loan in self._loans:
                given[key] = self._loans[loan].owner
            elif key not in given:
                given[key] = self._empty(value)
                views[key] = View(given[key], key, written=True)
        places = {(entry, made[key].kind, made[key].name): view for key, view in views.items()}
        if self._on_gpu:  # in another place, a run would have to be recorded anew
            lib.runtime().momrt_run(self._handle, entry.encode())
            for (_, kind, name), view in places.items():
                lib.runtime().momrt_output_get(self._handle, entry.encode(), _KINDS.index(kind),
                                               name.encode(), byref(view.raw))
            self.check()
        else:
            self._run_into(entry, places)
        return {key: given[key] for key in made}

    def _run_into(self, entry: str, places: Mapping[tuple[Any, ...], View]) -> None:
        """Outputs go where they are wanted in this run, and in no later one."""
        bound = []
        try:
            for output, view in places.items():
                self._bind_output(output, view)
                bound.append(output)
            lib.runtime().momrt_run(self._handle, entry.encode())
        finally:
            for output in bound:
                self._bind_output(output, self._loans.get(output))

    def _bind_output(self, output: tuple[Any, ...], view: Optional[View]) -> None:
        entry, kind, name = output
        lib.runtime().momrt_output_bind(self._handle, entry.encode(), _KINDS.index(kind),
                                        name.encode(), None if view is None else byref(view.raw))

    def _lend(self, loan: tuple[Any, ...], view: Optional[View]) -> None:
        """The runtime has this, or nothing, in place of what it had."""
        self._give_back(self._loans.pop(loan, None))
        if view is not None:
            self._loans[loan] = view

    def _give_back(self, view: Optional[View]) -> None:
        if view is not None and view.raw.device and not self._guest:
            self._former.append(view)

    def _entry(self, name: str) -> Any:
        if name not in self.program.entries:
            raise lib.Error(f"the program has no entry '{name}', only "
                            f"{', '.join(self.program.entries)}")
        return self.program.entries[name]

    def _empty(self, value: "Value") -> np.ndarray:
        if value.kind == "rows":
            return empty(TYPES.index(value.type), (self._counts[value.rows], value.channels))
        return empty(TYPES.index(value.type), (value.channels,))


    def _modality(self, values: Any) -> View:
        view = View(values if on_gpu(values) else integers(values, "modality"), "modality")
        if TYPES[view.raw.type] != "i32" or view.raw.device and not self._on_gpu:
            raise lib.Error("expected 'modality' as i32 on the host or on the session's GPU, but "
                            f"got {TYPES[view.raw.type]} on device {view.raw.device}")
        return view
