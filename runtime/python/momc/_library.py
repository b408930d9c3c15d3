"""The C interfaces of libmomrt (momrt/momrt.h) and libmomc (momc/momc.h).

ctypes, not a compiled binding: one package serves every Python and needs no compiler to
install, and what the calls cost (microseconds) does not show beside a layer's kernels.
"""
from __future__ import annotations

import ctypes
import functools
import os
import weakref
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_float, c_int, c_int32
from ctypes import c_int64, c_uint32, c_uint64, c_void_p
from typing import Any

RUNTIME_ABI = 1
COMPILER_ABI = 1


class Error(RuntimeError):
    """What momrt or momc refused, in its words."""


class Tensor(Structure):
    _fields_ = [("data", c_void_p), ("type", c_uint32), ("device", c_uint32), ("rank", c_int64),
                ("shape", c_int64 * 4)]


class Segment(Structure):
    _fields_ = [("start", c_int64), ("length", c_int64), ("initial", c_int64), ("final", c_int64)]


class Batch(Structure):
    _fields_ = [("streams", c_int64), ("length", c_int64), ("documents", c_int64),
                ("tokens", c_int64), ("modality", POINTER(c_int32)), ("segment_count", c_int64),
                ("segments", POINTER(Segment))]


class SessionOptions(Structure):
    _fields_ = [("threads", c_int32), ("device", c_int32), ("poison", c_int32),
                ("no_graphs", c_int32), ("guest", c_int32), ("reserved", c_int32),
                ("context", c_void_p), ("stream", c_void_p)]


class ModelInfo(Structure):
    _fields_ = [("name", c_char_p), ("digest", c_char_p), ("target", c_int32),
                ("reserved", c_int32), ("entries", c_int64), ("modalities", c_int64),
                ("settings", c_int64)]


class RawValue(Structure):
    _fields_ = [("name", c_char_p), ("kind", c_uint32), ("type", c_uint32), ("rows", c_uint32),
                ("reserved", c_uint32), ("channels", c_int64), ("limit", c_int64)]


class CompileOptions(Structure):
    _fields_ = [("target", c_char_p), ("storage", c_char_p), ("cpu", c_char_p),
                ("settings", POINTER(c_char_p)), ("setting_count", c_int64),
                ("entries", POINTER(c_char_p)), ("entry_count", c_int64), ("cache", c_char_p)]


ON_TOKEN = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64, c_int32)


class GenerateOptions(Structure):
    _fields_ = [("prompts", c_int64), ("lengths", POINTER(c_int64)), ("id", POINTER(c_int32)),
                ("modality", POINTER(c_int32)), ("temperature", c_double), ("top_k", c_int64),
                ("top_p", c_double), ("seed", c_uint64), ("tokens", c_int64),
                ("stops", POINTER(c_int32)), ("stop_count", c_int64),
                ("modality_of", POINTER(c_int32)), ("ids", c_int64), ("token", ON_TOKEN),
                ("context", c_void_p)]


class RawProgress(Structure):
    _fields_ = [("step", c_int64), ("steps", c_int64), ("tokens", c_int64), ("loss", c_double),
                ("rate", c_double), ("gradient_norm", c_double), ("tokens_per_second", c_double),
                ("seconds", c_double)]


ON_STEP = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(RawProgress))
ON_MEASURE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_int64, c_double, c_double)


class TrainOptions(Structure):
    _fields_ = [("data", c_char_p), ("validation", c_char_p), ("folder", c_char_p),
                ("start", c_char_p), ("steps", c_int64), ("save_every", c_int64),
                ("evaluate_every", c_int64), ("streams", c_int64), ("length", c_int64),
                ("seed", c_uint64), ("resume", c_int32), ("bar", c_int32),
                ("progress", ON_STEP), ("context", c_void_p)]


