"""Sequences that a model continues."""
from __future__ import annotations

from ctypes import POINTER, byref, c_int32, c_int64
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

import numpy as np

from . import _library as lib
from ._callback import Callback
from ._tensor import integers

if TYPE_CHECKING:
    from ._session import Session


def _joined(rows: Sequence[Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of rows of integers, and all of them one after the other."""
    arrays = [integers(row, f"{name} {at}") for at, row in enumerate(rows)]
    for at, array in enumerate(arrays):
        if array.ndim != 1:
            raise lib.Error(f"expected {name} {at} as a list of integers but got "
                            f"{'a number' if array.ndim == 0 else f'the shape {array.shape}'}")
    return (np.array([len(array) for array in arrays], np.int64),
            np.concatenate([np.zeros(0, np.int32), *arrays]))


def _at(array: np.ndarray) -> Any:
    return array.ctypes.data_as(POINTER(c_int32 if array.dtype == np.int32 else c_int64))


def generate(session: "Session", prompts: Sequence[Any], modality: Optional[Sequence[Any]] = None,
             *, tokens: int, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
             seed: int = 1, stops: Sequence[int] = (), modality_of: Any = None,
             on_token: Optional[Callable[[int, int], Any]] = None) -> list[np.ndarray]:
    """Continues prompts, each ids [length] with `modality` [length], side by side, by the
    entry "next"; returns the new ids of each, at most `tokens`, with the stop among them.
    `modality_of` says which modality each id of the vocabulary has, -1: it is never drawn.
    `on_token(prompt, id)` ends the run with a true result, or with what it raises. The batch
    is the run's afterwards."""
    lengths, ids = _joined(prompts, "prompt")
    options = lib.GenerateOptions(prompts=len(lengths), lengths=_at(lengths), id=_at(ids),
                                  temperature=temperature, top_k=top_k, top_p=top_p, seed=seed,
                                  tokens=tokens)
    if modality is not None:
        of_each, modalities = _joined(modality, "the modalities of prompt")
        if not np.array_equal(of_each, lengths):
            raise lib.Error("expected a modality for each token of each prompt, but prompts have "
                            f"{lengths} tokens and modalities {of_each}")
        options.modality = _at(modalities)
    ends = integers(list(stops), "stops")
    options.stops, options.stop_count = _at(ends), ends.size
    if modality_of is not None:
        known = integers(modality_of, "modality_of")
        options.modality_of, options.ids = _at(known), known.size
    drawn = np.zeros((len(lengths), max(tokens, 0)), np.int32)
    counts = np.zeros(len(lengths), np.int64)
    with Callback(session) as callback:
        if on_token is not None:
            options.token = callback.of(lib.ON_TOKEN, on_token)
        lib.runtime().momrt_generate(session._handle, byref(options), _at(drawn), _at(counts))
    return [row[:count].copy() for row, count in zip(drawn, counts)]
