"""Sequences that a model continues."""
from __future__ import annotations

from ctypes import POINTER, byref, c_int32, c_int64
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

import numpy as np

from . import _library as lib

if TYPE_CHECKING:
    from ._session import Session


def _integers(values: Any, kind: Any) -> tuple[np.ndarray, Any]:
    array = np.ascontiguousarray(values, np.int32 if kind is c_int32 else np.int64).reshape(-1)
    return array, array.ctypes.data_as(POINTER(kind))


def generate(session: "Session", prompts: Sequence[Any], modality: Optional[Sequence[Any]] = None,
             *, tokens: int, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
             seed: int = 1, stops: Sequence[int] = (), modality_of: Any = None,
             on_token: Optional[Callable[[int, int], bool]] = None) -> list[np.ndarray]:
    """Continues prompts, each ids [length] with `modality` [length], side by side, by the
    entry "next"; returns the new ids of each, at most `tokens`, with the stop among them.
    `modality_of` says which modality each id of the vocabulary has, -1: it is never drawn.
    `on_token(prompt, id)` ends the run with a true result."""
    if modality is not None and [len(m) for m in modality] != [len(p) for p in prompts]:
        raise lib.Error("expected a modality for each token of each prompt")
    empty = np.zeros(0, np.int32)
    lengths, lengths_at = _integers([len(p) for p in prompts], c_int64)
    ids, ids_at = _integers(np.concatenate([empty, *map(np.asarray, prompts)]), c_int32)
    options = lib.GenerateOptions(prompts=len(lengths), lengths=lengths_at, id=ids_at,
                                  temperature=temperature, top_k=top_k, top_p=top_p, seed=seed,
                                  tokens=tokens)
    modalities, options.modality = ((None, None) if modality is None else _integers(
        np.concatenate([empty, *map(np.asarray, modality)]), c_int32))
    ends, options.stops = _integers(list(stops), c_int32)
    options.stop_count = len(ends)
    known, options.modality_of = (None, None) if modality_of is None else _integers(modality_of,
                                                                                    c_int32)
    options.ids = 0 if known is None else len(known)
    if on_token is not None:
        options.token = lib.ON_TOKEN(lambda _, prompt, id: int(bool(on_token(prompt, id))))
    drawn, drawn_at = _integers(np.zeros(len(lengths) * tokens), c_int32)
    counts, counts_at = _integers(np.zeros(len(lengths)), c_int64)
    lib.runtime().momrt_generate(session._handle, byref(options), drawn_at, counts_at)
    return [drawn[at * tokens:at * tokens + count].copy() for at, count in enumerate(counts)]