# Arguments of each function; all but those named below return a code.
_RUNTIME = {
    "momrt_open_version": [c_uint32, c_void_p, POINTER(c_void_p)],
    "momrt_open_file_version": [c_uint32, c_char_p, POINTER(c_void_p)],
    "momrt_open_file_on_version": [c_uint32, c_char_p, c_uint32, POINTER(c_void_p)],
    "momrt_close": [c_void_p],
    "momrt_model_describe": [c_void_p, POINTER(ModelInfo)],
    "momrt_modality_name": [c_void_p, c_int64, POINTER(c_char_p)],
    "momrt_setting_describe": [c_void_p, c_int64, POINTER(c_char_p), POINTER(c_double)],
    "momrt_entry_describe": [c_void_p, c_int64, POINTER(c_char_p), POINTER(c_int64),
                             POINTER(c_int64)],
    "momrt_input_describe": [c_void_p, c_char_p, c_int64, POINTER(RawValue)],
    "momrt_output_describe": [c_void_p, c_char_p, c_int64, POINTER(RawValue)],
    "momrt_session_create": [c_void_p, POINTER(SessionOptions), POINTER(c_void_p)],
    "momrt_session_destroy": [c_void_p],
    "momrt_stream_set": [c_void_p, c_void_p],
    "momrt_initialise": [c_void_p, c_uint64],
    "momrt_load": [c_void_p, c_char_p],
    "momrt_save": [c_void_p, c_char_p],
    "momrt_parameter_count": [c_void_p],
    "momrt_parameter_describe": [c_void_p, c_int64, POINTER(c_char_p), POINTER(Tensor)],
    "momrt_parameter_get": [c_void_p, c_char_p, POINTER(Tensor)],
    "momrt_parameter_set": [c_void_p, c_char_p, POINTER(Tensor)],
    "momrt_gradient_get": [c_void_p, c_char_p, POINTER(Tensor)],
    "momrt_batch_set": [c_void_p, POINTER(Batch)],
    "momrt_modality_set": [c_void_p, POINTER(Tensor)],
    "momrt_input_set": [c_void_p, c_char_p, POINTER(Tensor)],
    "momrt_input_bind": [c_void_p, c_char_p, POINTER(Tensor)],
    "momrt_output_bind": [c_void_p, c_char_p, c_uint32, c_char_p, POINTER(Tensor)],
    "momrt_workspace_size": [c_void_p, POINTER(Batch), POINTER(c_int64)],
    "momrt_workspace_set": [c_void_p, c_void_p, c_int64],
    "momrt_step_set": [c_void_p, c_int64, c_int64],
    "momrt_hypers_set": [c_void_p, POINTER(c_float)],
    "momrt_run": [c_void_p, c_char_p],
    "momrt_enqueue": [c_void_p, c_char_p],
    "momrt_status_check": [c_void_p],
    "momrt_generate": [c_void_p, POINTER(GenerateOptions), POINTER(c_int32), POINTER(c_int64)],
    "momrt_output_get": [c_void_p, c_char_p, c_uint32, c_char_p, POINTER(Tensor)],
    "momrt_train": [c_void_p, POINTER(TrainOptions)],
    "momrt_evaluate": [c_void_p, c_char_p, ON_MEASURE, c_void_p],
}
_COMPILER = {
    "momc_compile_text_version": [c_uint32, c_char_p, c_char_p, POINTER(CompileOptions),
                                  POINTER(c_void_p)],
    "momc_compile_file_version": [c_uint32, c_char_p, POINTER(CompileOptions),
                                  POINTER(c_void_p)],
    "momc_program_of": [c_void_p],
    "momc_warnings": [c_void_p],
    "momc_from_cache": [c_void_p],
    "momc_release": [c_void_p],
}
_RESULTS = {"momrt_close": None, "momrt_session_destroy": None, "momrt_parameter_count": c_int64,
            "momc_program_of": c_void_p, "momc_warnings": c_char_p, "momc_from_cache": c_int,
            "momc_release": None}


class Library:
    """A shared library whose functions raise Error."""

    def __init__(self, name: str, functions: dict[str, list[Any]]) -> None:
        self._library = _open(name)
        last_error = getattr(self._library, name.split(".")[0][3:] + "_last_error")
        last_error.restype = c_char_p
        for function, arguments in functions.items():
            call = getattr(self._library, function)
            call.argtypes = arguments
            if function in _RESULTS:
                call.restype = _RESULTS[function]
            else:
                call.errcheck = functools.partial(_check, last_error)
            setattr(self, function, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def _check(last_error: Any, result: int, function: Any, arguments: Any) -> None:
    if result:
        raise Error(last_error().decode(errors="replace"))


def _open(name: str) -> ctypes.CDLL:
    """From the folder of MOMC_LIBRARIES, the package's own, its prefix's, or the system's."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [here, os.path.join(here, "..", "..")]
    if "MOMC_LIBRARIES" in os.environ:
        folders.insert(0, os.environ["MOMC_LIBRARIES"])
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return ctypes.CDLL(path)
    try:
        return ctypes.CDLL(name)
    except OSError as problem:
        raise Error(f"{name} was not found: install momc, or name its folder in MOMC_LIBRARIES "
                    f"({problem})") from None


@functools.lru_cache(None)
def runtime() -> Library:
    return Library("libmomrt.so.1", _RUNTIME)


@functools.lru_cache(None)
def compiler() -> Library:
    return Library("libmomc.so.1", _COMPILER)


def owned(owner: Any, release: Any, handle: c_void_p, *needed: Any) -> weakref.finalize:
    """Has a handle released when its owner goes or calls the result, and `needed` live until
    then, also where a cycle of objects goes at once. A process that ends leaves it to the system:
    another thread may still run."""
    end = weakref.finalize(owner, _release, release, handle, needed)
    end.atexit = False
    return end


def _release(release: Any, handle: c_void_p, needed: Any) -> None:
    release(handle)


def text_of(call: Any, *arguments: Any) -> str:
    """The text that a function leaves in its last argument."""
    result = c_char_p()
    call(*arguments, byref(result))
    return (result.value or b"").decode()
