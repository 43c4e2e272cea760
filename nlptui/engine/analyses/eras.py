"""What one model says of a text word by word, what that takes, and how good it is: a row of the eras.

    ms          the fastest of five runs off the record on this machine, after one to warm up
    parameters  the numbers that training found; of rules none
    accuracy    share of right tags on the test split, as the model's card has it; NaN where none was measured
    f1          of entities or of words, likewise
    sure        of each word of the answer, the probability of the tag that it got

Measured, never the same twice. Knows nothing of the other models; the view puts the rows together.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch

from nlptui.engine.analyses.gradient import define
from nlptui.engine.inputs import batch_again
from nlptui.locale import _
from nlptui.nn import OFF
from nlptui.trace import Recorder, Trace

if TYPE_CHECKING:
    from nlptui.engine.analyses.asked import Asked
    from nlptui.engine.engine import Engine

RUNS, FEW = 5, 2
LONG = 20.0
"""Milliseconds of a run from which a few runs will do: what is in the way is small beside them."""


def fits(config: Any) -> bool:
    """Every model that tags words."""
    return bool(config.task == "tagging")


def record(engine: Engine, trace: Trace, asked: Asked, rec: Recorder) -> None:
    """`ms`, `parameters`, `accuracy`, `f1` (batch stat) and, for an answer, `sure` (batch word)."""
    model: Any = engine.model
    parameters = sum(parameter.numel() for parameter in model.parameters())
    known = engine.config.metrics
    accuracy = float(known.get("accuracy", math.nan))
    f1 = float(known.get("f1", known.get("segmentation_f1", math.nan)))
    fastest, runs = milliseconds(engine, trace)
    told = {
        "ms": (fastest, _("the fastest of {n} runs of the model, in milliseconds")),
        "parameters": (float(parameters), _("numbers that training found")),
        "accuracy": (accuracy, _("share of right tags on the test split, from the model's card")),
        "f1": (f1, _("F1 of entities, or of words, on the test split, from the model's card")),
    }
    for name, (value, words) in told.items():
        define(
            rec,
            name,
            torch.tensor([[value]], dtype=torch.float64),
            ("batch", "stat"),
            words.format(n=runs),
            (),
        )
    tags = trace.output.get("tags", ())
    if tags:
        sure = torch.tensor([[float(word["prob"]) for word in tags]], dtype=torch.float64)
        words = _("of each word, the probability of the tag that it got")
        define(rec, "sure", sure, ("batch", "word"), words, ())


def milliseconds(engine: Engine, trace: Trace) -> tuple[float, int]:
    """How long the model takes for the text, off the record, when no other program is in its way; of how many
    runs that was the fastest. The first run, which is slower, does not count.
    """
    batch = batch_again(trace, engine.device)
    model: Any = engine.model
    times: list[float] = []
    with torch.no_grad():
        while len(times) <= (RUNS if not times or times[0] < LONG else FEW):
            started = time.perf_counter()
            model(batch, OFF)
            times.append(1000 * (time.perf_counter() - started))
    return min(times[1:]), len(times) - 1
