"""Steps of an update, and whole runs on token files."""
from __future__ import annotations

import os
from ctypes import byref, c_float
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from . import _library as lib
from ._callback import Callback

if TYPE_CHECKING:
    from ._session import Session

    Path = Union[str, os.PathLike[str]]

_HYPERS = ["rate", "beta1", "beta2", "eps", "bias1", "bias2", "clip", "keep"]


@dataclass(frozen=True)
class Progress:
    """Of a run, after one of its steps."""
    step: int
    steps: int
    tokens: int
    loss: float
    rate: float
    gradient_norm: float
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True)
class Measure:
    """A loss, whose group is -1, or a metric's mean in a group; over `count` rows."""
    name: str
    group: int
    value: float
    count: float


def set_step(session: "Session", step: int, steps: int) -> None:
    """The scalars of a step, counted from 1, of a run of `steps`, as the model's train block
    says, for the entry "update"."""
    lib.runtime().momrt_step_set(session._handle, step, steps)


def set_hypers(session: "Session", **hypers: float) -> None:
    """The same scalars by hand: rate, beta1, beta2, eps, bias1 = 1 / (1 - beta1^step), bias2,
    clip (largest norm of the gradient) and keep (what the entry "accumulate" multiplies its sums
    by: 0 in a step's first batch)."""
    if set(hypers) != set(_HYPERS):
        raise lib.Error(f"expected {', '.join(_HYPERS)} but got {', '.join(hypers) or 'none'}")
    values = (c_float * len(_HYPERS))(*(hypers[name] for name in _HYPERS))
    lib.runtime().momrt_hypers_set(session._handle, values)


def train(session: "Session", data: "Path", folder: "Path", *, steps: int,
          validation: Optional["Path"] = None, start: Optional["Path"] = None, save_every: int = 0,
          evaluate_every: int = 0, streams: int = 0, length: int = 0, seed: int = 1,
          resume: bool = False, bar: Optional[bool] = False,
          on_step: Optional[Callable[[Progress], Any]] = None) -> Optional[Progress]:
    """Trains on a token file, with checkpoints and log.jsonl in a folder, as `momc train` does;
    returns the last step's progress, None if the run was complete. `start` is a file of initial
    parameters, `resume` goes on from the folder's last checkpoint; 0 saves at the end only,
    evaluates never, and means the model's streams and length. `bar` shows progress on stderr,
    None: as a bar on a terminal, else as lines. `on_step(progress)` ends the run, which is
    saved, with a true result or with what it raises. The batch is the run's afterwards."""
    last: Optional[Progress] = None

    def after_step(raw: Any) -> Any:
        nonlocal last
        last = Progress(*(getattr(raw.contents, field.name) for field in fields(Progress)))
        return on_step is not None and on_step(last)

    with Callback(session) as callback:
        options = lib.TrainOptions(
            data=os.fsencode(data), folder=os.fsencode(folder), steps=steps,
            validation=None if validation is None else os.fsencode(validation),
            start=None if start is None else os.fsencode(start), save_every=save_every,
            evaluate_every=evaluate_every, streams=streams, length=length, seed=seed,
            resume=resume, bar=-1 if bar is None else bar,
            progress=callback.of(lib.ON_STEP, after_step))
        lib.runtime().momrt_train(session._handle, byref(options))
    return last


def evaluate(session: "Session", data: "Path") -> list[Measure]:
    """Losses and metrics of the entry "loss" over a token file. The batch is the run's
    afterwards."""
    measures: list[Measure] = []

    def report(name: bytes, group: int, value: float, count: float) -> None:
        measures.append(Measure(name.decode(), group, value, count))

    with Callback(session) as callback:
        lib.runtime().momrt_evaluate(session._handle, os.fsencode(data),
                                     callback.of(lib.ON_MEASURE, report), None)
    return measures
