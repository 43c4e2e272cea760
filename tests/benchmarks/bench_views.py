"""What each view costs from a finished run of 512 tokens, or of as many as the model reads: worst first.

The largest shipped model of each architecture, one thread. Seconds hold the analyses that the view asks for,
the runs of other models that it shows beside, their loading included, and the figure; nothing of it is there
before. Then the milliseconds that it takes to write the figure as text, 120 columns wide.

Aim: two seconds. What takes longer than a minute is given up, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from nlptui.engine import Engine
from nlptui.engine.library import list_models
from nlptui.errors import UserError
from nlptui.trace import Trace
from nlptui.views import VIEWS
from nlptui.views.figure import Figure
from nlptui.views.render import to_text
from nlptui.views.view import State, View
from tests.benchmarks.texts import sentence

TOKENS = 512
AIM = 2.0
LONGEST = 60.0
WIDTH = 120
SPAN = 3
"""Tokens of the span that views ask about which want one."""


@dataclass(frozen=True)
class Cost:
    """One view of one model."""

    model: str
    view: str
    tokens: int
    seconds: float
    text_ms: float = 0.0
    remark: str = ""


class TooLong(Exception):
    """It took longer than anybody waits."""


def largest() -> dict[str, str]:
    """The largest shipped model of each architecture."""
    usable = sorted((entry for entry in list_models() if not entry.problem), key=lambda e: e.parameters)
    return {entry.arch: entry.name for entry in usable}


def figure_of(engine: Engine, trace: Trace, view: View, state: State) -> Figure:
    """What the screen does for a view, with nothing kept from before."""
    started = time.perf_counter()

    def watch(done: int, pieces: int) -> None:
        if time.perf_counter() - started > LONGEST:
            raise TooLong

    trace.analyses.clear()
    trace.done.clear()
    engine.analyse(trace, *view.needs(trace, state), watch=watch)
    if view.shows_others:
        others = view.beside(trace, list_models())
        trace.beside = {name: Engine.load(name).trace(trace.encoding.text) for name in others}
    return view.draw(trace, state)


def costs(name: str) -> Iterator[Cost]:
    """Every view that one model has."""
    engine = Engine.load(name)
    count = min(TOKENS, engine.config.context)
    trace = engine.trace(sentence(engine.config.language, name, count))
    middle = len(trace.encoding.ids) // 2
    for view in VIEWS.values():
        if not view.applies(trace):
            continue
        state = State(position=middle, mark=middle - SPAN)
        started = time.perf_counter()
        try:
            figure = figure_of(engine, trace, view, state)
        except (TooLong, UserError) as error:
            remark = "given up" if isinstance(error, TooLong) else str(error)
            yield Cost(name, view.name, count, time.perf_counter() - started, remark=remark)
            continue
        drawn = time.perf_counter()
        to_text(figure, WIDTH)
        yield Cost(name, view.name, count, drawn - started, 1e3 * (time.perf_counter() - drawn))


def run() -> dict[str, Any]:
    """Seconds of each view, worst first, and how many are over the aim."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = [cost for name in largest().values() for cost in costs(name)]
    finally:
        torch.set_num_threads(threads)
    found.sort(key=lambda cost: -cost.seconds)
    table: dict[str, Any] = {
        f"views over {AIM:g} s": sum(cost.seconds > AIM for cost in found),
        "views in all": len(found),
    }
    for cost in found:
        figures: dict[str, Any] = {"s": cost.seconds, "text_ms": cost.text_ms}
        table[f"{cost.model}, {cost.tokens} tokens: {cost.view}"] = figures | (
            {"remark": cost.remark} if cost.remark else {}
        )
    return table


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:<52} {value}", flush=True)
