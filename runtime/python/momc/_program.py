"""Programs: compiled just in time, or loaded from a shared library."""
from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_int64, c_void_p
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Union

from . import _library as lib
from ._session import Session
from ._tensor import TYPES

_ROWS = ["", "tokens", "streams", "documents", "segments", "windows"]
_KINDS = ["loss", "sum", "count", "rows", "tensor"]


@dataclass(frozen=True)
class Value:
    """An input or output of an entry: `channels` elements in each of its rows."""
    name: str
    type: str
    rows: str  # "tokens", "streams", "documents", or "" for one row, as weights are
    channels: int
    kind: str = "rows"  # of an output: loss, sum, count, rows or tensor
    limit: int = 0  # of an input of indices: they are below it


@dataclass(frozen=True)
class Entry:
    inputs: dict[str, Value]
    outputs: dict[tuple[str, str], Value]  # by kind and name


class Program:
    """A compiled program: immutable, for any number of threads and sessions, which may outlive
    it. `close` or the end of a `with` statement frees it; else it goes with the last reference."""

    def __init__(self, model: c_void_p, keep: Any = None, warnings: str = "",
                 from_cache: bool = False) -> None:
        self._opened, self._keep = model, keep
        self._end = lib.owned(self, lib.runtime().momrt_close, model, keep)
        self.warnings, self.from_cache = warnings, from_cache
        info = lib.ModelInfo()
        lib.runtime().momrt_model_describe(model, byref(info))
        self.name = info.name.decode()
        self.target = f"sm_{info.target}" if info.target else "cpu"
        self.modalities = [lib.text_of(lib.runtime().momrt_modality_name, model, at)
                           for at in range(info.modalities)]
        self.settings = dict(self._setting(at) for at in range(info.settings))
        self.entries = dict(self._entry(at) for at in range(info.entries))

    @property
    def _model(self) -> c_void_p:
        if not self._end.alive:
            raise lib.Error(f"the program '{self.name}' is closed: compile or load it again")
        return self._opened

    def close(self) -> None:
        """No more sessions; those that there are stay."""
        self._end()
        self._keep = None

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def session(self, threads: int = 0, device: int = 0, *, poison: bool = False,
                stream: Optional[int] = None, context: Optional[int] = None) -> Session:
        """State to run it with, for one thread at a time. With `stream`, a CUDA stream's
        address (0: the default stream), work goes to that stream, in the context or the
        device's primary one."""
        options = lib.SessionOptions(threads=threads, device=device, poison=poison,
                                     guest=stream is not None, stream=stream or None,
                                     context=context)
        handle = c_void_p()
        lib.runtime().momrt_session_create(self._model, byref(options), byref(handle))
        return Session(self, handle, guest=stream is not None)

    def _setting(self, at: int) -> tuple[str, float]:
        value = ctypes.c_double()
        name = ctypes.c_char_p()
        lib.runtime().momrt_setting_describe(self._model, at, byref(name), byref(value))
        return name.value.decode(), value.value

    def _entry(self, at: int) -> tuple[str, Entry]:
        name, inputs, outputs = ctypes.c_char_p(), c_int64(), c_int64()
        lib.runtime().momrt_entry_describe(self._model, at, byref(name), byref(inputs),
                                           byref(outputs))
        read = [self._value(lib.runtime().momrt_input_describe, name, i)
                for i in range(inputs.value)]
        made = [self._value(lib.runtime().momrt_output_describe, name, i)
                for i in range(outputs.value)]
        return name.value.decode(), Entry({value.name: value for value in read},
                                          {(value.kind, value.name): value for value in made})

    def _value(self, describe: Any, entry: Any, at: int) -> Value:
        raw = lib.RawValue()
        describe(self._model, entry, at, byref(raw))
        return Value(raw.name.decode(), TYPES[raw.type], _ROWS[raw.rows], raw.channels,
                     _KINDS[raw.kind], raw.limit)

    def __repr__(self) -> str:
        return f"<momc.Program {self.name} for {self.target}: {', '.join(self.entries)}>"


class _Compiled:
    """A program in this process, freed after its models and sessions."""

    def __init__(self, handle: c_void_p) -> None:
        self._end = lib.owned(self, lib.compiler().momc_release, handle)


def load(path: Union[str, os.PathLike[str]], *, device: Optional[str] = None) -> Program:
    """The program of a library that `momc compile --shared` made. One for several targets is
    loaded for `device`: "cpu", "cuda" or "cuda:1"; without it for the first target that
    this machine has a device for."""
    model = c_void_p()
    if device is None:
        lib.runtime().momrt_open_file_version(lib.RUNTIME_ABI, os.fsencode(path), byref(model))
        return Program(model)
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or number and not (kind == "cuda" and number.isdecimal()):
        raise ValueError(f"expected cpu, cuda or cuda:N as device but got {device}")
    where = 1 + int(number or 0) if kind == "cuda" else 0
    lib.runtime().momrt_open_file_on_version(lib.RUNTIME_ABI, os.fsencode(path), where,
                                             byref(model))
    return Program(model)


def compile(model: Union[str, os.PathLike[str]], *, target: str = "cpu", storage: str = "auto",
            settings: Mapping[str, Any] = {}, entries: Sequence[str] = (),
            cache: Union[str, os.PathLike[str], None] = None, name: str = "model.mom",
            cpu: str = "native") -> Program:
    """Compiles a file, or text (a string with a line's end in it), just in time. `entries`
    are those to compile besides the loss, all if there are none; `cache` is a folder."""
    def texts(values: Sequence[str]) -> Any:
        return (ctypes.c_char_p * len(values))(*(value.encode() for value in values))

    def setting(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    pairs = texts([f"{key}={setting(value)}" for key, value in settings.items()])
    wanted = texts(list(entries))
    folder = os.fsencode(os.path.expanduser(cache)) if cache else None
    options = lib.CompileOptions(target.encode(), storage.encode(), cpu.encode(), pairs,
                                 len(pairs), wanted, len(wanted), folder)
    handle = c_void_p()
    if isinstance(model, str) and "\n" in model:
        lib.compiler().momc_compile_text_version(lib.COMPILER_ABI, model.encode(), name.encode(),
                                                 byref(options), byref(handle))
    else:
        lib.compiler().momc_compile_file_version(lib.COMPILER_ABI, os.fsencode(model),
                                                 byref(options), byref(handle))
    compiled = _Compiled(handle)
    opened = c_void_p()
    lib.runtime().momrt_open_version(lib.RUNTIME_ABI, lib.compiler().momc_program_of(handle),
                                     byref(opened))
    warnings = lib.compiler().momc_warnings(handle).decode(errors="replace")
    return Program(opened, compiled, warnings, bool(lib.compiler().momc_from_cache(handle)))
